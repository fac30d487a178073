// The ForeignFirewalls that are there.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/link_name.h"
#include "daemon/firewall/foreign_firewalls.h"
#include "daemon/firewall/nft_commands.h"

namespace svnet {

// By nftables, iptables-legacy's table in the kernel, and D-Bus: no program is run. What
// is put into chains that iptables-nft has made can be read, and deleted, by iptables.
class HostFirewalls final : public ForeignFirewalls {
 public:
  // Of the network namespace that the calling thread is in now, but iptables-legacy's are
  // of that of the thread that asks. Our tag is the name of our tables.
  static absl::StatusOr<std::unique_ptr<HostFirewalls>> Open(const LinkName& bridge);

  absl::StatusOr<std::vector<FilterChain>> Read() override;
  absl::StatusOr<bool> LegacyWasChanged() override;
  bool LegacyIsHidden() const override { return legacy_is_hidden_; }
  const std::string& tag() const override { return tag_; }
  absl::Status Replace(const FilterChain& chain, const std::vector<FilterRule>& rules) override;
  absl::Status JoinZone() override;
  absl::Status LeaveZone() override;

 private:
  HostFirewalls(NftCommands commands, const LinkName& bridge);

  NftCommands commands_;
  const LinkName bridge_;
  const std::string tag_;
  std::vector<FilterChain> legacy_;  // as last read
  bool legacy_is_hidden_ = false;
};

// The commands for nft(8) that Replace gives it. InvalidArgument if a rule names a link
// that has no plain name. Pure.
absl::StatusOr<std::string> RenderReplacement(const FilterChain& chain, const std::string& tag,
                                              const std::vector<FilterRule>& rules);

}  // namespace svnet

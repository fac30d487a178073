// ForeignFirewalls implemented with nftables, iptables-legacy's kernel interface and D-Bus.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/link_name.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/foreign/foreign_firewalls.h"

namespace svnet {

// Runs no program. iptables can read and delete the rules that this adds to chains of iptables-nft.
class NftForeignFirewalls final : public ForeignFirewalls {
 public:
  // For the network namespace that the calling thread is in now; iptables-legacy's chains are those
  // of the namespace of the thread that calls a method. The tag is TableName.
  static absl::StatusOr<std::unique_ptr<NftForeignFirewalls>> Open(const LinkName& bridge);

  absl::StatusOr<std::vector<FilterChain>> Read() override;
  absl::StatusOr<bool> IptablesLegacyWasChanged() override;
  bool IptablesLegacyIsHidden() const override { return legacy_is_hidden_; }
  const std::string& tag() const override { return tag_; }
  absl::Status Replace(const FilterChain& chain, const std::vector<FilterRule>& rules) override;
  absl::Status JoinZone(const ZoneMember& member) override;
  absl::Status LeaveZone(const ZoneMember& member) override;

 private:
  NftForeignFirewalls(NftCommands commands, std::string tag);

  NftCommands commands_;
  const std::string tag_;
  std::vector<FilterChain> legacy_;  // as Read last found them
  bool legacy_is_hidden_ = false;
};

// The nft(8) commands of Replace. InvalidArgument if a rule names a link whose name is not plain.
// Pure.
absl::StatusOr<std::string> RenderReplacement(const FilterChain& chain, const std::string& tag,
                                              const std::vector<FilterRule>& rules);

}  // namespace svnet

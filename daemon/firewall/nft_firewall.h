// The Firewall that is there: nftables.
#pragma once

#include <nftables/libnftables.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/firewall/firewall.h"
#include "daemon/firewall/nft_counters.h"
#include "daemon/firewall/nft_monitor.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/firewall/ruleset.h"

namespace svnet {

class NftFirewall final : public Firewall {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<std::unique_ptr<NftFirewall>> Open(const RulesetSpec& spec);

  absl::Status Apply(const MacAddress& bridge, const std::vector<Binding>& bindings) override;
  absl::Status Bind(const Binding& binding) override;
  absl::Status Unbind(const Binding& binding) override;
  absl::StatusOr<bool> Stand() override;
  absl::StatusOr<std::vector<Drops>> ReadDrops() override;
  absl::StatusOr<bool> Remove() override;
  int changes_fd() const override { return monitor_.fd(); }
  absl::StatusOr<bool> WereChanged() override;

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
  };
  using Context = std::unique_ptr<nft_ctx, FreeContext>;

  NftFirewall(Context context, NftSocket socket, NftCounters counters, NftMonitor monitor,
              RulesetSpec spec)
      : context_(std::move(context)),
        socket_(std::move(socket)),
        counters_(std::move(counters)),
        monitor_(std::move(monitor)),
        spec_(std::move(spec)) {}

  // What the commands print.
  absl::StatusOr<std::string> Run(const std::string& commands);
  // As Run, for those that change something: one transaction.
  absl::Status Change(const std::string& commands);
  // How many of our tables stand.
  absl::StatusOr<int> CountTables();
  bool IsOurs(const NftTransaction& transaction) const;

  Context context_;
  NftSocket socket_;
  NftCounters counters_;
  NftMonitor monitor_;
  RulesetSpec spec_;
  // Those of Change that the monitor has not told of yet.
  std::set<uint32_t> own_generations_;
};

// libnftables' error text, cut to what is said in its first line: after that it
// repeats the commands, all of them. Pure.
std::string ShortenNftError(absl::string_view text);

}  // namespace svnet

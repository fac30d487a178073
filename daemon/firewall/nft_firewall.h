// The Firewall that is there: nftables.
#pragma once

#include <nftables/libnftables.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/firewall/firewall.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/firewall/ruleset.h"

namespace svnet {

class NftFirewall final : public Firewall {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<std::unique_ptr<NftFirewall>> Open(const RulesetSpec& spec);

  absl::Status Apply(const MacAddress& bridge, const std::vector<Binding>& bindings) override;
  absl::StatusOr<bool> IsApplied() override;
  absl::Status Bind(const Binding& binding) override;
  absl::Status Unbind(const Binding& binding) override;
  absl::StatusOr<bool> Remove() override;

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
  };
  using Context = std::unique_ptr<nft_ctx, FreeContext>;

  NftFirewall(Context context, NftSocket socket, RulesetSpec spec)
      : context_(std::move(context)), socket_(std::move(socket)), spec_(std::move(spec)) {}

  // After a transaction of ours: if nobody else's was between, then what was known to
  // stand does so still.
  absl::Status NoteOwnChange();

  // What the commands print.
  absl::StatusOr<std::string> Run(const std::string& commands);
  // How many of ours stand.
  absl::StatusOr<int> CountTables();
  // The tables as nftables prints them, without elements and counts; empty if one is
  // missing.
  absl::StatusOr<std::string> List();

  Context context_;
  NftSocket socket_;
  RulesetSpec spec_;
  std::string applied_;  // what List said after the last Apply
  // The generation at which the rules were last known to stand as applied.
  std::optional<uint32_t> applied_at_;
};

// libnftables' error text, cut to what is said in its first line: after that it
// repeats the commands, all of them. Pure.
std::string ShortenNftError(absl::string_view text);

}  // namespace svnet

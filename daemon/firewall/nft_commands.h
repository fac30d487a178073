// nft(8)'s commands, by libnftables.
#pragma once

#include <nftables/libnftables.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// Not thread-safe; but two of them may be used by two threads.
class NftCommands {
 public:
  enum class Output { kText, kJson };
  // For the network namespace that the calling thread is in now.
  static absl::StatusOr<NftCommands> Open(Output output);

  // What the commands print. Those that change something are one transaction. Internal,
  // with the first line of what nft says, if they fail: then nothing was changed.
  absl::StatusOr<std::string> Run(const std::string& commands);

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
  };
  using Context = std::unique_ptr<nft_ctx, FreeContext>;

  explicit NftCommands(Context context) : context_(std::move(context)) {}

  Context context_;
};

// libnftables' error text, cut to what is said in its first line: after that it
// repeats the commands, all of them. Pure.
std::string ShortenNftError(absl::string_view text);

}  // namespace svnet

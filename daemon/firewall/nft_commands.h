// nft(8)'s commands, by libnftables.
#pragma once

#include <nftables/libnftables.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Not thread-safe; but two of them may be used by two threads.
class NftCommands {
 public:
  enum class Output { kText, kJson };
  // For the network namespace that the calling thread is in now. JSON is printed without
  // the elements of named sets: others may have a million of them.
  static absl::StatusOr<NftCommands> Open(Output output);

  // What the commands print. Those that change something are one transaction. Internal,
  // with the first line of what nft says, if they fail: then nothing was changed.
  absl::StatusOr<std::string> Run(const std::string& commands);
  // How many Runs have succeeded.
  uint32_t runs() const { return runs_; }

  // A descriptor of the socket by which all commands go, for messages that libnftables does
  // not know: to the kernel, what comes by it and what Run sends have one sender, who may own
  // tables. Use it while Run does not run.
  absl::StatusOr<UniqueFd> ShareSocket() const;

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
  };
  using Context = std::unique_ptr<nft_ctx, FreeContext>;

  NftCommands(Context context, int socket) : context_(std::move(context)), socket_(socket) {}

  Context context_;
  int socket_;  // the context's; it keeps one for its whole life
  uint32_t runs_ = 0;
};

// libnftables' error text, cut to what is said in its first line: after that it
// repeats the commands, all of them. Pure.
std::string ShortenNftError(absl::string_view text);

}  // namespace svnet

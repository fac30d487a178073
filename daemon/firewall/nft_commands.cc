#include "daemon/firewall/nft_commands.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/mutex.h"

namespace svnet {
namespace {

constexpr size_t kMaxErrorLength = 200;  // bytes

// Two contexts are not two libraries: libnftables keeps its list of the host's links for
// the whole process (its src/iface.c), and locks nothing.
Mutex& LibraryMutex() {
  static auto* const mutex = new Mutex;
  return *mutex;
}

}  // namespace

std::string ShortenNftError(absl::string_view text) {
  constexpr absl::string_view kMark = "Error: ";
  if (const size_t mark = text.find(kMark); mark != absl::string_view::npos) {
    text.remove_prefix(mark + kMark.size());
  }
  text = absl::StripAsciiWhitespace(text.substr(0, text.find('\n')));
  return text.empty() ? "no reason given" : std::string(text.substr(0, kMaxErrorLength));
}

absl::StatusOr<NftCommands> NftCommands::Open(Output output) {
  MutexLock lock(&LibraryMutex());
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (context == nullptr) return absl::InternalError("nftables: cannot make a context");
  if (nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0) {
    return absl::ResourceExhaustedError("nftables: no memory");
  }
  if (output == Output::kJson) nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
  return NftCommands(std::move(context));
}

absl::StatusOr<std::string> NftCommands::Run(const std::string& commands) {
  MutexLock lock(&LibraryMutex());
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Both buffers start anew with the next command only if they were read.
  std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result == 0) return output;
  return absl::InternalError(absl::StrCat("nftables: ", ShortenNftError(error)));
}

}  // namespace svnet

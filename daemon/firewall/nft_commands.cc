#include "daemon/firewall/nft_commands.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
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

int SocketOption(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// The sockets of NETLINK_NETFILTER that this process has.
std::set<int> NetfilterSockets() {
  std::set<int> sockets;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->path().filename().string(), &fd)) continue;
    if (SocketOption(fd, SO_DOMAIN) == AF_NETLINK &&
        SocketOption(fd, SO_PROTOCOL) == NETLINK_NETFILTER) {
      sockets.insert(fd);
    }
  }
  return sockets;
}

// The one that is not among `before`; -1 if there is not exactly one.
int NewNetfilterSocket(const std::set<int>& before) {
  int found = -1;
  for (const int fd : NetfilterSockets()) {
    if (before.contains(fd)) continue;
    if (found != -1) return -1;
    found = fd;
  }
  return found;
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
  const std::set<int> before = NetfilterSockets();
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (context == nullptr) return absl::InternalError("nftables: cannot make a context");
  if (nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0) {
    return absl::ResourceExhaustedError("nftables: no memory");
  }
  if (output == Output::kJson) {
    nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE);
  }
  const int socket = NewNetfilterSocket(before);
  // libnftables leaves it to programs that are executed.
  if (socket >= 0) fcntl(socket, F_SETFD, FD_CLOEXEC);
  return NftCommands(std::move(context), socket);
}

absl::StatusOr<UniqueFd> NftCommands::ShareSocket() const {
  if (socket_ < 0) return absl::InternalError("nftables: libnftables' socket is not to be found");
  UniqueFd shared(fcntl(socket_, F_DUPFD_CLOEXEC, 0));
  if (!shared.valid()) return absl::ErrnoToStatus(errno, "nftables");
  return shared;
}

absl::StatusOr<std::string> NftCommands::Run(const std::string& commands) {
  MutexLock lock(&LibraryMutex());
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Both buffers start anew with the next command only if they were read.
  std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result != 0) {
    return absl::InternalError(absl::StrCat("nftables: ", ShortenNftError(error)));
  }
  ++runs_;
  return output;
}

}  // namespace svnet

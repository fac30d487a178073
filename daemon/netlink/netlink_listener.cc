#include "daemon/netlink/netlink_listener.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr absl::string_view kContext = "netlink monitor";
constexpr size_t kLargestDatagram = 64 << 10;

absl::Status Attach(int socket, absl::Span<const sock_filter> filter) {
  if (filter.empty()) return absl::OkStatus();
  const sock_fprog program = {.len = static_cast<uint16_t>(filter.size()),
                              .filter = const_cast<sock_filter*>(filter.data())};
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, kContext);
}

}  // namespace

absl::StatusOr<NetlinkListener> NetlinkListener::Open(int protocol, absl::Span<const int> groups,
                                                      int receive_buffer,
                                                      absl::Span<const sock_filter> filter) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, kContext);
  // As large as may be; if it is too small after all, the kernel says that it was.
  const auto set_size = [&](int option) {
    return setsockopt(fd.get(), SOL_SOCKET, option, &receive_buffer, sizeof(receive_buffer)) == 0;
  };
  if (!set_size(SO_RCVBUFFORCE)) set_size(SO_RCVBUF);
  SVNET_RETURN_IF_ERROR(Attach(fd.get(), filter));
  const sockaddr_nl any = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) {
    return absl::ErrnoToStatus(errno, kContext);
  }
  for (const int group : groups) {
    if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0) {
      return absl::ErrnoToStatus(errno, kContext);
    }
  }
  return NetlinkListener(std::move(fd));
}

absl::Status NetlinkListener::SetFilter(absl::Span<const sock_filter> filter) {
  return Attach(socket_.get(), filter);
}

absl::StatusOr<bool> NetlinkListener::Take(absl::FunctionRef<void(const NetlinkReader&)> visit) {
  bool lost = false;
  char buffer[kLargestDatagram];
  while (true) {
    sockaddr_nl from = {};
    socklen_t from_size = sizeof(from);
    const ssize_t size = recvfrom(socket_.get(), buffer, sizeof(buffer), 0,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EAGAIN) return lost;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) return absl::ErrnoToStatus(errno, kContext);
    if (size < 0) lost = true;
    if (size < 0 || from.nl_pid != 0) continue;  // other processes are not listened to
    absl::string_view messages(buffer, size);
    while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&messages)) {
      visit(*message);
    }
  }
}

}  // namespace svnet

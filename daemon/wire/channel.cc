#include "daemon/wire/channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace svnet {
namespace {

// Room for one descriptor.
union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

UniqueFd TakeDescriptor(msghdr& message) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
       each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(each), sizeof(descriptor));
    return UniqueFd(descriptor);
  }
  return UniqueFd();
}

}  // namespace

absl::StatusOr<std::pair<Channel, Channel>> Channel::Pair() {
  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  return std::make_pair(Channel(UniqueFd(ends[0])), Channel(UniqueFd(ends[1])));
}

absl::Status Channel::Send(const std::string& packet, int descriptor, bool wait) const {
  iovec part = {.iov_base = const_cast<char*>(packet.data()), .iov_len = packet.size()};
  msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  Control control = {};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(descriptor));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  }
  const int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
  while (sendmsg(fd_.get(), &message, flags) < 0) {
    if (errno == EINTR) continue;
    // The kernel is short of memory, or a descriptor too many is under way: not for ever.
    const bool full = errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS;
    if (full) return absl::UnavailableError("full");
    // Not by errno alone: ECONNRESET would be UNAVAILABLE.
    return absl::AbortedError(absl::ErrnoToStatus(errno, "sendmsg").message());
  }
  return absl::OkStatus();
}

absl::StatusOr<Channel::Packet> Channel::Receive(size_t most, bool with_descriptor,
                                                 bool wait) const {
  Packet packet;
  // Not in the string: to fill that with zeros first takes longer than to receive.
  const auto buffer = std::make_unique_for_overwrite<char[]>(most);
  iovec part = {.iov_base = buffer.get(), .iov_len = most};
  msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  Control control = {};
  if (with_descriptor) {
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
  }
  const int flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
  ssize_t size;
  while ((size = recvmsg(fd_.get(), &message, flags)) < 0 && errno == EINTR) {
  }
  if (size < 0 && errno == EAGAIN) return absl::UnavailableError("nothing yet");
  if (size < 0 && errno != ECONNRESET) return absl::ErrnoToStatus(errno, "recvmsg");
  if (with_descriptor && size >= 0) packet.descriptor = TakeDescriptor(message);
  if (size <= 0) return absl::AbortedError("closed");
  if ((message.msg_flags & MSG_TRUNC) != 0) return absl::OutOfRangeError("a packet is too long");
  packet.bytes.assign(buffer.get(), size);
  return packet;
}

}  // namespace svnet

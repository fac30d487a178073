#include "daemon/accept/tap_packets.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/types/span.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/error_details.h"
#include "svnet/v1/network.pb.h"

namespace svnet {
namespace {

// A selector has some hundred bytes.
constexpr size_t kMaxRequest = 1024;

constexpr size_t kMostInAPacket = 253;  // SCM_MAX_FD

absl::Status SendPacket(const UniqueFd& connection, std::string bytes,
                        absl::Span<const int> descriptors) {
  iovec data = {.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostInAPacket * sizeof(int))> control = {};
  msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  }
  if (sendmsg(connection.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "sendmsg");
}

}  // namespace

absl::StatusOr<std::optional<std::string>> ReceiveTapRequest(const UniqueFd& connection) {
  std::array<char, kMaxRequest> bytes;
  // No room for descriptors: the kernel drops those that come.
  const ssize_t size = recv(connection.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size < 0) return absl::AbortedError("the caller has gone");
  if (static_cast<size_t>(size) > bytes.size()) {
    return Error(Reason::kInvalidRequest, "the request is longer than one can be");
  }
  return std::string(bytes.data(), size);
}

absl::Status SendTapResponse(const UniqueFd& connection, const absl::Status& status,
                             const std::vector<UniqueFd>& queues) {
  v1::OpenTapResponse response;
  *response.mutable_status() = ToProtoStatus(status);
  std::vector<int> descriptors;
  if (status.ok()) {
    for (const UniqueFd& queue : queues) descriptors.push_back(queue.get());
  }
  response.set_queues(static_cast<uint32_t>(descriptors.size()));
  const std::string bytes = response.SerializeAsString();
  absl::Span<const int> rest = descriptors;
  do {
    const absl::Span<const int> some = rest.subspan(0, std::min(rest.size(), kMostInAPacket));
    SVNET_RETURN_IF_ERROR(SendPacket(connection, bytes, some));
    rest.remove_prefix(some.size());
  } while (!rest.empty());
  return absl::OkStatus();
}

bool HasTakenAll(const UniqueFd& connection) {
  int bytes = 0;
  return ioctl(connection.get(), SIOCOUTQ, &bytes) != 0 || bytes == 0;
}

}  // namespace svnet

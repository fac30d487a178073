#include "client/tap_queues.h"

#include <grpcpp/support/status.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/rpc_failure.h"
#include "client/unix_socket.h"
#include "daemon/base/tap_socket.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {
namespace {

constexpr size_t kMaxResponse = 65536;
constexpr size_t kMostInAPacket = 253;  // SCM_MAX_FD

struct Packet {
  std::string bytes;  // empty: svnetd has closed the connection
  std::vector<UniqueFd> descriptors;
};

Failure BrokenConnection(absl::string_view why, const CallContext& about) {
  return ExplainRpcFailure(grpc::Status(grpc::StatusCode::UNAVAILABLE, std::string(why)), about);
}

void TakeDescriptors(msghdr& message, std::vector<UniqueFd>* descriptors) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      descriptors->push_back(UniqueFd(descriptor));
    }
  }
}

Result<Packet> Receive(const UniqueFd& connection, const CallContext& about) {
  Packet packet = {.bytes = std::string(kMaxResponse, '\0'), .descriptors = {}};
  iovec data = {.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostInAPacket * sizeof(int))> control;
  msghdr message = {.msg_iov = &data,
                    .msg_iovlen = 1,
                    .msg_control = control.data(),
                    .msg_controllen = control.size()};
  const ssize_t size = recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
  if (size < 0) return BrokenConnection(strerror(errno), about);
  TakeDescriptors(message, &packet.descriptors);
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return BrokenConnection("there is no room for the descriptors: see `ulimit -n`", about);
  }
  packet.bytes.resize(size);
  return packet;
}

std::optional<Failure> Ask(const UniqueFd& connection, const std::string& tap_name,
                           const CallContext& about) {
  v1::OpenTapRequest request;
  request.set_tap_name(tap_name);
  const std::string bytes = request.SerializeAsString();
  const timeval limit = absl::ToTimeval(about.timeout);
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  if (send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) return std::nullopt;
  return BrokenConnection(strerror(errno), about);
}

Failure Explain(const google::rpc::Status& status, const CallContext& about) {
  return ExplainRpcFailure(grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                                        status.message(), status.SerializeAsString()),
                           about);
}

}  // namespace

Result<std::vector<UniqueFd>> OpenTap(const std::string& socket, absl::Duration timeout,
                                      const std::string& tap_name) {
  const CallContext about = {.socket = TapSocketOf(socket), .timeout = timeout};
  const Result<UniqueFd> connected = ConnectTo(about.socket, SOCK_SEQPACKET, timeout);
  if (const auto* failure = std::get_if<Failure>(&connected)) return *failure;
  const auto& connection = std::get<UniqueFd>(connected);
  if (const auto failure = Ask(connection, tap_name, about)) return *failure;
  std::vector<UniqueFd> queues;
  while (true) {
    Result<Packet> received = Receive(connection, about);
    if (const auto* failure = std::get_if<Failure>(&received)) return *failure;
    auto& packet = std::get<Packet>(received);
    v1::OpenTapResponse response;
    if (packet.bytes.empty() || !response.ParseFromString(packet.bytes)) {
      return BrokenConnection("svnetd has closed the connection", about);
    }
    if (response.status().code() != 0) return Explain(response.status(), about);
    for (UniqueFd& each : packet.descriptors) queues.push_back(std::move(each));
    if (queues.size() >= response.queues()) return queues;
  }
}

}  // namespace svnet::client

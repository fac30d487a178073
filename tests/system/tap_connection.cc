#include "tests/system/tap_connection.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/base/tap_socket.h"
#include "tests/system/client.h"

namespace svnet::testing {
namespace {

constexpr int kPatience = 30'000;  // milliseconds
constexpr size_t kMostInAPacket = 253;

// Empty: there is none.
std::string Receive(int fd, std::vector<UniqueFd>* descriptors) {
  std::array<char, 4096> bytes;
  iovec data = {.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostInAPacket * sizeof(int))> control;
  msghdr message = {.msg_iov = &data,
                    .msg_iovlen = 1,
                    .msg_control = control.data(),
                    .msg_controllen = control.size()};
  const ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return "";
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    for (size_t at = CMSG_LEN(0); at < header->cmsg_len; at += sizeof(int)) {
      int descriptor = -1;
      std::memcpy(&descriptor, reinterpret_cast<char*>(header) + at, sizeof(int));
      descriptors->push_back(UniqueFd(descriptor));
    }
  }
  return std::string(bytes.data(), size);
}

}  // namespace

TapConnection::TapConnection(const std::string& socket, const RunAs& who)
    : fd_(ConnectAs(TapSocketOf(socket), who, SOCK_SEQPACKET)) {}

bool TapConnection::TrySend(const std::string& packet) const {
  return send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(packet.size());
}

void TapConnection::Send(const std::string& packet) const {
  EXPECT_TRUE(TrySend(packet)) << strerror(errno);
}

void TapConnection::Ask(const std::string& tap_name) const {
  v1::OpenTapRequest request;
  request.set_tap_name(tap_name);
  Ask(request);
}

TapConnection::Answer TapConnection::Take() const {
  Answer answer;
  while (true) {
    pollfd readable = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, kPatience) != 1) {
      answer.status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "svnetd says nothing");
      return answer;
    }
    const std::string packet = Receive(fd_.get(), &answer.queues);
    if (packet.empty()) {
      answer.status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "svnetd has closed");
      return answer;
    }
    v1::OpenTapResponse response;
    EXPECT_TRUE(response.ParseFromString(packet));
    answer.status = grpc::Status(
        static_cast<grpc::StatusCode>(response.status().code()), response.status().message(),
        response.status().code() == 0 ? "" : response.status().SerializeAsString());
    if (answer.queues.size() >= response.queues()) return answer;
  }
}

}  // namespace svnet::testing

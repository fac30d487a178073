#include "tests/system/raw_call.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/system/http2_frame.h"

namespace svnet::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

std::string HeadersFrame(const std::string& method, int stream) {
  return HttpFrame(FrameType::kHeaders, kEndHeaders, stream, CallHeaders(method));
}

// Until the socket is ready for `events`; false when it is too late.
bool Wait(const UniqueFd& socket, short events, absl::Time end) {
  pollfd wait = {.fd = socket.get(), .events = events, .revents = 0};
  const auto left = static_cast<int>(absl::ToInt64Milliseconds(end - absl::Now()));
  return left > 0 && poll(&wait, 1, left) > 0;
}

}  // namespace

std::string RawStart() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HttpFrame(FrameType::kSettings, 0, 0);
}

std::string RawCall(const std::string& method, int stream, const std::string& message) {
  return HeadersFrame(method, stream) +
         HttpFrame(FrameType::kData, kEndStream, stream, GrpcMessage(message));
}

std::string RawCallThatNeverEnds(const std::string& method, int stream) {
  // Says that it has 1,000 bytes, and comes with none.
  return HeadersFrame(method, stream) +
         HttpFrame(FrameType::kData, 0, stream, std::string(1, '\0') + BigEndian(1000, 4));
}

bool SendAll(const UniqueFd& socket, const std::string& bytes) {
  const absl::Time end = absl::Now() + kPatience;
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count =
        send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && (errno != EAGAIN || !Wait(socket, POLLOUT, end))) return false;
    if (count > 0) sent += count;
  }
  return true;
}

std::string ReceiveUntil(const UniqueFd& socket, const std::string& text) {
  const absl::Time end = absl::Now() + kPatience;
  std::string received;
  char buffer[16384];
  while (received.find(text) == std::string::npos) {
    const ssize_t count = recv(socket.get(), buffer, sizeof(buffer), 0);
    if (count == 0) break;
    if (count < 0 && (errno != EAGAIN || !Wait(socket, POLLIN, end))) break;
    if (count > 0) received.append(buffer, count);
  }
  return received;
}

bool IsClosedByPeer(const UniqueFd& socket) {
  const absl::Time end = absl::Now() + kPatience;
  char buffer[16384];
  while (true) {
    const ssize_t count = recv(socket.get(), buffer, sizeof(buffer), 0);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return true;
    if (count < 0 && (errno != EAGAIN || !Wait(socket, POLLIN, end))) return false;
  }
}

}  // namespace svnet::testing

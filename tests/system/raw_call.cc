#include "tests/system/raw_call.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace svnet::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// RFC 9113, 4.1.
enum FrameType { kData = 0, kHeaders = 1, kSettings = 4 };
constexpr int kEndStream = 1;
constexpr int kEndHeaders = 4;

std::string Number(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

std::string HttpFrame(FrameType type, int flags, int stream, const std::string& payload) {
  return Number(static_cast<uint32_t>(payload.size()), 3) + Number(type, 1) + Number(flags, 1) +
         Number(stream, 4) + payload;
}

std::string Text(const std::string& text) {
  return Number(static_cast<uint32_t>(text.size()), 1) + text;
}

// RFC 7541: a field with a new name, not to be indexed.
std::string Field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + Text(name) + Text(value);
}

std::string HeadersFrame(const std::string& method, int stream) {
  return HttpFrame(kHeaders, kEndHeaders, stream,
                   "\x83\x86\x04" + Text("/svnet.v1.NetworkService/" + method) + "\x01" +
                       Text("svnetd") + Field("content-type", "application/grpc") +
                       Field("te", "trailers"));
}

// Until the socket is ready for `events`; false when it is too late.
bool Wait(const UniqueFd& socket, short events, absl::Time end) {
  pollfd wait = {.fd = socket.get(), .events = events, .revents = 0};
  const auto left = static_cast<int>(absl::ToInt64Milliseconds(end - absl::Now()));
  return left > 0 && poll(&wait, 1, left) > 0;
}

}  // namespace

std::string RawStart() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HttpFrame(kSettings, 0, 0, "");
}

std::string RawCall(const std::string& method, int stream) {
  const std::string empty_message(5, '\0');
  return HeadersFrame(method, stream) + HttpFrame(kData, kEndStream, stream, empty_message);
}

std::string RawCallThatNeverEnds(const std::string& method, int stream) {
  // Says that it has 1,000 bytes, and comes with none.
  return HeadersFrame(method, stream) +
         HttpFrame(kData, 0, stream, std::string(1, '\0') + Number(1000, 4));
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

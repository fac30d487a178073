#include "daemon/accept/health_exchange.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// RFC 9113, 4.1 and 6.
enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
};
constexpr uint8_t kEndStream = 1;  // of kData and kHeaders
constexpr uint8_t kAck = 1;        // of kSettings and kPing
constexpr uint8_t kEndHeaders = 4;
constexpr size_t kFrameHeader = 9;
constexpr size_t kMaxPayload = 16384;  // SETTINGS_MAX_FRAME_SIZE, of which nothing was said
constexpr size_t kMaxTotal = 64 << 10;
constexpr uint32_t kCall = 1;  // the stream

// A gRPC message: not compressed, four bytes of length, and the response, whose field 1 is 1
// (SERVING) or 2 (NOT_SERVING).
constexpr absl::string_view kServing("\0\0\0\0\2\x08\1", 7);
constexpr absl::string_view kNotServing("\0\0\0\0\2\x08\2", 7);

std::string BigEndian(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

uint32_t ParseBigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char each : bytes) value = value << 8 | static_cast<uint8_t>(each);
  return value;
}

std::string RenderFrame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  return absl::StrCat(BigEndian(payload.size(), 3), BigEndian(type, 1), BigEndian(flags, 1),
                      BigEndian(stream, 4), payload);
}

// RFC 7541, 5.2: not in Huffman's code, shorter than 127 bytes.
std::string Text(absl::string_view text) { return absl::StrCat(BigEndian(text.size(), 1), text); }

// RFC 7541, 6.2.2: fields that are not to be indexed, so that this is the same for every
// connection.
std::string Fields() {
  return absl::StrCat("\x83",                                        // :method POST
                      "\x86",                                        // :scheme http
                      "\x04", Text("/grpc.health.v1.Health/Check"),  // :path
                      "\x01", Text("svnetd"),                        // :authority
                      "\x0f\x10", Text("application/grpc"),          // content-type
                      absl::string_view("\0", 1), Text("te"), Text("trailers"));
}

}  // namespace

std::string HealthExchange::Request() {
  const std::string empty_message(5, '\0');
  return absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RenderFrame(kSettings, 0, 0, ""),
                      RenderFrame(kHeaders, kEndHeaders, kCall, Fields()),
                      RenderFrame(kData, kEndStream, kCall, empty_message));
}

absl::StatusOr<std::string> HealthExchange::Take(absl::string_view bytes) {
  total_ += bytes.size();
  if (total_ > kMaxTotal) return absl::ResourceExhaustedError("the answer does not end");
  absl::StrAppend(&received_, bytes);
  absl::string_view rest = received_;
  std::string reply;
  while (!is_answered_ && rest.size() >= kFrameHeader) {
    const uint32_t size = ParseBigEndian(rest.substr(0, 3));
    if (size > kMaxPayload) return absl::InvalidArgumentError("a frame is too long");
    if (rest.size() < kFrameHeader + size) break;
    const Frame frame = {.type = static_cast<uint8_t>(rest[3]),
                         .flags = static_cast<uint8_t>(rest[4]),
                         .stream = ParseBigEndian(rest.substr(5, 4)) & 0x7fffffff,
                         .payload = rest.substr(kFrameHeader, size)};
    SVNET_ASSIGN_OR_RETURN(const std::string more, TakeFrame(frame));
    reply += more;
    rest.remove_prefix(kFrameHeader + size);
  }
  received_ = std::string(rest);
  return reply;
}

absl::StatusOr<std::string> HealthExchange::TakeFrame(const Frame& frame) {
  const bool is_ack = (frame.flags & kAck) != 0;
  switch (frame.type) {
    case kSettings:
      return is_ack ? "" : RenderFrame(kSettings, kAck, 0, "");
    case kPing:
      return is_ack ? "" : RenderFrame(kPing, kAck, 0, frame.payload);
    case kData:
      SVNET_RETURN_IF_ERROR(TakeData(frame));
      return "";
    case kHeaders:
    case kResetStream: {
      const bool ends = frame.type == kResetStream || (frame.flags & kEndStream) != 0;
      if (frame.stream == kCall && ends) {
        return absl::UnavailableError("the call ended without an answer");
      }
      return "";
    }
    default:
      return "";  // RFC 9113, 4.1: what is not known is ignored
  }
}

absl::Status HealthExchange::TakeData(const Frame& frame) {
  if (frame.stream != kCall) return absl::OkStatus();
  absl::StrAppend(&message_, frame.payload);
  is_answered_ = message_ == kServing || message_ == kNotServing;
  if (is_answered_ || message_.size() < kServing.size()) return absl::OkStatus();
  return absl::InvalidArgumentError("the answer is not a HealthCheckResponse");
}

}  // namespace svnet

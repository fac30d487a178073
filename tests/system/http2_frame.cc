#include "tests/system/http2_frame.h"

#include <algorithm>

namespace svnet::testing {
namespace {

constexpr size_t kFrameHeader = 9;  // bytes: RFC 9113, 4.1

uint32_t ReadBigEndian(const std::string& bytes, size_t at, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

}  // namespace

std::string BigEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

std::string HttpFrame(FrameType type, int flags, uint32_t stream, const std::string& payload) {
  return BigEndian(payload.size(), 3) + BigEndian(static_cast<uint8_t>(type), 1) +
         BigEndian(flags, 1) + BigEndian(stream, 4) + payload;
}

std::string Setting(uint16_t identifier, uint32_t value) {
  return BigEndian(identifier, 2) + BigEndian(value, 4);
}

std::string HpackInteger(uint64_t value, int prefix_bits) {
  const uint64_t most = (1u << prefix_bits) - 1;
  if (value < most) return BigEndian(value, 1);
  std::string bytes = BigEndian(most, 1);
  for (value -= most; value >= 128; value >>= 7) bytes += static_cast<char>(value % 128 + 128);
  return bytes + static_cast<char>(value);
}

std::string HpackString(const std::string& text) { return HpackInteger(text.size(), 7) + text; }

std::string HpackField(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + HpackString(name) + HpackString(value);
}

std::string CallHeaders(const std::string& method) {
  // POST and http by their places in the static table, a path, an authority.
  return "\x83\x86\x04" + HpackString("/svnet.v1.NetworkService/" + method) + "\x01" +
         HpackString("svnetd") + HpackField("content-type", "application/grpc") +
         HpackField("te", "trailers");
}

std::string HeaderFrames(uint32_t stream, const std::string& block) {
  std::string frames;
  for (size_t at = 0; at < block.size(); at += kMaxFrame) {
    const bool last = at + kMaxFrame >= block.size();
    frames += HttpFrame(at == 0 ? FrameType::kHeaders : FrameType::kContinuation,
                        last ? kEndHeaders : 0, stream, block.substr(at, kMaxFrame));
  }
  return frames;
}

std::string GrpcMessage(const std::string& message) {
  return std::string(1, '\0') + BigEndian(message.size(), 4) + message;
}

std::string FirstMessageIn(const std::string& received) {
  std::string data;
  for (size_t at = 0; at + kFrameHeader <= received.size();) {
    const size_t size = ReadBigEndian(received, at, 3);
    const auto type = static_cast<FrameType>(received[at + 3]);
    if (type == FrameType::kData) data += received.substr(at + kFrameHeader, size);
    at += kFrameHeader + size;
  }
  constexpr size_t kPrefix = 5;  // compressed, length
  if (data.size() < kPrefix) return "";
  return data.substr(kPrefix, ReadBigEndian(data, 1, 4));
}

}  // namespace svnet::testing

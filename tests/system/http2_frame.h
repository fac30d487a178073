// HTTP/2 by hand: the bytes of frames and of header blocks.
#pragma once

#include <cstdint>
#include <string>

namespace svnet::testing {

// RFC 9113, 6.
enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr int kAck = 1;  // of SETTINGS and PING
inline constexpr int kEndStream = 1;
inline constexpr int kEndHeaders = 4;

inline constexpr size_t kMaxFrame = 16'384;  // bytes of a payload, unless SETTINGS say more

std::string BigEndian(uint64_t value, int bytes);
std::string HttpFrame(FrameType type, int flags, uint32_t stream, const std::string& payload = "");
// One setting: RFC 9113, 6.5.1.
std::string Setting(uint16_t identifier, uint32_t value);
inline constexpr uint16_t kInitialWindowSize = 4;

// RFC 7541, 5.1: in the lowest `prefix_bits` of the first byte, and what follows it.
std::string HpackInteger(uint64_t value, int prefix_bits);
std::string HpackString(const std::string& text);
// A field with a new name, not to be indexed.
std::string HpackField(const std::string& name, const std::string& value);
// The header block of a call of svnet.v1.NetworkService.
std::string CallHeaders(const std::string& method);
// A header block, in as many frames as it needs.
std::string HeaderFrames(uint32_t stream, const std::string& block);

// Of a gRPC message: whether it is compressed (never), and its length.
std::string GrpcMessage(const std::string& message);
// The first gRPC message in what a server has sent; empty if there is none.
std::string FirstMessageIn(const std::string& received);

}  // namespace svnet::testing

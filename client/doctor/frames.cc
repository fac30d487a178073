#include "client/doctor/frames.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace svnet::client {
namespace {

constexpr MacAddress kBroadcast = MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
constexpr absl::string_view kMark = "svnetctl doctor";
constexpr size_t kShortestFrame = 60;  // bytes, without the checksum

std::string U8(uint8_t value) { return std::string(1, static_cast<char>(value)); }
std::string U16(uint16_t value) { return U8(value >> 8) + U8(value & 255); }
std::string Bytes(Ipv4Address ip) {
  return U16(static_cast<uint16_t>(ip.value() >> 16)) + U16(ip.value() & 0xffff);
}
std::string Bytes(const MacAddress& mac) {
  return std::string(mac.octets().begin(), mac.octets().end());
}

// RFC 1071.
uint16_t Checksum(absl::string_view data) {
  uint32_t sum = 0;
  for (size_t i = 0; i < data.size(); ++i) {
    const auto byte = static_cast<uint8_t>(data[i]);
    sum += i % 2 == 0 ? byte << 8 : byte;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::string Padded(std::string frame) {
  frame.resize(std::max(frame.size(), kShortestFrame), '\0');
  return frame;
}

std::string Icmp(uint16_t checksum) {
  return U8(8) + U8(0) + U16(checksum) + U16(1) + U16(1) + std::string(kMark);
}

std::string Ipv4Header(const Station& from, Ipv4Address to, size_t payload, uint16_t checksum) {
  return U8(0x45) + U8(0) + U16(static_cast<uint16_t>(20 + payload)) + U16(1) + U16(0) + U8(64) +
         U8(1) + U16(checksum) + Bytes(from.ip) + Bytes(to);
}

}  // namespace

std::string ArpRequest(const Station& from, Ipv4Address target) {
  return Padded(Bytes(kBroadcast) + Bytes(from.mac) + U16(0x0806) + U16(1) + U16(0x0800) + U8(6) +
                U8(4) + U16(1) + Bytes(from.mac) + Bytes(from.ip) + Bytes(MacAddress({})) +
                Bytes(target));
}

std::string EchoRequest(const Station& from, const MacAddress& next_hop, Ipv4Address target) {
  const std::string icmp = Icmp(Checksum(Icmp(0)));
  const uint16_t checksum = Checksum(Ipv4Header(from, target, icmp.size(), 0));
  return Padded(Bytes(next_hop) + Bytes(from.mac) + U16(0x0800) +
                Ipv4Header(from, target, icmp.size(), checksum) + icmp);
}

MacAddress MacInArpReply(absl::string_view frame, Ipv4Address ip) {
  MacAddress::Octets octets = {};
  const bool is_reply = frame.size() >= 42 && frame.substr(12, 2) == U16(0x0806) &&
                        frame.substr(20, 2) == U16(2) && frame.substr(28, 4) == Bytes(ip);
  if (is_reply) std::copy_n(frame.begin() + 22, octets.size(), octets.begin());
  return MacAddress(octets);
}

bool IsEchoReply(absl::string_view frame, Ipv4Address from) {
  return frame.size() >= 42 + kMark.size() && frame.substr(12, 2) == U16(0x0800) &&
         frame.substr(26, 4) == Bytes(from) && frame[34] == 0 &&
         frame.substr(42, kMark.size()) == kMark;
}

}  // namespace svnet::client

#include "client/doctor/frames.h"

#include <algorithm>

namespace svnet::client {
namespace {

constexpr absl::string_view kMark = "svnet ping";
constexpr size_t kShortestFrame = 60;  // bytes, without the checksum

constexpr uint8_t kIcmp = 1;
constexpr uint8_t kEchoRequest = 8;
constexpr char kEchoReply = 0;

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

}  // namespace

Frame Ethernet(const MacAddress& to, const MacAddress& from, uint16_t type,
               absl::string_view payload) {
  Frame frame = Bytes(to) + Bytes(from) + U16(type) + std::string(payload);
  frame.resize(std::max(frame.size(), kShortestFrame), '\0');
  return frame;
}

std::string Arp(const ArpFields& fields) {
  return U16(1) + U16(kIpv4Type) + U8(fields.mac_length) + U8(4) +
         U16(static_cast<uint16_t>(fields.operation)) + Bytes(fields.sender_mac) +
         Bytes(fields.sender_ip) + Bytes(MacAddress({})) + Bytes(fields.target_ip);
}

std::string Ipv4Packet(uint8_t protocol, Ipv4Address from, Ipv4Address to,
                       absl::string_view payload) {
  const auto header = [&](uint16_t checksum) {
    return U8(0x45) + U8(0) + U16(static_cast<uint16_t>(20 + payload.size())) + U16(1) + U16(0) +
           U8(64) + U8(protocol) + U16(checksum) + Bytes(from) + Bytes(to);
  };
  return header(Checksum(header(0))) + std::string(payload);
}

std::string PingRequest(Ipv4Address from, Ipv4Address to) {
  const auto message = [](uint16_t checksum) {
    return U8(kEchoRequest) + U8(0) + U16(checksum) + U16(77) + U16(1) + std::string(kMark);
  };
  return Ipv4Packet(kIcmp, from, to, message(Checksum(message(0))));
}

MacAddress MacInArpReply(absl::string_view frame, Ipv4Address ip) {
  MacAddress::Octets octets = {};
  const bool is_reply = frame.size() >= 42 && frame.substr(12, 2) == U16(kArpType) &&
                        frame.substr(20, 2) == U16(static_cast<uint16_t>(ArpOperation::kReply)) &&
                        frame.substr(28, 4) == Bytes(ip);
  if (is_reply) std::copy_n(frame.begin() + 22, octets.size(), octets.begin());
  return MacAddress(octets);
}

bool IsPingReply(absl::string_view frame, Ipv4Address from) {
  return frame.size() >= 42 + kMark.size() && frame.substr(12, 2) == U16(kIpv4Type) &&
         frame.substr(26, 4) == Bytes(from) && frame[34] == kEchoReply &&
         frame.substr(42, kMark.size()) == kMark;
}

}  // namespace svnet::client

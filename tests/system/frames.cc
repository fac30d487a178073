#include "tests/system/frames.h"

namespace svnet::testing {
namespace {

std::string U8(uint8_t value) { return std::string(1, static_cast<char>(value)); }
std::string U16(uint16_t value) { return U8(value >> 8) + U8(value & 255); }
std::string Bytes(Ipv4Address ip) { return U16(ip.value() >> 16) + U16(ip.value() & 0xffff); }
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

std::string Ipv4(uint8_t protocol, Ipv4Address from, Ipv4Address to, absl::string_view payload) {
  const auto header = [&](uint16_t checksum) {
    return U8(0x45) + U8(0) + U16(static_cast<uint16_t>(20 + payload.size())) + U16(1) + U16(0) +
           U8(64) + U8(protocol) + U16(checksum) + Bytes(from) + Bytes(to);
  };
  return header(Checksum(header(0))) + std::string(payload);
}

}  // namespace

Frame Ethernet(const MacAddress& to, const MacAddress& from, uint16_t type,
               absl::string_view payload) {
  Frame frame = Bytes(to) + Bytes(from) + U16(type) + std::string(payload);
  if (frame.size() < 60) frame.resize(60, '\0');
  return frame;
}

std::string Arp(const ArpFields& fields) {
  return U16(1) + U16(kIpv4Type) + U8(fields.mac_length) + U8(4) +
         U16(static_cast<uint16_t>(fields.operation)) + Bytes(fields.sender_mac) +
         Bytes(fields.sender_ip) + Bytes(MacAddress({})) + Bytes(fields.target_ip);
}

std::string Udp(const UdpFields& fields, absl::string_view payload) {
  // A checksum of zero says that there is none (RFC 768).
  const std::string datagram = U16(fields.from_port) + U16(fields.to_port) +
                               U16(static_cast<uint16_t>(8 + payload.size())) + U16(0) +
                               std::string(payload);
  return Ipv4(17, fields.from, fields.to, datagram);
}

std::string PingRequest(Ipv4Address from, Ipv4Address to) {
  const auto message = [](uint16_t checksum) {
    return U8(8) + U8(0) + U16(checksum) + U16(77) + U16(1) + "svnet ping";
  };
  return Ipv4(1, from, to, message(Checksum(message(0))));
}

}  // namespace svnet::testing

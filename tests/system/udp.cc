#include "tests/system/udp.h"

#include "client/doctor/frames.h"

namespace svnet::testing {
namespace {

constexpr uint8_t kUdp = 17;

std::string U16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
}

}  // namespace

// A checksum of zero says that there is none (RFC 768).
std::string Udp(const UdpFields& fields, absl::string_view payload) {
  const std::string header =
      U16(fields.from_port) + U16(fields.to_port) + U16(8 + payload.size()) + U16(0);
  return client::Ipv4Packet(kUdp, fields.from, fields.to, header + std::string(payload));
}

std::string WithHeaderChecksum(std::string packet) {
  const size_t header = (packet[0] & 0xf) * 4;
  packet[10] = packet[11] = 0;
  uint32_t sum = 0;
  for (size_t i = 0; i < header; i += 2) {
    sum += static_cast<uint8_t>(packet[i]) << 8 | static_cast<uint8_t>(packet[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  packet[10] = static_cast<char>(~sum >> 8);
  packet[11] = static_cast<char>(~sum);
  return packet;
}

}  // namespace svnet::testing

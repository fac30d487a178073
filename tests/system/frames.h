// Ethernet frames as bytes: right ones, and wrong ones.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"

namespace svnet::testing {

using Frame = std::string;

inline constexpr MacAddress kBroadcast = MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});

inline constexpr uint16_t kIpv4Type = 0x0800;
inline constexpr uint16_t kArpType = 0x0806;
inline constexpr uint16_t kIpv6Type = 0x86dd;

// Padded to the 60 bytes that a frame has at least.
Frame Ethernet(const MacAddress& to, const MacAddress& from, uint16_t type,
               absl::string_view payload);

enum class ArpOperation : uint16_t { kRequest = 1, kReply = 2 };
struct ArpFields {
  ArpOperation operation;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  Ipv4Address target_ip;
  uint8_t mac_length = 6;  // as it claims
};
std::string Arp(const ArpFields& fields);

// An IPv4 packet with its checksums.
struct UdpFields {
  Ipv4Address from;
  Ipv4Address to;
  uint16_t from_port = 40000;
  uint16_t to_port = 9999;
};
std::string Udp(const UdpFields& fields, absl::string_view payload);
std::string PingRequest(Ipv4Address from, Ipv4Address to);

}  // namespace svnet::testing

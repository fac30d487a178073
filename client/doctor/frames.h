// Ethernet frames as bytes: what the packet test sends and receives. Tests also build wrong frames
// with these functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"

namespace svnet::client {

using Frame = std::string;

inline constexpr MacAddress kBroadcast = MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});

inline constexpr uint16_t kIpv4Type = 0x0800;
inline constexpr uint16_t kArpType = 0x0806;

// Padded to the minimum of 60 bytes.
Frame Ethernet(const MacAddress& to, const MacAddress& from, uint16_t type,
               absl::string_view payload);

// RFC 826.
enum class ArpOperation : uint16_t { kRequest = 1, kReply = 2 };
struct ArpFields {
  ArpOperation operation;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  Ipv4Address target_ip;
  uint8_t mac_length = 6;  // as it claims
};
std::string Arp(const ArpFields& fields);

// With its checksum.
std::string Ipv4Packet(uint8_t protocol, Ipv4Address from, Ipv4Address to,
                       absl::string_view payload);

// An ICMP echo request (RFC 792), as a packet.
std::string PingRequest(Ipv4Address from, Ipv4Address to);

// The sender's MAC in an ARP reply from `ip`; an address that is not unicast if `frame` is not such
// a reply.
MacAddress MacInArpReply(absl::string_view frame, Ipv4Address ip);

// Whether `from` answers a PingRequest.
bool IsPingReply(absl::string_view frame, Ipv4Address from);

}  // namespace svnet::client

// Ethernet frames as bytes: what the packet test sends, and the answers to it. What a test
// needs of wrong ones it makes of these, too.
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

// Padded to the 60 bytes that a frame has at least.
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

// Whose MAC an ARP reply of `ip` tells; one that is no unicast address if it is none.
MacAddress MacInArpReply(absl::string_view frame, Ipv4Address ip);

// Whether `from` answers a PingRequest.
bool IsPingReply(absl::string_view frame, Ipv4Address from);

}  // namespace svnet::client

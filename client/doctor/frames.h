// The few Ethernet frames that the packet test sends, and the answers to them.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"

namespace svnet::client {

// A station as it says that it is.
struct Station {
  MacAddress mac;
  Ipv4Address ip;
};

// "Who has `target`?", to all (RFC 826).
std::string ArpRequest(const Station& from, Ipv4Address target);

// An ICMP echo request (RFC 792), by way of `next_hop`.
std::string EchoRequest(const Station& from, const MacAddress& next_hop, Ipv4Address target);

// Whose MAC an ARP reply of `ip` tells; one that is no unicast address if it is none.
MacAddress MacInArpReply(absl::string_view frame, Ipv4Address ip);

// Whether `from` answers an EchoRequest.
bool IsEchoReply(absl::string_view frame, Ipv4Address from);

}  // namespace svnet::client

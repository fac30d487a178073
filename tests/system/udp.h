// Datagrams as bytes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"

namespace svnet::testing {

struct UdpFields {
  Ipv4Address from;
  Ipv4Address to;
  uint16_t from_port = 40000;
  uint16_t to_port = 9999;
};
// An IPv4 packet with its header's checksum.
std::string Udp(const UdpFields& fields, absl::string_view payload);

// An IPv4 packet that was changed, with its header's checksum anew (RFC 1071).
std::string WithHeaderChecksum(std::string packet);

}  // namespace svnet::testing

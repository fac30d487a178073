// IPv4 addresses and prefixes as values that cannot be wrong.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

class Ipv4Address {
 public:
  // Host byte order: 0xac1e0002 is 172.30.0.2.
  constexpr explicit Ipv4Address(uint32_t value) : value_(value) {}

  // Four decimal octets with dots and nothing else ("172.30.0.2"); no leading
  // zeros, which some programs read as octal. InvalidArgument otherwise.
  static absl::StatusOr<Ipv4Address> Parse(absl::string_view text);

  constexpr uint32_t value() const { return value_; }
  std::string ToString() const;

  friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Ipv4Address& address) {
    return H::combine(std::move(state), address.value_);
  }

 private:
  uint32_t value_;
};

// A CIDR block with host bits zero, of any length from 0 to 32.
class Ipv4Prefix {
 public:
  // "10.9.0.0/24". InvalidArgument where a host bit is set; the message names the
  // prefix that was probably meant.
  static absl::StatusOr<Ipv4Prefix> Parse(absl::string_view text);

  // The prefix of that length that holds `address`. `length` is 0 to 32.
  static Ipv4Prefix Containing(Ipv4Address address, int length);

  Ipv4Address network() const { return network_; }
  int length() const { return length_; }
  // 255.255.255.0 for a /24, 0.0.0.0 for a /0.
  Ipv4Address netmask() const;
  // The last address.
  Ipv4Address broadcast() const;

  bool Contains(Ipv4Address address) const;
  // True if any address is in both.
  bool Overlaps(const Ipv4Prefix& other) const;

  std::string ToString() const;

  friend bool operator==(const Ipv4Prefix&, const Ipv4Prefix&) = default;

 private:
  Ipv4Prefix(Ipv4Address network, int length) : network_(network), length_(length) {}

  Ipv4Address network_;
  int length_;
};

}  // namespace svnet

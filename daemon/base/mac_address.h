// An Ethernet address as a value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

class MacAddress {
 public:
  using Octets = std::array<uint8_t, 6>;

  constexpr explicit MacAddress(const Octets& octets) : octets_(octets) {}

  // Six pairs of hex digits with colons, either case. InvalidArgument otherwise.
  static absl::StatusOr<MacAddress> Parse(absl::string_view text);

  const Octets& octets() const { return octets_; }
  // Lower case: "02:29:a3:2f:41:c8".
  std::string ToString() const;

  // One station's: neither a group address nor all zeros.
  bool IsUnicast() const { return (octets_[0] & 1) == 0 && octets_ != Octets{}; }

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const MacAddress& mac) {
    return H::combine(std::move(state), mac.octets_);
  }

 private:
  Octets octets_;
};

}  // namespace svnet

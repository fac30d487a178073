#include "daemon/base/ipv4.h"

#include <array>
#include <charconv>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// All ones in the first `length` bits. A shift by 32 would be undefined.
uint32_t MaskOf(int length) { return length == 0 ? 0 : ~uint32_t{0} << (32 - length); }

// Decimal, no sign, no leading zero, at most `max`.
bool ParseSmallNumber(absl::string_view text, uint32_t max, uint32_t* value) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return false;
  for (char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return absl::SimpleAtoi(text, value) && *value <= max;
}

absl::Status NotAn(absl::string_view what, absl::string_view text, absl::string_view example) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CEscape(text.substr(0, 64)),
                                                 "\" is not an ", what, " like ", example));
}

}  // namespace

absl::StatusOr<Ipv4Address> Ipv4Address::Parse(absl::string_view text) {
  const std::vector<absl::string_view> octets = absl::StrSplit(text, '.');
  uint32_t value = 0;
  for (absl::string_view octet : octets) {
    uint32_t number = 0;
    if (octets.size() != 4 || !ParseSmallNumber(octet, 255, &number)) {
      return NotAn("IPv4 address", text, "172.30.0.2");
    }
    value = value << 8 | number;
  }
  return Ipv4Address(value);
}

std::string Ipv4Address::ToString() const {
  std::array<char, sizeof("255.255.255.255") - 1> text;
  char* end = text.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (shift < 24) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), value_ >> shift & 255).ptr;
  }
  return std::string(text.data(), end);
}

absl::StatusOr<Ipv4Prefix> Ipv4Prefix::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  uint32_t length = 0;
  if (parts.size() != 2 || !ParseSmallNumber(parts[1], 32, &length)) {
    return NotAn("IPv4 prefix", text, "172.30.0.0/24");
  }
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address address, Ipv4Address::Parse(parts[0]));
  const Ipv4Prefix prefix = Containing(address, static_cast<int>(length));
  if (prefix.network() != address) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has host bits set: did you mean ", prefix.ToString(), "?"));
  }
  return prefix;
}

Ipv4Prefix Ipv4Prefix::Containing(Ipv4Address address, int length) {
  return Ipv4Prefix(Ipv4Address(address.value() & MaskOf(length)), length);
}

Ipv4Address Ipv4Prefix::netmask() const { return Ipv4Address(MaskOf(length_)); }

Ipv4Address Ipv4Prefix::broadcast() const {
  return Ipv4Address(network_.value() | ~MaskOf(length_));
}

bool Ipv4Prefix::Contains(Ipv4Address address) const {
  return (address.value() & MaskOf(length_)) == network_.value();
}

bool Ipv4Prefix::Overlaps(const Ipv4Prefix& other) const {
  return Contains(other.network_) || other.Contains(network_);
}

std::string Ipv4Prefix::ToString() const { return absl::StrCat(network_.ToString(), "/", length_); }

}  // namespace svnet

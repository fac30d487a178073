#include "daemon/base/mac_address.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

constexpr size_t kTextLength = 17;  // "02:29:a3:2f:41:c8"

uint8_t HexDigit(char c) {
  return static_cast<uint8_t>(absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
}

bool LooksLikeMac(absl::string_view text) {
  if (text.size() != kTextLength) return false;
  for (size_t i = 0; i < kTextLength; ++i) {
    const bool separator = i % 3 == 2;
    if (separator ? text[i] != ':' : !absl::ascii_isxdigit(text[i])) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<MacAddress> MacAddress::Parse(absl::string_view text) {
  if (!LooksLikeMac(text)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CEscape(text.substr(0, 64)),
                                                   "\" is not a MAC like 02:00:00:00:00:01"));
  }
  Octets octets;
  for (size_t i = 0; i < octets.size(); ++i) {
    octets[i] = static_cast<uint8_t>(HexDigit(text[3 * i]) << 4 | HexDigit(text[3 * i + 1]));
  }
  return MacAddress(octets);
}

std::string MacAddress::ToString() const {
  const std::string digits =
      absl::BytesToHexString({reinterpret_cast<const char*>(octets_.data()), octets_.size()});
  std::string text(kTextLength, ':');
  for (size_t i = 0; i < octets_.size(); ++i) text.replace(3 * i, 2, digits, 2 * i, 2);
  return text;
}

}  // namespace svnet

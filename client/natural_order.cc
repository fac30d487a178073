#include "client/natural_order.h"

#include <cstddef>

#include "absl/strings/ascii.h"

namespace svnet::client {
namespace {

bool IsDigit(char byte) { return absl::ascii_isdigit(static_cast<unsigned char>(byte)); }

// Takes the number that `text` begins with, without its leading zeros, however long it is.
absl::string_view TakeNumber(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && IsDigit(text[length])) ++length;
  absl::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  while (number.size() > 1 && number[0] == '0') number.remove_prefix(1);
  return number;
}

int CompareNumbers(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int Compare(absl::string_view a, absl::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (IsDigit(a[0]) && IsDigit(b[0])) {
      const int order = CompareNumbers(TakeNumber(a), TakeNumber(b));
      if (order != 0) return order;
    } else if (a[0] != b[0]) {
      return a.compare(b);
    } else {
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return static_cast<int>(b.empty()) - static_cast<int>(a.empty());
}

}  // namespace

bool NaturalLess(absl::string_view a, absl::string_view b) {
  const int order = Compare(a, b);
  if (order != 0) return order < 0;
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace svnet::client

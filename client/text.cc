#include "client/text.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace svnet::client {
namespace {

std::string PrintableByte(char byte) {
  if (absl::ascii_isprint(static_cast<unsigned char>(byte))) return std::string(1, byte);
  if (byte == '\n') return "\\n";
  if (byte == '\t') return "\\t";
  return absl::StrFormat("\\x%02x", static_cast<unsigned char>(byte));
}

// A row of RFC 3629's table: the lead bytes of sequences of one length, and the
// smallest code point that needs that length.
struct SequenceKind {
  uint8_t mask;
  uint8_t lead;
  size_t length;
  uint32_t smallest;
};

constexpr std::array kSequenceKinds = {
    SequenceKind{0x80, 0x00, 1, 0},
    SequenceKind{0xe0, 0xc0, 2, 0x80},
    SequenceKind{0xf0, 0xe0, 3, 0x800},
    SequenceKind{0xf8, 0xf0, 4, 0x10000},
};

bool IsScalarValue(uint32_t code_point) {
  return code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff);
}

// The length in bytes of the UTF-8 sequence that `text` starts with; 0: not a sequence.
size_t SequenceLength(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  for (const SequenceKind& kind : kSequenceKinds) {
    if ((lead & kind.mask) != kind.lead) continue;
    if (text.size() < kind.length) return 0;
    uint32_t code_point = lead & static_cast<uint8_t>(~kind.mask);
    for (size_t i = 1; i < kind.length; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xc0) != 0x80) return 0;
      code_point = code_point << 6 | (byte & 0x3f);
    }
    return code_point >= kind.smallest && IsScalarValue(code_point) ? kind.length : 0;
  }
  return 0;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable;
  for (char byte : text) printable += PrintableByte(byte);
  return printable;
}

std::string Elided(absl::string_view text, size_t columns) {
  constexpr absl::string_view kGap = "..";
  const std::string printable = Printable(text);
  if (printable.size() <= columns) return printable;
  const size_t tail = (columns - kGap.size()) / 2;
  const size_t head = columns - kGap.size() - tail;
  return absl::StrCat(printable.substr(0, head), kGap, printable.substr(printable.size() - tail));
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace svnet::client

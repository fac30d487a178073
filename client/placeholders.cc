#include "client/placeholders.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/base/nearest.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

bool IsWordByte(char byte) {
  return absl::ascii_isalpha(static_cast<unsigned char>(byte)) || byte == '_' || byte == '-';
}

// The "word" of a text that begins with "{word}"; empty if it does not.
absl::string_view WordInBraces(absl::string_view text) {
  size_t end = 1;
  while (end < text.size() && IsWordByte(text[end])) ++end;
  return end < text.size() && text[end] == '}' ? text.substr(1, end - 1) : "";
}

// Short words are too similar to each other: {id} does not mean {ip}.
constexpr size_t kShortestSlip = 5;

absl::Status CheckIsNoSlip(absl::string_view word,
                           const std::map<std::string, std::string>& values) {
  const std::string plain = absl::StrReplaceAll(absl::AsciiStrToLower(word), {{"-", "_"}});
  for (const auto& [name, value] : values) {
    const size_t allowed = name.size() < kShortestSlip ? 0 : 1;
    if (EditDistance(plain, name) > allowed) continue;
    return absl::InvalidArgumentError(absl::StrCat("there is no {", word, "}: did you mean {", name,
                                                   "}? ({{", name, "}} becomes {", name, "})"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Substitute(const std::string& argument,
                                       const std::map<std::string, std::string>& values) {
  std::string text;
  for (absl::string_view rest = argument; !rest.empty();) {
    if (absl::ConsumePrefix(&rest, "${")) {
      text += "${";
      continue;
    }
    const bool doubled = absl::StartsWith(rest, "{{");
    const absl::string_view word = WordInBraces(rest.substr(doubled ? 1 : 0));
    const auto value = rest[0] == '{' ? values.find(std::string(word)) : values.end();
    if (value == values.end()) {
      if (rest[0] == '{' && !doubled) SVNET_RETURN_IF_ERROR(CheckIsNoSlip(word, values));
      text += rest[0];
      rest.remove_prefix(1);
    } else if (doubled && absl::StartsWith(rest.substr(word.size() + 3), "}")) {
      absl::StrAppend(&text, "{", word, "}");
      rest.remove_prefix(word.size() + 4);
    } else {
      absl::StrAppend(&text, doubled ? "{" : "", value->second);
      rest.remove_prefix(word.size() + (doubled ? 3 : 2));
    }
  }
  return text;
}

bool Mentions(const std::string& argument, const std::string& name) {
  const auto with = [&](const char* value) { return Substitute(argument, {{name, value}}); };
  return with("0").value_or("") != with("1").value_or("");
}

}  // namespace svnet::client

#include "client/doctor/config_edit.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/base/network_name.h"
#include "daemon/config/config.h"

namespace svnet::client {
namespace {

using Lines = std::vector<absl::string_view>;

bool IsHeading(absl::string_view line) {
  return absl::StartsWith(absl::StripLeadingAsciiWhitespace(line), "[");
}

// Before the first heading.
Lines TopOf(const Lines& file) {
  return {file.begin(), std::find_if(file.begin(), file.end(), IsHeading)};
}

// After `heading`. Empty also if there is none.
Lines SectionOf(const Lines& file, const std::string& heading) {
  const auto start = std::find_if(file.begin(), file.end(), [&](absl::string_view line) {
    return absl::StartsWith(line, heading);
  });
  if (start == file.end()) return {};
  return {start + 1, std::find_if(start + 1, file.end(), IsHeading)};
}

enum class Presence { kAbsent, kUsual, kUnusual };

// kUsual: as "key = ...", at the beginning of the line.
Presence Find(const Lines& lines, const std::string& key) {
  for (const absl::string_view line : lines) {
    if (absl::StartsWith(line, absl::StrCat(key, " "))) return Presence::kUsual;
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&rest, key)) continue;
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(rest), "=")) return Presence::kUnusual;
  }
  return Presence::kAbsent;
}

std::string Sed(const std::string& script) {
  return absl::StrCat("sed -i '", script, "' ", kConfigFile);
}

// Empty: it is for an editor.
std::string SetAtTop(const std::string& file, const std::string& key, const std::string& line) {
  if (file.empty()) return absl::StrCat("mkdir -p /etc/svnet && echo '", line, "' > ", kConfigFile);
  const Lines lines = absl::StrSplit(file, '\n');
  switch (Find(TopOf(lines), key)) {
    case Presence::kAbsent:
      return Sed(absl::StrCat("1i ", line));
    case Presence::kUnusual:
      return "";
    case Presence::kUsual:
      break;
  }
  // Other networks have keys of the same names.
  const bool is_only = !absl::StrContains(file, "[networks");
  return Sed(absl::StrCat(is_only ? "" : "0,/^ *\\[/", "s|^", key, " .*|", line, "|"));
}

std::string SetInSection(const std::string& file, const std::string& network,
                         const std::string& key, const std::string& line) {
  const Lines lines = absl::StrSplit(file, '\n');
  // Each has a subnet.
  const Lines section = SectionOf(lines, absl::StrCat("[networks.", network, "]"));
  if (section.empty()) return "";
  const std::string heading = absl::StrCat("/^\\[networks\\.", network, "\\]/");
  switch (Find(section, key)) {
    case Presence::kAbsent:
      return Sed(absl::StrCat(heading, "a ", line));
    case Presence::kUnusual:
      return "";
    case Presence::kUsual:
      break;
  }
  return Sed(absl::StrCat(heading, ",/^ *\\[/s|^", key, " .*|", line, "|"));
}

}  // namespace

std::string SetKeyAndRestart(const Observed& observed, const std::string& key,
                             const std::string& value, const std::string& then) {
  const std::string network = NameOf(observed.subject);
  const bool is_default = network == NetworkName::kDefault;
  const std::string line = absl::StrCat(key, " = ", value);
  const absl::StatusOr<std::string> file = observed.host.ReadFile(kConfigFile);
  std::string edit;
  if (file.ok() || absl::IsNotFound(file.status())) {
    edit = is_default ? SetAtTop(file.value_or(""), key, line)
                      : SetInSection(file.value_or(""), network, key, line);
  }
  const std::string rest =
      absl::StrCat(then.empty() ? "" : " && ", then, " && systemctl restart svnetd");
  if (!edit.empty()) return edit + rest;
  return absl::StrCat("editor ", kConfigFile, rest, "  # ",
                      is_default ? "at the top" : absl::StrCat("in [networks.", network, "]"), ": ",
                      line);
}

}  // namespace svnet::client

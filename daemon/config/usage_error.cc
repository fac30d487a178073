#include "daemon/config/usage_error.h"

#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/nearest.h"

namespace svnet {
namespace {

std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::string DescribeUnknown(const CLI::App& app, const std::string& argument) {
  if (!absl::StartsWith(argument, "-")) {
    return absl::StrCat("svnetd takes only flags, and \"", argument, "\" is not one");
  }
  const std::string flag = argument.substr(0, argument.find('='));
  const std::optional<std::string> nearest = FindNearest(flag, FlagsOf(app));
  return absl::StrCat("there is no flag ", flag,
                      nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : "");
}

// CLI11 says "--mtu: 1 required BYTES|auto missing", or "--mtu: At Most 1 required but received 2".
std::string DescribeMismatch(absl::string_view what) {
  const absl::string_view flag = what.substr(0, what.find(':'));
  if (absl::StrContains(what, "missing")) return absl::StrCat(flag, " needs a value");
  if (absl::StrContains(what, "received")) return absl::StrCat(flag, " is given more than once");
  return std::string(what);
}

std::string Describe(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining();
  if (!unknown.empty()) return DescribeUnknown(app, unknown.front());
  return DescribeMismatch(error.what());
}

}  // namespace

std::string DescribeUsageError(const CLI::App& app, const CLI::ParseError& error) {
  return absl::StrCat("svnetd: ", Describe(app, error), "\n(svnetd --help lists all flags)\n");
}

}  // namespace svnet

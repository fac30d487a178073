// What a svnetd that grants more than fits into an alias leaves, and finds.
#pragma once

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/spec_digest.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

// This version knows nothing that needs a text: only comments, which grant nothing.
inline constexpr char kSpecText[] = "svnet-spec 1\n# for a test\n";

inline std::string AliasOf(const std::string& tap) {
  std::string alias = Shell("ip link show dev " + tap + " | sed -n 's/^ *alias //p'");
  if (!alias.empty()) alias.pop_back();
  return alias;
}

// Has the lease of a TAP be granted a text, while no svnetd runs. Returns the path of its file.
inline std::string GrantText(const std::string& state_dir, const std::string& tap,
                             const std::string& text) {
  const std::string digest = SpecDigest(text);
  std::string path = absl::StrCat(state_dir, "/", digest);
  std::ofstream(path) << text;
  Shell(absl::StrCat("chmod 600 ", path, "; ip link set dev ", tap, " alias '", AliasOf(tap),
                     " s=", digest, "'"));
  return path;
}

// The names of all files there, but for what svnetd writes down of itself.
inline std::set<std::string> FilesIn(const std::string& folder) {
  std::istringstream lines(Shell("ls -A -I served.toml " + folder));
  std::set<std::string> names;
  for (std::string name; std::getline(lines, name);) names.insert(name);
  return names;
}

}  // namespace svnet::testing

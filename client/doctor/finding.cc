#include "client/doctor/finding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace svnet::client {
namespace {

constexpr size_t kMostNamed = 3;

}  // namespace

std::string NameSome(const std::vector<std::string>& names) {
  const size_t named = std::min(names.size(), kMostNamed);
  std::string text = absl::StrJoin(names.begin(), names.begin() + static_cast<int>(named), ", ");
  if (names.size() > named) absl::StrAppend(&text, " and ", names.size() - named, " more");
  return text;
}

}  // namespace svnet::client

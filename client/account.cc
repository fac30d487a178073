#include "client/account.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

// The account calls below are not thread-safe; svnetctl makes them from main's
// thread only.

namespace svnet::client {
namespace {

bool IsNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The largest number is (uid_t)-1, which means "no user" to the kernel.
absl::StatusOr<uint32_t> ParseNumber(const std::string& text) {
  uint32_t number;
  if (absl::SimpleAtoi(text, &number) && number != UINT32_MAX) return number;
  return absl::OutOfRangeError(absl::StrCat(text, " is too large (at most 4294967294)"));
}

}  // namespace

absl::StatusOr<uid_t> ParseUser(const std::string& text) {
  if (IsNumber(text)) return ParseNumber(text);
  if (const passwd* user = getpwnam(text.c_str())) return user->pw_uid;
  return absl::NotFoundError(absl::StrCat("there is no user '", text, "' on this host"));
}

absl::StatusOr<gid_t> ParseGroup(const std::string& text) {
  if (IsNumber(text)) return ParseNumber(text);
  if (const group* group = getgrnam(text.c_str())) return group->gr_gid;
  return absl::NotFoundError(absl::StrCat("there is no group '", text, "' on this host"));
}

std::string UserName(uid_t uid) {
  const passwd* user = getpwuid(uid);
  return user != nullptr ? user->pw_name : absl::StrCat(uid);
}

std::string GroupName(gid_t gid) {
  const group* group = getgrgid(gid);
  return group != nullptr ? group->gr_name : absl::StrCat(gid);
}

bool IsMember(const std::string& user, gid_t gid) {
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) return false;
  int count = 0;
  getgrouplist(user.c_str(), account->pw_gid, nullptr, &count);  // only counts
  std::vector<gid_t> groups(count);
  if (getgrouplist(user.c_str(), account->pw_gid, groups.data(), &count) < 0) return false;
  return std::find(groups.begin(), groups.end(), gid) != groups.end();
}

}  // namespace svnet::client

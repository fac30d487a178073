// Users and groups of this host, as the flags name them.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace svnet::client {

// "1000" or "alice". Digits are a uid, whether or not a user has it. NotFound if no user has that
// name, OutOfRange if no uid can be that number.
absl::StatusOr<uid_t> ParseUser(const std::string& text);

// "988" or "kvm", parsed in the same way.
absl::StatusOr<gid_t> ParseGroup(const std::string& text);

// The name, or the number if it has none.
std::string UserName(uid_t uid);
std::string GroupName(gid_t gid);

// Whether the account database counts `user` among the members of `gid`.
bool IsMember(const std::string& user, gid_t gid);

}  // namespace svnet::client

// Who may call, and how much.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace svnet {

// Administrators are not limited.
struct CallerLimits {
  uint32_t taps = 64;
  uint32_t queues = 256;  // of all their TAPs together
  uint32_t connections = 64;

  friend bool operator==(const CallerLimits&, const CallerLimits&) = default;
};

// Root is always admitted, as an administrator. Root of another network namespace is a caller
// like others, unless `foreign_root`.
struct AdmissionRules {
  std::optional<gid_t> socket_group;  // its members are admitted
  bool all_users = false;
  std::set<uid_t> users;
  std::set<gid_t> groups;
  std::set<gid_t> admin_groups;  // admitted, and administrators
  bool foreign_root = false;

  CallerLimits limits;
  std::map<uid_t, CallerLimits> user_limits;  // in place of `limits`
  // In place of `limits`, for callers without user_limits; the most generous of several groups.
  std::map<gid_t, CallerLimits> group_limits;

  // Whether callers outside the socket's group may be admitted, so that the socket's mode must
  // let them connect.
  bool ReachBeyondSocketGroup() const {
    return all_users || !users.empty() || !groups.empty() || !admin_groups.empty();
  }
};

}  // namespace svnet

// Who may call, and how much.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "daemon/network/caller.h"

namespace svnet {

// Administrators are not limited.
struct CallerLimits {
  uint32_t taps = 64;
  uint32_t queues = 256;  // of all their TAPs together
  uint32_t connections = 64;

  friend bool operator==(const CallerLimits&, const CallerLimits&) = default;
};

// Root is always admitted, and an administrator; but not root of another network namespace,
// who is a caller like others, unless `foreign_root`.
struct AdmissionRules {
  std::optional<gid_t> socket_group;  // its members are admitted
  bool everybody = false;
  std::set<uid_t> users;
  std::set<gid_t> groups;
  std::set<gid_t> admin_groups;  // admitted, and administrators
  bool foreign_root = false;

  CallerLimits limits;
  std::map<uid_t, CallerLimits> user_limits;  // instead
  std::map<gid_t, CallerLimits>
      group_limits;  // of several the most generous, unless the user has some

  // Whether somebody outside the socket's group may be admitted, so that its mode must
  // let them connect.
  bool ReachBeyondSocketGroup() const {
    return everybody || !users.empty() || !groups.empty() || !admin_groups.empty();
  }
};

struct Admission {
  Caller caller;
  // OK: `caller` is served. PERMISSION_DENIED says what to change.
  absl::Status verdict;
  uint32_t connection_limit;

  friend bool operator==(const Admission&, const Admission&) = default;
};

// What the rules make of who the kernel says it is (IdentifyCaller). Pure.
Admission Admit(const Caller& peer, const AdmissionRules& rules);

// The verdict on a caller who has as many connections as it may have.
absl::Status TooManyConnections(const Admission& admission);

// The same refusal, in words that fit every uid.
absl::Status RefusalOfAnybody(const absl::Status& verdict);

}  // namespace svnet

// The caller of an rpc.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <vector>

namespace svnet {

// As the kernel said when the caller connected (unix(7): SO_PEERCRED and
// SO_PEERGROUPS), and what the configuration makes of that.
struct Caller {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;  // supplementary; sorted
  bool administrator = false;
  // Whether process numbers mean the same to the caller as to svnetd: it was in svnetd's
  // own pid namespace.
  bool shares_pids = false;
  // It connected from another network namespace than svnetd's: from a container, say.
  bool foreign = false;
  // How many leases the caller may have; administrators: any number.
  uint32_t tap_limit = 64;
  // How many queues all their TAPs may have together; administrators: any number.
  uint32_t queue_limit = 256;

  bool IsInGroup(gid_t group) const {
    return group == gid || std::binary_search(groups.begin(), groups.end(), group);
  }

  friend auto operator<=>(const Caller&, const Caller&) = default;
};

}  // namespace svnet

// Other people's packet filters: Docker's, ufw's, firewalld's.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/filter/rules.h"

namespace svnet {

// What is in the network namespace in which the implementation was made, and the places
// that their makers have for the rules of others. Nothing but what has our tag is ever
// changed. Not thread-safe. Errors say who failed, and in whose words.
class ForeignFirewalls {
 public:
  virtual ~ForeignFirewalls() = default;

  // All IPv4 chains of nftables, ours too, and those of iptables-legacy.
  virtual absl::StatusOr<std::vector<FilterChain>> Read() = 0;

  // Whether iptables-legacy's are others than Read last found: the kernel says nothing of
  // that by itself. Cheap where there is no iptables-legacy.
  virtual absl::StatusOr<bool> LegacyWasChanged() = 0;

  // Whether the last Read had to leave iptables-legacy's out: there are some, and svnetd's
  // sandbox has no sockets of AF_INET.
  virtual bool LegacyIsHidden() const = 0;

  // What tells our rules from others', as their comment.
  virtual const std::string& tag() const = 0;

  // Has `chain`, which is as Read found it, hold `rules` with our tag, and no others that
  // have it: before the first rule by which everything returns, or else at its end. All in
  // one go. An error changes nothing; one may be that the chain has changed since.
  virtual absl::Status Replace(const FilterChain& chain, const std::vector<FilterRule>& rules) = 0;

  // Puts the bridge into firewalld's zone `svnet`, where it stays until firewalld reads its
  // configuration anew. OK if it is in it. FailedPrecondition if it is in another.
  virtual absl::Status JoinZone() = 0;
  // Takes it out again, unless firewalld's own configuration has it there. OK if it is in
  // another, in none, or firewalld is gone.
  virtual absl::Status LeaveZone() = 0;
};

// The zone's name, which the package brings.
inline constexpr char kFirewalldZone[] = "svnet";

}  // namespace svnet

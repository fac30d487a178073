// The firewalls of other programs: Docker, ufw, firewalld.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/foreign/filter_chain.h"

namespace svnet {

// What firewalld's zone has: a link, or the addresses that packets come from.
struct ZoneMember {
  enum class Kind { kInterface, kSource };
  Kind kind;
  std::string text;  // "svbr0", "172.30.0.0/24"

  friend bool operator==(const ZoneMember&, const ZoneMember&) = default;
};

// The chains in the network namespace in which the implementation was created, and the extension
// points of their owners. Only rules with svnetd's tag are ever changed. Not thread-safe. Errors
// name the program that failed and quote it.
class ForeignFirewalls {
 public:
  virtual ~ForeignFirewalls() = default;

  // All IPv4 chains of nftables, including svnetd's own, and those of iptables-legacy.
  virtual absl::StatusOr<std::vector<FilterChain>> Read() = 0;

  // Whether iptables-legacy's chains differ from what Read last found: the kernel does not report
  // changes. Cheap if iptables-legacy is not in use.
  virtual absl::StatusOr<bool> IptablesLegacyWasChanged() = 0;

  // Whether the last Read could not read iptables-legacy's chains, because svnetd's sandbox forbids
  // AF_INET sockets.
  virtual bool IptablesLegacyIsHidden() const = 0;

  // The comment that marks svnetd's rules.
  virtual const std::string& tag() const = 0;

  // Replaces svnetd's rules (by tag) in `chain`, which is as Read found it, by `rules`. They come
  // before the first unconditional return, or else at the end. One transaction: an error changes
  // nothing. Fails if the chain has changed since Read.
  virtual absl::Status Replace(const FilterChain& chain, const std::vector<FilterRule>& rules) = 0;

  // Adds it to firewalld's zone `svnet`, until firewalld reloads its configuration. OK if it is in
  // that zone. FailedPrecondition if it is in another one.
  virtual absl::Status JoinZone(const ZoneMember& member) = 0;
  // Removes it again, unless firewalld's own configuration has it there. OK if it is in another
  // zone, in none, or firewalld is not running.
  virtual absl::Status LeaveZone(const ZoneMember& member) = 0;
};

// The zone's name. The package installs the zone.
inline constexpr char kFirewalldZone[] = "svnet";

}  // namespace svnet

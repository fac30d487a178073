// The packet filter's part of the network: NAT, and who may talk to whom.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/network_name.h"
#include "daemon/ruleset/binding.h"
#include "daemon/ruleset/ruleset_network.h"

namespace svnet {

// What the rules have dropped for one cause, since they were last made whole.
struct DropCount {
  // The one that is no drop but what guests are expected to say after a restore.
  static constexpr absl::string_view kAnnouncement = "announcement";

  std::string cause;  // of a closed set: the rules' counters (docs/security.md)
  uint64_t packets = 0;
  uint64_t bytes = 0;

  friend bool operator==(const DropCount&, const DropCount&) = default;
};

// The connections that the kernel tracks, of the host and all guests together.
struct ConnectionTable {
  uint32_t used = 0;
  uint32_t size = 0;  // 0: not known

  // Whether more than nine of ten are taken: once it is full nobody opens any more.
  bool IsNearlyFull() const { return uint64_t{used} * 10 > uint64_t{size} * 9; }
};

// The rules of all networks, in the network namespace in which the implementation was
// made. Not thread-safe. Errors carry the kernel's own words.
class Firewall {
 public:
  virtual ~Firewall() = default;

  // Has the rules that Apply makes know of one more network.
  virtual void AddNetwork(const RulesetNetwork& network) = 0;

  // Makes the rules stand, whole, with these networks and bindings and no others, whatever stood of
  // them before. No packet sees anything but the old rules or the new, or both. An error leaves
  // the old ones, or has the new ones beside them, which the next Apply replaces.
  virtual absl::Status Apply(const std::vector<NetworkGuests>& networks,
                             OtherForwarding others) = 0;

  // Whether the rules that stand, perhaps an earlier svnetd's, close other forwarding.
  virtual absl::StatusOr<OtherForwarding> ReadOtherForwarding() = 0;
  // Has rules that close it no longer do so, and leaves all else of them as it is. NotFound if they
  // do not.
  virtual absl::Status OpenOtherForwarding() = 0;

  // Opens a port of that network, or closes it at once. One transaction; OK if it is so already.
  // The rules must stand (Unbind: if they do not, then the binding is gone, and that is OK).
  virtual absl::Status Bind(const NetworkName& network, const Binding& binding) = 0;
  virtual absl::Status Unbind(const NetworkName& network, const Binding& binding) = 0;

  // With which of the host's addresses guests' packets leave by a link, where that is not the one
  // that masquerade takes. Holds for what Apply makes from now on, and at once for rules that
  // stand, except for connections that exist.
  virtual absl::Status SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) = 0;

  // Whether there are any of them, perhaps an earlier svnetd's.
  virtual absl::StatusOr<bool> Stand() = 0;

  // Of that network, by cause; none if there are no rules. What is of no network is the default
  // one's.
  virtual absl::StatusOr<std::vector<DropCount>> ReadDrops(const NetworkName& network) = 0;

  // All zero while the kernel tracks none.
  virtual absl::StatusOr<ConnectionTable> ReadConnections() = 0;

  // Takes the rules away, and nobody else's. False if there were none.
  virtual absl::StatusOr<bool> Remove() = 0;

  // Leaves the same rules in force, but to no program: others can then list and change them with
  // any tool. For svnetd's end. OK if there are no rules, or if others can do so anyway.
  virtual absl::Status Disown(const std::vector<NetworkGuests>& networks,
                              OtherForwarding others) = 0;

  // Readable when WereChanged may have something to say, which is at most a second after it has
  // happened.
  virtual int changes_fd() const = 0;
  // Whether somebody else has changed the rules since the last call, or may have: then
  // Apply puts them right. As far as is known: does not wait.
  virtual absl::StatusOr<bool> WereChanged() = 0;
  // Whether somebody else's rules were changed, or may have been, as far as WereChanged
  // has heard since the last call.
  virtual bool OthersWereChanged() = 0;
};

}  // namespace svnet

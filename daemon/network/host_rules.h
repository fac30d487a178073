// svnetd's own packet filter rules, of all networks together, and the host's IPv4 forwarding.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/network_name.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// Forwarding is here because the rules say on whose behalf it is on: svnetd turns it on for guests
// only, and the rules then drop what other links forward. Remembers that the rules were applied,
// and whether a notification has said since that they were changed: then they are dirty. Not
// thread-safe.
class HostRules {
 public:
  // A network, as the rules see it.
  class Member {
   public:
    virtual ~Member() = default;
    // Those to whom the rules apply; nullopt: the network has no rules.
    virtual std::optional<NetworkGuests> Guests() const = 0;
  };

  // Both must outlive it.
  HostRules(Kernel* kernel, Firewall* firewall) : kernel_(*kernel), firewall_(*firewall) {}

  // `member` must outlive all calls but this one.
  void Add(const Member* member) { members_.push_back(member); }

  // Whether to turn forwarding on: then the rules that are applied next first close other
  // forwarding, and they are dirty.
  absl::StatusOr<bool> PlanForwarding(bool needed);
  absl::Status TurnForwardingOn() { return kernel_.EnableForwarding(); }
  void NoteForwardingClean() { forwarding_clean_ = true; }

  // Makes the rules stand for all members that have guests.
  absl::Status Apply();
  // Opens a port, or closes it: see Firewall. An error makes the rules dirty. The first guest with
  // a view has all rules made anew: without one, no packet pays for views.
  absl::Status Bind(const NetworkName& network, const Binding& binding);
  absl::Status Unbind(const NetworkName& network, const Binding& binding);

  // With which addresses that network's packets leave by links, where it is not what masquerade
  // takes. What two networks have for one link is what the first says.
  absl::Status SetPreferredSources(const NetworkName& network,
                                   const std::map<Ifindex, Ipv4Address>& sources);

  // Another program filters what is forwarded: from now on its rules decide what is forwarded
  // between other links. False if they already do.
  bool OpenOtherForwarding();
  // Whether there are rules for that network, perhaps of an earlier svnetd.
  absl::StatusOr<bool> ExistFor(const NetworkName& network);

  // Takes in whether another program has changed the rules. An error: not known, so they are dirty.
  absl::Status NoteChanges();
  // Whether another program has changed rules of its own, as far as NoteChanges has heard since
  // the last call.
  bool TakeForeignChange() { return firewall_.OthersWereChanged(); }
  // Of that network by cause, since the rules were last applied.
  absl::StatusOr<std::vector<DropCount>> ReadDrops(const NetworkName& network) {
    return firewall_.ReadDrops(network);
  }
  absl::StatusOr<ConnectionTable> ReadConnections() { return firewall_.ReadConnections(); }

  void MarkDirty() { clean_ = false; }
  void MarkForwardingDirty() { forwarding_clean_ = false; }
  bool are_clean() const { return clean_; }
  bool is_forwarding_clean() const { return forwarding_clean_; }

  struct Released {
    bool nat_removed = false;
    bool forwarding_off = false;
  };
  // After a member has come to have no rules: makes them anew for the others. If there are none,
  // takes the rules away, and turns forwarding off if they say that svnetd turned it on.
  absl::StatusOr<Released> Release();
  // The same after a failure. `turned_forwarding_on`, `applied`: what was done before it.
  void Undo(bool turned_forwarding_on, bool applied);

  // For svnetd's end: see Firewall::Disown. Rules that are not known to be whole stay as they are.
  absl::Status Disown();

 private:
  std::vector<NetworkGuests> AllGuests() const;
  absl::Status ApplyFor(const std::vector<NetworkGuests>& guests);
  // For one more, which the members do not know yet.
  absl::Status ApplyWith(const NetworkName& network, const Binding& binding);
  OtherForwarding others() const { return others_.value_or(OtherForwarding::kAsItIs); }

  Kernel& kernel_;
  Firewall& firewall_;
  std::vector<const Member*> members_;
  bool clean_ = false;
  bool have_views_ = false;  // the rules in force turn addresses
  bool forwarding_clean_ = false;
  std::map<NetworkName, std::map<Ifindex, Ipv4Address>> wanted_sources_;
  std::map<Ifindex, Ipv4Address> preferred_sources_;  // those in force
  // What the rules do, or will when they are applied; nullopt: not read yet.
  std::optional<OtherForwarding> others_;
};

}  // namespace svnet

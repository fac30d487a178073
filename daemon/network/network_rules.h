// svnetd's own packet filter rules for a network, and the host's IPv4 forwarding.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/condition.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/network_name.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease_table.h"

namespace svnet {

class Segment;
class SpecTexts;

// Forwarding is here because the rules say on whose behalf it is on: svnetd turns it on for guests
// only, and the rules then drop what other links forward. Remembers that the rules were applied,
// and whether a notification has said since that they were changed: then they are dirty. Not
// thread-safe.
class NetworkRules {
 public:
  // All must outlive it.
  NetworkRules(const NetworkName& name, const Segment* segment, Kernel* kernel, Firewall* firewall,
               const SpecTexts* texts);

  // What Ensure did.
  struct Change {
    bool applied = false;
    bool repaired = false;  // they were applied because they were changed
    bool turned_forwarding_on = false;
  };
  // Applies the rules if they are dirty or were made for another bridge, with every lease let
  // through whose spec is not lost. `forwarding`: turns forwarding on if it is off. An error leaves
  // nothing that was not there before, if there are no leases.
  absl::StatusOr<Change> Ensure(const GuestBridge& bridge, const LeaseTable& leases,
                                bool forwarding);
  // Takes back what that call of Ensure did.
  void Undo(const Change& change);

  // Lets the guest on a TAP send what it was given, and nothing else. An error leaves it cut off.
  // So does a lost spec, which is no error.
  absl::Status Admit(const LeaseSpec& spec, Ifindex tap);
  // Cuts the guest off at once.
  absl::Status Revoke(const LeaseSpec& spec, Ifindex tap);

  // With which addresses guests' packets leave by links, where it is not what masquerade takes.
  absl::Status SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources);

  // Another program filters what is forwarded: from now on its rules decide what is forwarded
  // between other links. False if they already do.
  bool OpenOtherForwarding();
  // Whether there are rules, perhaps of an earlier svnetd.
  absl::StatusOr<bool> Exist() { return firewall_->Stand(); }

  // Takes in whether another program has changed the rules. An error: not known, so they are dirty.
  absl::Status NoteChanges();
  // Whether another program has changed rules of its own, as far as NoteChanges has heard since
  // the last call.
  bool TakeForeignChange() { return firewall_->OthersWereChanged(); }
  // By cause, since the rules were last applied.
  absl::StatusOr<std::vector<DropCount>> ReadDrops() { return firewall_->ReadDrops(name_); }

  void MarkDirty() { clean_ = false; }
  void MarkForwardingDirty() { forwarding_clean_ = false; }
  bool IsDirty() const { return !clean_ || !forwarding_clean_; }
  bool are_clean() const { return clean_; }
  bool is_forwarding_clean() const { return forwarding_clean_; }

  struct Released {
    bool nat_removed = false;
    bool forwarding_off = false;
  };
  // Takes the rules away. Turns forwarding off if the rules say that svnetd turned it on.
  absl::StatusOr<Released> Release();

  // For svnetd's end: see Firewall::Disown. Rules that are not known to be whole stay as they are.
  absl::Status Disown(const LeaseTable& leases);

  absl::StatusOr<ConnectionTable> ReadConnections() { return firewall_->ReadConnections(); }
  // Appends what is wrong. `in_use`: there are leases.
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions);

 private:
  // Whether to turn forwarding on: then the rules that are applied next first close other
  // forwarding.
  absl::StatusOr<bool> PlanForwarding(bool needed);
  absl::Status Apply(const GuestBridge& bridge, const LeaseTable& leases);
  // What the guest on that TAP may send.
  Binding BindingOf(const LeaseSpec& spec, Ifindex tap) const;
  NetworkGuests GuestsOn(const GuestBridge& bridge, const LeaseTable& leases) const;

  const NetworkName name_;
  const Segment* const segment_;
  Kernel* const kernel_;
  Firewall* const firewall_;
  const SpecTexts* const texts_;
  bool clean_ = false;
  bool forwarding_clean_ = false;
  std::map<Ifindex, Ipv4Address> preferred_sources_;
  std::optional<GuestBridge> bridge_;  // for which they were applied
  // What the rules do, or will when they are applied; nullopt: not read yet.
  std::optional<OtherForwarding> others_;
};

}  // namespace svnet

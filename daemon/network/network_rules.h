// svnetd's own packet filter rules for a network.
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
#include "daemon/lease/lease.h"
#include "daemon/network/host_rules.h"

namespace svnet {

class LeaseBook;
class Segment;
class SpecTexts;

// What HostRules have for one network. Not thread-safe.
class NetworkRules final : public HostRules::Member {
 public:
  // All must outlive it.
  NetworkRules(const NetworkName& name, const Segment* segment, Kernel* kernel, HostRules* host,
               const SpecTexts* texts, const LeaseBook* book);

  // What Ensure did.
  struct Change {
    bool applied = false;
    bool repaired = false;  // they were applied because they were changed
    bool turned_forwarding_on = false;
  };
  // Applies the rules if they are dirty or were made for another bridge, with every lease let
  // through whose spec is not lost. `forwarding`: turns forwarding on if it is off. An error leaves
  // nothing that was not there before, if there are no leases.
  absl::StatusOr<Change> Ensure(const GuestBridge& bridge, bool forwarding);
  // Before the rules of all networks are made for the first time: by which link this one's guests
  // come.
  void NoteLink(const GuestBridge& bridge) { bridge_ = bridge; }
  // Takes back what that call of Ensure did.
  void Undo(const Change& change);

  // Lets the guest on a TAP send what it was given, and nothing else. An error leaves it cut off.
  // So does a lost spec, which is no error.
  absl::Status Admit(const LeaseSpec& spec, Ifindex tap);
  // Cuts the guest off at once.
  absl::Status Revoke(const LeaseSpec& spec, Ifindex tap);

  // With which addresses guests' packets leave by links, where it is not what masquerade takes.
  absl::Status SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) {
    return host_.SetPreferredSources(name_, sources);
  }

  // Whether there are rules, perhaps of an earlier svnetd.
  absl::StatusOr<bool> Exist() { return host_.ExistFor(name_); }

  // By cause, since the rules were last applied.
  absl::StatusOr<std::vector<DropCount>> ReadDrops() { return host_.ReadDrops(name_); }

  void MarkDirty() { host_.MarkDirty(); }
  void MarkForwardingDirty() { host_.MarkForwardingDirty(); }
  bool IsDirty() const { return !are_clean() || !host_.is_forwarding_clean(); }
  bool are_clean() const { return bridge_.has_value() && host_.are_clean(); }
  bool is_forwarding_clean() const { return host_.is_forwarding_clean(); }

  using Released = HostRules::Released;
  // Takes the network's rules away: see HostRules.
  absl::StatusOr<Released> Release();

  absl::StatusOr<ConnectionTable> ReadConnections() { return host_.ReadConnections(); }
  // Appends what is wrong. `in_use`: there are leases.
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions);

  std::optional<NetworkGuests> Guests() const override;

 private:
  // What the guest on that TAP may send.
  Binding BindingOf(const LeaseSpec& spec, Ifindex tap) const;

  const NetworkName name_;
  const Segment& segment_;
  Kernel& kernel_;
  HostRules& host_;
  const SpecTexts& texts_;
  const LeaseBook& book_;
  std::optional<GuestBridge> bridge_;  // for which they were applied
};

}  // namespace svnet

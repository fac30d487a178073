// What all leases of a network share: the bridge, forwarding, NAT.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/condition.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/isolation.h"
#include "daemon/lease/lease_table.h"

namespace svnet {

struct NetworkSettings {
  LinkName bridge;
  Ipv4Prefix prefix;            // at most a /30
  std::optional<uint32_t> mtu;  // bytes; nullopt: as the uplink's
  MacAddress bridge_mac;        // of a bridge that svnetd makes
  Isolation isolation = Isolation::kOwner;
};

// Not thread-safe. Every error has a reason of the contract.
class NetworkSetup {
 public:
  // Both must outlive it.
  NetworkSetup(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall);

  // SUBNET_CONFLICT if the prefix overlaps what the host already has, unless our
  // bridge holds the gateway's address already.
  absl::Status CheckPrefix();

  struct Ensured {
    Bridge bridge;
    bool applied_rules = false;  // and they did not stand before
    bool in_use = false;
    // Forwarding was off and is on, for guests alone.
    bool turned_forwarding_on = false;
    // What was not as it should be and now is, for people; empty: nothing.
    std::string repaired;
    // The same, as TapEvent has it.
    std::vector<absl::string_view> repaired_things;
  };
  enum class For { kLeases, kNewLease };
  // Makes it all stand, and every lease guarded; costs nothing if it does. While there
  // are leases the MTU of a bridge that stands is kept. Forwarding is turned on only for
  // leases, or a new one. An error leaves nothing that was not there before, but for what
  // leases need.
  absl::StatusOr<Ensured> Ensure(const LeaseTable& leases, For whom = For::kLeases);

  // Another program filters what is forwarded: its rules decide from now on what is
  // forwarded between other links. False if they have before.
  bool OpenOtherForwarding();

  // The link by which guests get out; empty: there is none, or it cannot be read.
  std::string FindUplink();

  // Whether an earlier svnetd left its bridge, or rules: then Ensure also takes away what a
  // guest had in them that never came to be.
  absl::StatusOr<bool> WasLeft();

  // Takes back what that call of Ensure did, but for what leases need.
  void Undo(const Ensured& ensured);

  // The kernel has said that something may be amiss: the next Ensure looks.
  void SuspectBridge() { bridge_stands_ = false; }
  void SuspectRules() { rules_stand_ = false; }
  void SuspectNeighbours() { neighbours_stand_ = false; }
  void SuspectAll();
  // Whether Ensure would do anything but answer.
  bool IsSuspect() const { return !bridge_stands_ || !rules_stand_ || !neighbours_stand_; }
  bool NetworkStands() const { return bridge_stands_ && neighbours_stand_; }
  bool RulesStand() const { return rules_stand_; }
  // The bridge as it last stood; 0 if it never did.
  Ifindex bridge() const { return standing_.has_value() ? standing_->ifindex : 0; }
  // Whether a link is the bridge that stands, or would be it, and not as it was.
  bool IsAmiss(const Link& link) const;

  // Lets the guest of a lease send what it was given, and nothing else, and has the
  // gateway know its MAC for good. An error leaves nothing of it.
  absl::Status Guard(const Lease& lease);
  // Cuts the guest off, at once.
  absl::Status Unguard(const Lease& lease);

  struct Released {
    bool bridge_removed = false;
    bool nat_removed = false;
    bool forwarding_off = false;
  };
  // Takes it all away, but for a bridge that svnetd did not make, and for forwarding, unless
  // the rules say that svnetd has turned that on.
  absl::StatusOr<Released> Release();

  struct Status {
    bool bridge_up = false;
    uint32_t mtu = 0;         // bytes
    std::string uplink;       // by which guests get out; empty: there is none
    uint32_t ports_used = 0;  // links on the bridge, whoever put them there
    ConnectionTable connections;
    std::vector<Condition> conditions;
  };
  // How it stands, among all links of the host. `in_use`: there are leases.
  absl::StatusOr<Status> Observe(const std::vector<Link>& links, bool in_use);

 private:
  // Says in `ensured` what EnsureBridge and the rest did, where leases needed it.
  struct Before {
    bool renamed = false;
    bool rules_stood = false;
  };
  static void Describe(const Before& before, Ensured* ensured);
  // Than the one that the rules were made for.
  bool IsAnother(const Bridge& bridge) const;
  // Whether forwarding is to be turned on: then the rules that are made next close other
  // forwarding before it is.
  absl::StatusOr<bool> PlanForwarding(bool needed);
  // True if our bridge had another name.
  absl::StatusOr<bool> EnsureName();
  absl::StatusOr<Ensured> MakeStand(const LeaseTable& leases, For whom);
  absl::StatusOr<Status> ObserveAll(const std::vector<Link>& links, bool in_use);
  absl::StatusOr<uint32_t> PlanMtu(const std::optional<Link>& bridge, bool in_use);
  absl::Status EnsureRules(const LeaseTable& leases, Ensured* ensured);
  absl::Status BindGuest(const Lease& lease);
  absl::Status UnbindGuest(const Lease& lease);
  // The bridge's neighbours are those of its leases, whatever an earlier svnetd left.
  absl::Status EnsureNeighbours(Ifindex bridge, const LeaseTable& leases);
  // Of a bridge that stays.
  absl::Status ForgetNeighbours();
  absl::Status ObserveHost(const std::vector<Link>& links, Status* status);
  absl::Status ObserveConnections(Status* status);
  absl::Status ObserveRunning(const Link* bridge, std::vector<Condition>* conditions);
  BridgeSpec SpecWith(uint32_t mtu) const;
  absl::Status Explain(const absl::Status& cause) const;

  const NetworkSettings settings_;
  Kernel* const kernel_;
  Firewall* const firewall_;
  // What was found or made, and nobody has said since that it has changed. Nothing of it
  // after a start, nor after Guard or Unguard failed.
  std::optional<Bridge> standing_;
  bool bridge_stands_ = false;
  bool rules_stand_ = false;
  bool neighbours_stand_ = false;
  // What the rules do, or will when they are made; nullopt: not read yet.
  std::optional<OtherForwarding> others_;
  // Of the bridge, while there are leases.
  std::optional<uint32_t> mtu_in_use_;
};

}  // namespace svnet

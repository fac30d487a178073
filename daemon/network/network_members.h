// The networks that svnetd serves, and what can be asked of all of them at once.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/caller.h"
#include "daemon/network/network.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_member.h"
#include "daemon/network/network_status.h"
#include "daemon/network/retired_tap.h"
#include "daemon/network/tap_destroyer.h"

namespace svnet {

class EventSink;

// No lock: NetworkRegistry has it.
class NetworkMembers {
 public:
  // Its name is new. `events` must outlive it.
  NetworkMember* Insert(std::unique_ptr<Network> network, EventSink* events, const Clock& clock);
  std::vector<NetworkMember*> All();
  bool AllStarted() const;

  // Why no call can go on there: the network has not started, or the state of the host cannot be
  // read.
  const absl::Status& StatusOf(const NetworkName& name) const;
  // The first such reason of those that the caller may use.
  absl::Status StatusFor(const Caller& caller) const;
  // NETWORK_NOT_FOUND.
  absl::Status CheckMayUse(const Caller& caller, const NetworkName& name) const;
  // See Network::Observe; of one that has not started: why.
  absl::StatusOr<NetworkStatus> Observe(const NetworkName& name, bool* looked);

  std::vector<NetworkName> Names() const;
  Network& Get(const NetworkName& name) const { return members_.at(name).network(); }
  // The one that has the lease of that key; nullptr: none has.
  Network* FindWith(const LeaseKey& key) const;
  // That one, or all.
  std::vector<Network*> Select(const std::optional<NetworkName>& name) const;
  // The leases of that network, or of all.
  std::vector<const LeaseTable*> Leases(const std::optional<NetworkName>& name) const;
  size_t lease_count() const;
  // Whether all of them hear what the kernel says of changes.
  bool AreHeard() const;

  // When a piece of what is retired is to be reaped; nullopt: there is none that is not taken.
  std::optional<absl::Time> NextReap() const;
  // Whether a piece is taken.
  bool IsReaping() const;
  // Of the network whose piece is due first. Undefined if NextReap is nullopt.
  ReapPiece TakeReapPiece();
  // True if all is done: see TapReaper.
  bool FinishReap(const ReapPiece& piece, const TapDestroyer::Result& result);

  // What is wrong now: see Network. `unread`: of those networks it is not known.
  std::vector<Condition> FindConditions(std::set<NetworkName>* unread);
  // What counts against the owner's quotas.
  Holdings HoldingsOf(uid_t owner) const;
  HealthOfNetworks Health() const;

 private:
  std::map<NetworkName, NetworkMember> members_;
};

}  // namespace svnet

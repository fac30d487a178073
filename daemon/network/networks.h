// All networks, as one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/caller.h"
#include "daemon/network/host_events.h"
#include "daemon/network/host_relations.h"
#include "daemon/network/host_rules.h"
#include "daemon/network/network.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_member.h"
#include "daemon/network/spec_texts.h"

namespace svnet {

// No lock: NetworkRegistry has it.
class Networks {
 public:
  // What they work with; all must outlive them.
  struct Parts {
    Kernel* kernel;
    Firewall* firewall;
    SpecStore* store;
    ForeignFirewallReconciler* foreign;
    EventPoller* poller;
    EventSink* events;
    Clock clock;
    std::function<absl::Time()> wall_clock;
  };
  // `settings`: the default one first.
  Networks(const std::vector<NetworkSettings>& settings, const Parts& parts);

  // Adopts what an earlier svnetd left: see Network. To be followed by CatchUp. One that cannot
  // start is tried again by CatchUp, with growing pauses; an error: none can, or one has leases
  // that do not fit it (CheckLeftTaps), and nothing was changed.
  absl::Status Begin();
  // More of them, of other names. To be followed by CatchUp.
  void Add(const std::vector<NetworkSettings>& settings);
  // Has each of them take in what has happened. Returns when it has something to do, though nothing
  // happens, in `next`.
  void CatchUp(HostEvents events, std::optional<absl::Time>* next);
  // Why no call can go on there: the network has not started, or the state of the host cannot be
  // read.
  const absl::Status& StatusOf(const NetworkName& name) const;
  // The first such reason of those that the caller may use.
  absl::Status StatusFor(const Caller& caller) const;
  // NETWORK_NOT_FOUND.
  absl::Status CheckMayUse(const Caller& caller, const NetworkName& name) const;
  // See Network::Observe; of one that has not started: why.
  absl::StatusOr<NetworkStatus> Observe(const NetworkName& name, bool* looked);
  // Deletes the texts that a lease named and none names any more.
  void DeleteOldTexts();
  // For svnetd's end: other programs can then list and change the rules.
  absl::Status DisownRules() { return rules_.Disown(); }
  // Another program filters what the host forwards. True if that changes what svnetd does.
  bool NoteForwardFilter(const std::string& whose);

  bool Has(const NetworkName& name) const { return networks_.contains(name); }
  std::vector<NetworkName> Names() const;
  Network& Get(const NetworkName& name) const { return networks_.at(name).network(); }
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
  NetworkMember* Insert(const NetworkSettings& settings);
  absl::Status CheckLeft() const;
  // Adopts for all of them, then makes the rules of all at once.
  void Start(const std::vector<NetworkMember*>& members);
  bool AllStarted() const;
  void ReportTextsLeft(const absl::Status& deleted);

  const Parts parts_;
  EventSink* const events_;
  SpecTexts texts_;
  HostRelations host_;
  HostRules rules_;
  std::map<NetworkName, NetworkMember> networks_;
};

}  // namespace svnet

// All networks, and what they share on the host.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/network/added_network.h"
#include "daemon/network/host_events.h"
#include "daemon/network/host_relations.h"
#include "daemon/network/host_rules.h"
#include "daemon/network/network_member.h"
#include "daemon/network/network_members.h"
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
  // More of them, of other names. To be followed by CatchUp. An error: nothing has changed.
  absl::Status Add(const std::vector<AddedNetwork>& networks);
  // Has each of them take in what has happened. Returns when it has something to do, though nothing
  // happens, in `next`.
  void CatchUp(HostEvents events, std::optional<absl::Time>* next);
  // Deletes the texts that a lease named and none names any more.
  void DeleteOldTexts();
  // For svnetd's end: other programs can then list and change the rules.
  absl::Status DisownRules() { return rules_.Disown(); }
  // Another program filters what the host forwards. True if that changes what svnetd does.
  bool NoteForwardFilter(const std::string& whose);

  NetworkMembers& members() { return members_; }

 private:
  NetworkMember* Insert(const NetworkSettings& settings);
  absl::Status CheckLeft();
  // Adopts for all of them, then makes the rules of all at once.
  void Start(const std::vector<NetworkMember*>& members);
  void ReportTextsLeft(const absl::Status& deleted);

  const Parts parts_;
  SpecTexts texts_;
  HostRelations host_;
  HostRules rules_;
  NetworkMembers members_;
};

}  // namespace svnet

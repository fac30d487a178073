// Lives with other people's packet filters.
#pragma once

#include <condition_variable>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/condition.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mutex.h"
#include "daemon/firewall/foreign_firewalls.h"
#include "daemon/network/coexistence_plan.h"
#include "daemon/network/repair_limit.h"
#include "daemon/network/tap_event.h"

namespace svnet {

// Knows which of them stop guests, and if it may, has svnetd's accepts stand where their
// makers have a place for that: again when somebody has taken them away, and only as long
// as there is a network.
//
// Nothing here is on the way of a call but what an administrator asks for: to read the
// rules takes milliseconds, and firewalld's answers take what they take. So a thread of
// its own does that (Housekeeping's), a moment after the rules were changed.
//
// Threads: any may call. acting_ is for who reads or writes rules, mutex_ for what is
// known; none is held while `publish` is called.
class Coexistence {
 public:
  using Clock = std::function<absl::Time()>;             // as MonotonicNow
  using Publish = std::function<void(const TapEvent&)>;  // may take its time
  using OnFilter = std::function<void(const std::string& whose)>;

  // `foreign` must outlive it. `manage`: it may.
  Coexistence(const LinkName& bridge, bool manage, ForeignFirewalls* foreign, Clock clock);

  // Set it before there are threads.
  void SetPublish(Publish publish) { publish_ = std::move(publish); }
  // Is called, with who it is, as often as Work finds that another program filters what the
  // host forwards.
  void SetOnFilter(OnFilter on_filter) { on_filter_ = std::move(on_filter); }

  void SetManage(bool manage) ABSL_LOCKS_EXCLUDED(mutex_);
  // There is a network, whose guests get out by this link (empty: not known).
  void Serve(const std::string& uplink) ABSL_LOCKS_EXCLUDED(mutex_);
  // svnetd has turned forwarding on, and its rules do not keep it from others (true), or do:
  // then who else filters is looked at now.
  void SetForwardsForAll(bool for_all) ABSL_LOCKS_EXCLUDED(mutex_);
  // Somebody else has changed rules, or may have.
  void Suspect() ABSL_LOCKS_EXCLUDED(mutex_);

  // The network goes: takes all of ours out of other people's rules, now.
  absl::Status Withdraw() ABSL_LOCKS_EXCLUDED(acting_, mutex_);

  // Who stops guests now; none without a network. Does not wait for somebody who acts:
  // then it is what was so before.
  std::vector<Condition> Conditions() ABSL_LOCKS_EXCLUDED(acting_, mutex_);

  // The same, as it was when somebody last looked.
  std::vector<Condition> KnownConditions() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until there is something to Work on: true; false after StopWaiting.
  bool WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  // Has stand what should. Says what it did, and what it could not do.
  void Work() ABSL_LOCKS_EXCLUDED(acting_, mutex_);

 private:
  struct Wish {
    bool manage = false;
    bool serves = false;  // there is a network
    bool forwards_for_all = false;
    GuestNetwork network;

    bool Admits() const { return manage && serves; }
  };
  struct Report {
    std::string repaired;
    std::string failed;
    std::string filter;  // whose; empty: nobody's
  };

  // What was to be looked at is looked at now, by who takes it.
  Wish TakeWish() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsSuspect() ABSL_LOCKS_EXCLUDED(mutex_);
  Report MakeRight(const Wish& wish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  std::string Repair(const CoexistencePlan& plan, const Wish& wish)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  absl::Status CarryOut(const CoexistencePlan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  absl::StatusOr<std::vector<FilterChain>> Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  void LearnDockerBridges(const std::vector<FilterChain>& chains)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  CoexistencePlan Plan(const std::vector<FilterChain>& chains, const Wish& wish) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  std::vector<Condition> Describe(const std::vector<FilterChain>& chains, const Wish& wish) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  Condition Describe(const Blocker& blocker, const std::vector<FilterChain>& chains,
                     const Wish& wish) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(acting_);
  void TryAgainAt(absl::Time when) ABSL_LOCKS_EXCLUDED(mutex_);
  // Soon, if another program was only busy (UNAVAILABLE).
  void TryAgainAfter(const absl::Status& failure) ABSL_LOCKS_EXCLUDED(mutex_);
  void SuspectNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock clock_;
  Publish publish_ = [](const TapEvent&) {};
  OnFilter on_filter_ = [](const std::string&) {};

  Mutex acting_ ABSL_ACQUIRED_BEFORE(mutex_);
  ForeignFirewalls* const foreign_ ABSL_PT_GUARDED_BY(acting_);
  // Those of Docker's rules, and those that were in them and may come back: while Docker
  // makes its rules anew they are not there, but the containers are.
  std::set<std::string> docker_bridges_ ABSL_GUARDED_BY(acting_);
  bool knows_own_rules_ ABSL_GUARDED_BY(acting_) = false;  // has read what an earlier svnetd left
  RepairLimit limit_ ABSL_GUARDED_BY(acting_);
  absl::Status failure_ ABSL_GUARDED_BY(acting_);  // of the last attempt
  std::string last_failed_ ABSL_GUARDED_BY(acting_);

  Mutex mutex_;
  std::condition_variable_any changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Wish wish_ ABSL_GUARDED_BY(mutex_);
  std::vector<Condition> conditions_ ABSL_GUARDED_BY(mutex_);
  // When the rules began to be others, and when they last did; at the start there may be
  // what an earlier svnetd left.
  std::optional<absl::Time> suspect_since_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time last_change_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // With many rules that change all the time, most of the time is everybody else's.
  absl::Time not_before_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::optional<absl::Time> try_again_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_legacy_look_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace svnet

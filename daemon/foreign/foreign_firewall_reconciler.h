// Keeps svnetd's accept rules in other programs' firewalls.
#pragma once

#include <condition_variable>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/condition.h"
#include "daemon/base/mutex.h"
#include "daemon/base/network_name.h"
#include "daemon/foreign/accept_installer.h"
#include "daemon/foreign/accept_runner.h"
#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/foreign_firewall_goal.h"
#include "daemon/foreign/foreign_firewall_report.h"
#include "daemon/foreign/foreign_firewalls.h"
#include "daemon/foreign/run_schedule.h"

namespace svnet {

// Finds chains of other firewalls that drop guest traffic. With `manage_foreign_firewalls` it
// also keeps svnetd's accept rules in their extension points (DOCKER-USER, ufw-user-forward, a
// firewalld zone) while the network is up.
//
// Reading rules takes milliseconds, and firewalld may take longer to answer. So no call waits
// for that, except those of an administrator: a thread of its own calls WaitForWork and RunOnce,
// shortly after rules have changed.
//
// Threads: any may call. io_mutex_ is held while rules are read or written, mutex_ guards what
// is known.
class ForeignFirewallReconciler {
 public:
  using Clock = AcceptInstaller::Clock;

  // `networks`: those that may come to exist. `foreign` must outlive it. `manage`: it may add its
  // rules.
  ForeignFirewallReconciler(std::vector<GuestNetwork> networks, bool manage,
                            ForeignFirewalls* foreign, Clock clock);

  // One more that may come to exist.
  void AddNetwork(const GuestNetwork& network) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetManage(bool manage) ABSL_LOCKS_EXCLUDED(mutex_);
  // That network, one of those that may exist, does, and its guests get out through this link
  // (empty: unknown).
  void NetworkUp(const NetworkName& name, const std::string& uplink) ABSL_LOCKS_EXCLUDED(mutex_);
  // svnetd has turned forwarding on. `for_all`: its rules do not drop what is forwarded between
  // other links. Marks the rules as changed.
  void SetForwardsForAll(bool for_all) ABSL_LOCKS_EXCLUDED(mutex_);
  // Another program has changed rules, or may have.
  void MarkDirty() ABSL_LOCKS_EXCLUDED(mutex_);

  // That network goes away: removes svnetd's rules for it from other firewalls now.
  absl::Status Withdraw(const NetworkName& name) ABSL_LOCKS_EXCLUDED(io_mutex_, mutex_);

  // Which firewalls drop guest traffic now; none without a network. While another thread reads or
  // writes rules, returns the result of the last look instead of waiting.
  std::vector<Condition> Conditions() ABSL_LOCKS_EXCLUDED(io_mutex_, mutex_);

  // The result of the last look.
  std::vector<Condition> KnownConditions() ABSL_LOCKS_EXCLUDED(mutex_);

  // The networks of which, by the last look, a chain drops what guests send or get.
  std::set<NetworkName> BlockedNetworks() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until RunOnce has something to do: true; false after StopWaiting.
  bool WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  // Reconciles once. The same failure is reported once only.
  ForeignFirewallReport RunOnce() ABSL_LOCKS_EXCLUDED(io_mutex_, mutex_);

 private:
  // The goal; what was pending is now this run's. Sets `dirty` if the rules may have changed.
  ForeignFirewallGoal BeginRun(bool* dirty) ABSL_LOCKS_EXCLUDED(mutex_);
  // The goal once that network is gone.
  ForeignFirewallGoal EndGoal(const NetworkName& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void RefreshConditions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(io_mutex_);
  void MarkDirtyNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock clock_;

  Mutex io_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  AcceptInstaller installer_ ABSL_GUARDED_BY(io_mutex_);
  AcceptRunner runner_ ABSL_GUARDED_BY(io_mutex_);

  Mutex mutex_;
  std::condition_variable_any changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  ForeignFirewallGoal goal_ ABSL_GUARDED_BY(mutex_);
  std::vector<Condition> conditions_ ABSL_GUARDED_BY(mutex_);
  RunSchedule schedule_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet

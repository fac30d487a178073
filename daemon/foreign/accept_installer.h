// svnetd's accept rules in other programs' firewalls.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/condition.h"
#include "daemon/base/repair_limit.h"
#include "daemon/foreign/accept_plan.h"
#include "daemon/foreign/foreign_firewall_goal.h"
#include "daemon/foreign/foreign_firewalls.h"

namespace svnet {

// Reads the chains, and adds and removes svnetd's rules. Not thread-safe.
class AcceptInstaller {
 public:
  using Clock = std::function<absl::Time()>;  // as MonotonicNow

  // `foreign` must outlive it.
  AcceptInstaller(ForeignFirewalls* foreign, Clock clock)
      : foreign_(foreign), clock_(std::move(clock)) {}

  absl::StatusOr<std::vector<FilterChain>> Read();
  // Whether iptables-legacy's rules may have changed since the last Read: the kernel does not
  // report that.
  bool IptablesLegacyMayHaveChanged();

  // What is to be changed in `chains`.
  AcceptPlan Plan(const std::vector<FilterChain>& chains, const ForeignFirewallGoal& goal) const;
  // Makes those changes, unless they have been undone too often (RepairLimit). Returns what was
  // changed, for people; empty if that failed.
  std::string Install(const AcceptPlan& plan, const ForeignFirewallGoal& goal);
  // Removes the rules for networks that are down; if all are, forgets Docker's bridges.
  absl::Status Withdraw(const ForeignFirewallGoal& goal);

  // Of the last Install or Withdraw, and when to try again.
  const absl::Status& failure() const { return failure_; }
  std::optional<absl::Time> retry_at() const { return retry_at_; }
  void ClearFailure();

  // What `chains` mean for guests.
  std::vector<Condition> Describe(const std::vector<FilterChain>& chains,
                                  const ForeignFirewallGoal& goal) const;

 private:
  void LearnDockerBridges(const std::vector<FilterChain>& chains);
  absl::Status Apply(const AcceptPlan& plan);
  void Fail(const absl::Status& failure, absl::Time retry_at);

  ForeignFirewalls* const foreign_;
  const Clock clock_;
  // The bridges in Docker's rules, and those that were in them earlier: while Docker rebuilds its
  // rules they are missing from them, but the containers are still there.
  std::set<std::string> docker_bridges_;
  bool knows_own_rules_ = false;  // has read the rules that an earlier svnetd left
  RepairLimit limit_;
  absl::Status failure_;
  std::optional<absl::Time> retry_at_;
};

}  // namespace svnet

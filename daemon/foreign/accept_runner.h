// Puts svnetd's accept rules right, and says what came of it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/foreign/accept_installer.h"
#include "daemon/foreign/foreign_firewall_goal.h"
#include "daemon/foreign/foreign_firewall_report.h"

namespace svnet {

// Not thread-safe.
class AcceptRunner {
 public:
  // `installer` must outlive it.
  AcceptRunner(AcceptInstaller* installer, Clock clock)
      : installer_(*installer), clock_(std::move(clock)) {}

  struct Outcome {
    ForeignFirewallReport report;
    // What is now wrong; nullopt: the chains could not be read.
    std::optional<std::vector<Condition>> conditions;
    // Another program has changed the chains since: iptables-legacy will not report that again.
    bool changed_again = false;
    std::optional<absl::Time> retry_at;
  };
  // The same failure is reported once only.
  Outcome Run(const ForeignFirewallGoal& goal);

 private:
  using Chains = std::vector<FilterChain>;

  // Adds and removes what is to be, and reads `chains` again.
  void Install(const ForeignFirewallGoal& goal, absl::StatusOr<Chains>* chains, Outcome* outcome);
  // Returns what failed, for people; empty: nothing.
  std::string Describe(const ForeignFirewallGoal& goal, const absl::StatusOr<Chains>& chains,
                       Outcome* outcome) const;

  AcceptInstaller& installer_;
  const Clock clock_;
  std::string last_failed_;
};

}  // namespace svnet

#include "daemon/foreign/accept_runner.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/foreign/accept_plan.h"

namespace svnet {
namespace {

using Kind = ForeignFirewallReport::Entry::Kind;

// After chains could not be read.
constexpr absl::Duration kRetry = absl::Seconds(10);

}  // namespace

AcceptRunner::Outcome AcceptRunner::Run(const ForeignFirewallGoal& goal) {
  Outcome outcome;
  absl::StatusOr<Chains> chains = installer_.Read();
  if (chains.ok()) Install(goal, &chains, &outcome);
  const std::string failed = Describe(goal, chains, &outcome);
  const bool is_new = std::exchange(last_failed_, failed) != failed;
  if (is_new && !failed.empty()) outcome.report.entries.push_back({Kind::kFailed, failed});
  return outcome;
}

void AcceptRunner::Install(const ForeignFirewallGoal& goal, absl::StatusOr<Chains>* chains,
                           Outcome* outcome) {
  if (!goal.up.empty()) {
    outcome->report.forward_filter = DescribeForwardFilter(**chains, goal.up.front().tables.text());
  }
  const AcceptPlan plan = installer_.Plan(**chains, goal);
  installer_.ClearFailure();
  if (plan.IsEmpty()) return;
  const std::string repaired = installer_.Install(plan, goal);
  if (!repaired.empty()) outcome->report.entries.push_back({Kind::kRepaired, repaired});
  *chains = installer_.Read();
  outcome->changed_again =
      chains->ok() && !repaired.empty() && !installer_.Plan(**chains, goal).IsEmpty();
}

std::string AcceptRunner::Describe(const ForeignFirewallGoal& goal,
                                   const absl::StatusOr<Chains>& chains, Outcome* outcome) const {
  if (!chains.ok()) {
    outcome->retry_at = clock_() + kRetry;
    return std::string(chains.status().message());
  }
  outcome->retry_at = installer_.retry_at();
  outcome->conditions = installer_.Describe(*chains, goal);
  if (installer_.failure().ok()) return "";
  return absl::StrCat("cannot change other programs' firewalls: ", installer_.failure().message());
}

}  // namespace svnet

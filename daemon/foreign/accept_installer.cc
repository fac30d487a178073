#include "daemon/foreign/accept_installer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_conditions.h"

namespace svnet {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(10);
// If another program was changing its rules.
constexpr absl::Duration kBusyRetry = absl::Milliseconds(100);

// Beyond this number, bridges that Docker's rules no longer name are forgotten.
constexpr size_t kMostDockerBridges = 64;

constexpr char kAccepts[] = "accepts";  // what is repaired, for the limit

std::string Describe(const AcceptPlan& plan, bool wants_accepts) {
  std::vector<std::string> where;
  for (const Placement& placement : plan.placements) where.push_back(placement.Describe());
  if (plan.ChangesZone()) {
    where.push_back(absl::StrCat("firewalld (zone ", kFirewalldZone, ")"));
  }
  return absl::StrCat(
      wants_accepts ? "added accept rules for guests to " : "removed accept rules for guests from ",
      absl::StrJoin(where, ", "));
}

}  // namespace

absl::StatusOr<std::vector<FilterChain>> AcceptInstaller::Read() {
  absl::StatusOr<std::vector<FilterChain>> chains = foreign_->Read();
  if (!chains.ok()) return WithContext("cannot read other programs' firewalls", chains.status());
  LearnDockerBridges(*chains);
  return chains;
}

void AcceptInstaller::LearnDockerBridges(const std::vector<FilterChain>& chains) {
  if (!std::exchange(knows_own_rules_, true)) {
    docker_bridges_ = FindReturnedBridges(chains, foreign_->tag());
  }
  const std::set<std::string> found = FindDockerBridges(chains);
  docker_bridges_.insert(found.begin(), found.end());
  if (docker_bridges_.size() > kMostDockerBridges) docker_bridges_ = found;
}

bool AcceptInstaller::IptablesLegacyMayHaveChanged() {
  const absl::StatusOr<bool> changed = foreign_->IptablesLegacyWasChanged();
  return !changed.ok() || *changed;
}

AcceptPlan AcceptInstaller::Plan(const std::vector<FilterChain>& chains,
                                 const ForeignFirewallGoal& goal) const {
  if (goal.manage) return PlanAccepts(chains, goal.up, goal.down, docker_bridges_, foreign_->tag());
  std::vector<GuestNetwork> all = goal.up;
  all.insert(all.end(), goal.down.begin(), goal.down.end());
  return PlanAccepts(chains, {}, all, docker_bridges_, foreign_->tag());
}

void AcceptInstaller::ClearFailure() {
  failure_ = absl::OkStatus();
  retry_at_.reset();
}

void AcceptInstaller::Fail(const absl::Status& failure, absl::Time retry_at) {
  failure_ = failure;
  retry_at_ = retry_at;
}

std::string AcceptInstaller::Install(const AcceptPlan& plan, const ForeignFirewallGoal& goal) {
  limit_.EndPauses(clock_());
  if (limit_.IsPaused(kAccepts)) {
    Fail(absl::UnavailableError(
             absl::StrCat("svnetd's accept rules keep being removed; it will try again in ",
                          absl::FormatDuration(RepairLimit::kPause))),
         *limit_.NextDue());
    return "";
  }
  if (!Apply(plan).ok()) return "";
  limit_.Note(kAccepts, clock_());
  return svnet::Describe(plan, goal.WantsAccepts());
}

absl::Status AcceptInstaller::Withdraw(const ForeignFirewallGoal& goal) {
  ClearFailure();
  SVNET_ASSIGN_OR_RETURN(const std::vector<FilterChain> chains, Read());
  if (goal.up.empty()) docker_bridges_.clear();
  return Apply(Plan(chains, goal));
}

absl::Status AcceptInstaller::Apply(const AcceptPlan& plan) {
  absl::Status first = absl::OkStatus();
  for (const Placement& placement : plan.placements) {
    first.Update(foreign_->Replace(placement.chain, placement.rules));
  }
  // In this order: when a member leaves a zone, firewalld 1.3 drops the rules of the zone's policy,
  // also those for other members.
  for (const ZoneMember& member : plan.leave) first.Update(foreign_->LeaveZone(member));
  for (const ZoneMember& member : plan.join) first.Update(foreign_->JoinZone(member));
  ClearFailure();
  if (!first.ok()) Fail(first, clock_() + (absl::IsUnavailable(first) ? kBusyRetry : kRetry));
  return first;
}

std::vector<Condition> AcceptInstaller::Describe(const std::vector<FilterChain>& chains,
                                                 const ForeignFirewallGoal& goal) const {
  if (goal.up.empty()) return {};
  return ForeignFirewallConditions({.chains = chains,
                                    .networks = goal.up,
                                    .iptables_legacy_is_hidden = foreign_->IptablesLegacyIsHidden(),
                                    .forwards_for_all = goal.forwards_for_all,
                                    .manage = goal.manage,
                                    .failure = failure_,
                                    .accepts_are_pending = !Plan(chains, goal).IsEmpty()});
}

}  // namespace svnet

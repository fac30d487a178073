#include "daemon/network/coexistence.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// A reload is many changes: it is over when there are none for so long.
constexpr absl::Duration kQuiet = absl::Milliseconds(20);
constexpr absl::Duration kLongestWait = absl::Milliseconds(500);
// The share of one processor's time that reading may take: one in twenty.
constexpr int kPatience = 20;
constexpr absl::Duration kRetry = absl::Seconds(10);
// When another program is at its rules for the moment.
constexpr absl::Duration kBusyRetry = absl::Milliseconds(100);
// iptables-legacy says nothing of changes.
constexpr absl::Duration kLegacyInterval = absl::Seconds(10);

// More of Docker's bridges than that are not remembered when its rules no longer name them.
constexpr size_t kMostDockerBridges = 64;

constexpr char kAccepts[] = "accepts";  // what is repaired, for the limit

std::string Describe(const CoexistencePlan& plan, bool admits) {
  std::vector<std::string> where;
  for (const Placement& placement : plan.placements) where.push_back(placement.Describe());
  if (plan.zone != CoexistencePlan::Zone::kAsItIs) {
    where.push_back(absl::StrCat("firewalld (zone ", kFirewalldZone, ")"));
  }
  return absl::StrCat(admits ? "guests are let through " : "guests are no longer let through ",
                      absl::StrJoin(where, ", "));
}

}  // namespace

Coexistence::Coexistence(const LinkName& bridge, bool manage, ForeignFirewalls* foreign,
                         Clock clock)
    : clock_(std::move(clock)), foreign_(foreign) {
  wish_ = {.manage = manage, .serves = false, .network = {.bridge = bridge.text(), .uplink = ""}};
}

void Coexistence::SetManage(bool manage) {
  MutexLock lock(&mutex_);
  if (std::exchange(wish_.manage, manage) != manage) SuspectNow();
}

void Coexistence::Serve(const std::string& uplink) {
  MutexLock lock(&mutex_);
  const bool knows = wish_.serves && wish_.network.uplink == uplink;
  wish_.serves = true;
  wish_.network.uplink = uplink;
  if (!knows) SuspectNow();
}

void Coexistence::SetForwardsForAll(bool for_all) {
  MutexLock lock(&mutex_);
  wish_.forwards_for_all = for_all;
  SuspectNow();
}

void Coexistence::Suspect() {
  MutexLock lock(&mutex_);
  if (!wish_.serves) return;
  last_change_ = clock_();
  if (suspect_since_.has_value()) return;  // who waits wakes up by itself
  suspect_since_ = last_change_;
  changed_.notify_all();
}

void Coexistence::SuspectNow() {
  suspect_since_ = absl::InfinitePast();
  changed_.notify_all();
}

void Coexistence::TryAgainAt(absl::Time when) {
  MutexLock lock(&mutex_);
  try_again_ = when;
}

void Coexistence::TryAgainAfter(const absl::Status& failure) {
  TryAgainAt(clock_() + (absl::IsUnavailable(failure) ? kBusyRetry : kRetry));
}

absl::Time Coexistence::NextDue() const {
  absl::Time due = wish_.serves ? next_legacy_look_ : absl::InfiniteFuture();
  if (try_again_.has_value()) due = std::min(due, std::max(*try_again_, not_before_));
  if (suspect_since_.has_value()) {
    const absl::Time settled = std::min(last_change_ + kQuiet, *suspect_since_ + kLongestWait);
    due = std::min(due, std::max(settled, not_before_));
  }
  return due;
}

bool Coexistence::WaitForWork() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const absl::Duration left = NextDue() - clock_();
    if (left <= absl::ZeroDuration()) return true;
    if (left == absl::InfiniteDuration()) {
      changed_.wait(mutex_);
    } else {
      changed_.wait_for(mutex_, absl::ToChronoNanoseconds(left));
    }
  }
  return false;
}

void Coexistence::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

bool Coexistence::IsSuspect() {
  MutexLock lock(&mutex_);
  return suspect_since_.has_value() || (try_again_.has_value() && *try_again_ <= clock_());
}

Coexistence::Wish Coexistence::TakeWish() {
  MutexLock lock(&mutex_);
  suspect_since_.reset();
  try_again_.reset();
  next_legacy_look_ = clock_() + kLegacyInterval;
  return wish_;
}

void Coexistence::Work() {
  Report report;
  {
    MutexLock acting(&acting_);
    // Before it is taken: whoever changes it later has this looked at again.
    const bool suspect = IsSuspect();
    const Wish wish = TakeWish();
    const absl::StatusOr<bool> legacy = suspect ? true : foreign_->LegacyWasChanged();
    const absl::Time start = clock_();
    if (!legacy.ok() || *legacy) report = MakeRight(wish);
    const absl::Time end = clock_();
    MutexLock lock(&mutex_);
    not_before_ = end + kPatience * (end - start);
  }
  if (!report.filter.empty()) on_filter_(report.filter);
  if (!report.repaired.empty()) {
    publish_({.type = TapEvent::Type::kRepaired, .lease = {}, .message = report.repaired});
  }
  if (!report.failed.empty()) {
    publish_({.type = TapEvent::Type::kFailed, .lease = {}, .message = report.failed});
  }
}

absl::StatusOr<std::vector<FilterChain>> Coexistence::Read() {
  absl::StatusOr<std::vector<FilterChain>> chains = foreign_->Read();
  if (!chains.ok()) return Prepend("cannot read other people's packet filters", chains.status());
  LearnDockerBridges(*chains);
  return chains;
}

void Coexistence::LearnDockerBridges(const std::vector<FilterChain>& chains) {
  if (!std::exchange(knows_own_rules_, true)) {
    docker_bridges_ = FindReturnedBridges(chains, foreign_->tag());
  }
  const std::set<std::string> found = FindDockerBridges(chains);
  docker_bridges_.insert(found.begin(), found.end());
  if (docker_bridges_.size() > kMostDockerBridges) docker_bridges_ = found;
}

CoexistencePlan Coexistence::Plan(const std::vector<FilterChain>& chains, const Wish& wish) const {
  return PlanCoexistence(chains, wish.network, docker_bridges_, foreign_->tag(), wish.Admits());
}

Coexistence::Report Coexistence::MakeRight(const Wish& wish) {
  Report report;
  absl::StatusOr<std::vector<FilterChain>> chains = Read();
  if (chains.ok() && wish.serves) {
    report.filter = DescribeForwardFilter(*chains, wish.network.bridge).value_or("");
  }
  if (chains.ok()) {
    const CoexistencePlan plan = Plan(*chains, wish);
    failure_ = absl::OkStatus();
    if (!plan.IsEmpty()) {
      report.repaired = Repair(plan, wish);
      chains = Read();
      // Somebody has changed them meanwhile: iptables-legacy will not say so again.
      const bool again = chains.ok() && !report.repaired.empty() && !Plan(*chains, wish).IsEmpty();
      MutexLock lock(&mutex_);
      if (again) SuspectNow();
    }
  }
  std::string failed;
  if (chains.ok()) {
    const std::vector<Condition> conditions = Describe(*chains, wish);
    failed = absl::StrJoin(conditions, "; ", [](std::string* out, const Condition& each) {
      absl::StrAppend(out, each.message);
    });
    MutexLock lock(&mutex_);
    conditions_ = conditions;
  } else {
    failed = std::string(chains.status().message());
    TryAgainAt(clock_() + kRetry);
  }
  if (failed.empty() && !failure_.ok()) failed = std::string(failure_.message());
  if (std::exchange(last_failed_, failed) != failed) report.failed = failed;  // and once
  return report;
}

// What was done, for people; empty if it was not.
std::string Coexistence::Repair(const CoexistencePlan& plan, const Wish& wish) {
  limit_.EndPauses(clock_());
  if (limit_.IsPaused(kAccepts)) {
    failure_ = absl::UnavailableError(
        absl::StrCat("somebody takes them away again and again, and svnetd has stopped to put "
                     "them back for ",
                     absl::FormatDuration(RepairLimit::kPause)));
    TryAgainAt(*limit_.NextDue());
    return "";
  }
  failure_ = CarryOut(plan);
  if (failure_.ok()) {
    limit_.Note(kAccepts, clock_());
    return svnet::Describe(plan, wish.Admits());
  }
  TryAgainAfter(failure_);
  return "";
}

absl::Status Coexistence::CarryOut(const CoexistencePlan& plan) {
  absl::Status first = absl::OkStatus();
  for (const Placement& placement : plan.placements) {
    first.Update(foreign_->Replace(placement.chain, placement.rules));
  }
  if (plan.zone == CoexistencePlan::Zone::kJoin) first.Update(foreign_->JoinZone());
  if (plan.zone == CoexistencePlan::Zone::kLeave) first.Update(foreign_->LeaveZone());
  return first;
}

absl::Status Coexistence::Withdraw() {
  MutexLock acting(&acting_);
  Wish wish;
  {
    MutexLock lock(&mutex_);
    wish_.serves = false;
    conditions_.clear();
    suspect_since_.reset();
    try_again_.reset();
    wish = wish_;
  }
  SVNET_ASSIGN_OR_RETURN(const std::vector<FilterChain> chains, Read());
  docker_bridges_.clear();
  const absl::Status status = CarryOut(Plan(chains, wish));
  if (!status.ok()) TryAgainAfter(status);
  return status;
}

std::vector<Condition> Coexistence::Conditions() {
  if (acting_.try_lock()) {
    const absl::StatusOr<bool> legacy = foreign_->LegacyWasChanged();
    if (IsSuspect() || !legacy.ok() || *legacy) {
      Wish wish;
      {
        MutexLock lock(&mutex_);
        wish = wish_;
      }
      const absl::StatusOr<std::vector<FilterChain>> chains = Read();
      std::vector<Condition> conditions;
      if (chains.ok()) conditions = Describe(*chains, wish);
      MutexLock lock(&mutex_);
      if (chains.ok()) conditions_ = conditions;
      // What is to be done about it is not done here.
      if (wish_.serves) SuspectNow();
    }
    acting_.unlock();
  }
  return KnownConditions();
}

std::vector<Condition> Coexistence::KnownConditions() {
  MutexLock lock(&mutex_);
  return conditions_;
}

std::vector<Condition> Coexistence::Describe(const std::vector<FilterChain>& chains,
                                             const Wish& wish) const {
  std::vector<Condition> conditions;
  if (!wish.serves) return conditions;
  if (wish.forwards_for_all && !IsForwardingFiltered(chains)) {
    conditions.push_back(
        {.type = "FORWARDING_FOR_ALL",
         .message = "svnetd has turned net.ipv4.ip_forward on, and nobody filters what this host "
                    "forwards between its other networks",
         .remedy = "filter it, or, if nobody else needs it: sysctl net.ipv4.ip_forward=0, after "
                   "which svnetd turns it on for its guests alone"});
  }
  for (const Blocker& blocker : FindBlockers(chains, wish.network)) {
    conditions.push_back(Describe(blocker, chains, wish));
  }
  if (foreign_->LegacyIsHidden()) {
    conditions.push_back(
        {.type = "FOREIGN_FIREWALL",
         .message = "iptables-legacy has rules, which svnetd cannot see: whether they let guests "
                    "through is not known",
         .remedy =
             "have Docker and others use iptables-nft, or add RestrictAddressFamilies=AF_INET "
             "to svnetd.service (systemctl edit svnetd) and restart it"});
  }
  return conditions;
}

Condition Coexistence::Describe(const Blocker& blocker, const std::vector<FilterChain>& chains,
                                const Wish& wish) const {
  Condition condition = {
      .type = "FOREIGN_FIREWALL",
      .message = blocker.Describe(),
      .remedy = absl::StrCat("type: ", FixOf(chains, blocker, wish.network.bridge))};
  if (!IsManageable(blocker.maker)) return condition;
  if (!wish.manage) {
    condition.remedy = absl::StrCat("set `manage_foreign_firewalls = true` and reload svnetd, or ",
                                    condition.remedy);
  } else if (!failure_.ok()) {
    absl::StrAppend(&condition.message,
                    "; svnetd cannot have its accepts there: ", failure_.message());
  } else if (!Plan(chains, wish).IsEmpty()) {
    absl::StrAppend(&condition.message, "; svnetd is about to let them through");
  } else {
    absl::StrAppend(&condition.message, "; no accept in its place for them changes that");
  }
  return condition;
}

}  // namespace svnet

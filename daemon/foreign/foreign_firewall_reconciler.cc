#include "daemon/foreign/foreign_firewall_reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

using Kind = ForeignFirewallReport::Entry::Kind;

// After chains could not be read.
constexpr absl::Duration kRetry = absl::Seconds(10);

std::vector<GuestNetwork>::iterator FindNamed(const NetworkName& name,
                                              std::vector<GuestNetwork>* networks) {
  return std::find_if(networks->begin(), networks->end(),
                      [&](const GuestNetwork& each) { return each.name == name; });
}

// Keeps the order by name, in which rules are placed. False if it is not in `from`.
bool Move(const NetworkName& name, std::vector<GuestNetwork>* from, std::vector<GuestNetwork>* to) {
  const auto network = FindNamed(name, from);
  if (network == from->end()) return false;
  const auto place = std::find_if(to->begin(), to->end(),
                                  [&](const GuestNetwork& each) { return name < each.name; });
  to->insert(place, std::move(*network));
  from->erase(network);
  return true;
}

}  // namespace

ForeignFirewallReconciler::ForeignFirewallReconciler(std::vector<GuestNetwork> networks,
                                                     bool manage, ForeignFirewalls* foreign,
                                                     Clock clock)
    : clock_(clock),
      installer_(foreign, std::move(clock)),
      goal_{.manage = manage, .up = {}, .down = std::move(networks)} {}

void ForeignFirewallReconciler::AddNetwork(const GuestNetwork& network) {
  MutexLock lock(&mutex_);
  goal_.down.push_back(network);
}

void ForeignFirewallReconciler::SetManage(bool manage) {
  MutexLock lock(&mutex_);
  if (std::exchange(goal_.manage, manage) != manage) MarkDirtyNow();
}

void ForeignFirewallReconciler::NetworkUp(const NetworkName& name, const std::string& uplink) {
  MutexLock lock(&mutex_);
  const bool is_new = Move(name, &goal_.down, &goal_.up);
  GuestNetwork& network = *FindNamed(name, &goal_.up);
  if (std::exchange(network.uplink, uplink) != uplink || is_new) MarkDirtyNow();
}

void ForeignFirewallReconciler::SetForwardsForAll(bool for_all) {
  MutexLock lock(&mutex_);
  goal_.forwards_for_all = for_all;
  MarkDirtyNow();
}

void ForeignFirewallReconciler::MarkDirty() {
  MutexLock lock(&mutex_);
  if (!goal_.up.empty() && schedule_.MarkDirty(clock_())) changed_.notify_all();
}

void ForeignFirewallReconciler::MarkDirtyNow() {
  schedule_.MarkDirtyNow();
  changed_.notify_all();
}

bool ForeignFirewallReconciler::WaitForWork() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const absl::Duration left = schedule_.NextDue(!goal_.up.empty()) - clock_();
    if (left <= absl::ZeroDuration()) return true;
    if (left == absl::InfiniteDuration()) {
      changed_.wait(mutex_);
    } else {
      changed_.wait_for(mutex_, absl::ToChronoNanoseconds(left));
    }
  }
  return false;
}

void ForeignFirewallReconciler::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

ForeignFirewallGoal ForeignFirewallReconciler::BeginRun(bool* dirty) {
  MutexLock lock(&mutex_);
  const absl::Time now = clock_();
  *dirty = schedule_.IsDirty(now);
  schedule_.Begin(now);
  return goal_;
}

ForeignFirewallReport ForeignFirewallReconciler::RunOnce() {
  MutexLock io(&io_mutex_);
  bool dirty = false;
  // A goal that changes after this makes the rules dirty again.
  const ForeignFirewallGoal goal = BeginRun(&dirty);
  dirty = dirty || installer_.IptablesLegacyMayHaveChanged();
  const absl::Time start = clock_();
  ForeignFirewallReport report;
  if (dirty) report = Reconcile(goal);
  MutexLock lock(&mutex_);
  schedule_.End(start, clock_());
  return report;
}

ForeignFirewallReport ForeignFirewallReconciler::Reconcile(const ForeignFirewallGoal& goal) {
  ForeignFirewallReport report;
  absl::StatusOr<std::vector<FilterChain>> chains = installer_.Read();
  if (chains.ok()) {
    if (!goal.up.empty()) {
      report.forward_filter = DescribeForwardFilter(*chains, goal.up.front().tables.text());
    }
    const AcceptPlan plan = installer_.Plan(*chains, goal);
    installer_.ClearFailure();
    if (!plan.IsEmpty()) {
      const std::string repaired = installer_.Install(plan, goal);
      if (!repaired.empty()) report.entries.push_back({Kind::kRepaired, repaired});
      chains = installer_.Read();
      // Another program has changed the chains since: iptables-legacy will not report that again.
      const bool again =
          chains.ok() && !repaired.empty() && !installer_.Plan(*chains, goal).IsEmpty();
      MutexLock lock(&mutex_);
      if (again) MarkDirtyNow();
    }
  }
  const std::string failed = TakeConditions(chains, goal);
  const bool is_new = std::exchange(last_failed_, failed) != failed;
  if (is_new && !failed.empty()) report.entries.push_back({Kind::kFailed, failed});
  return report;
}

std::string ForeignFirewallReconciler::TakeConditions(
    const absl::StatusOr<std::vector<FilterChain>>& chains, const ForeignFirewallGoal& goal) {
  MutexLock lock(&mutex_);
  if (!chains.ok()) {
    schedule_.RetryAt(clock_() + kRetry);
    return std::string(chains.status().message());
  }
  if (installer_.retry_at().has_value()) schedule_.RetryAt(*installer_.retry_at());
  conditions_ = installer_.Describe(*chains, goal);
  if (installer_.failure().ok()) return "";
  return absl::StrCat("cannot change other programs' firewalls: ", installer_.failure().message());
}

ForeignFirewallGoal ForeignFirewallReconciler::EndGoal(const NetworkName& name) {
  MutexLock lock(&mutex_);
  Move(name, &goal_.up, &goal_.down);
  std::erase_if(conditions_, [&](const Condition& each) { return each.network == name; });
  if (goal_.up.empty()) {
    conditions_.clear();
    schedule_.Clear();
  }
  return goal_;
}

absl::Status ForeignFirewallReconciler::Withdraw(const NetworkName& name) {
  MutexLock io(&io_mutex_);
  const absl::Status status = installer_.Withdraw(EndGoal(name));
  if (const auto retry_at = installer_.retry_at(); !status.ok() && retry_at.has_value()) {
    MutexLock lock(&mutex_);
    schedule_.RetryAt(*retry_at);
  }
  return status;
}

std::vector<Condition> ForeignFirewallReconciler::Conditions() {
  if (io_mutex_.try_lock()) {
    RefreshConditions();
    io_mutex_.unlock();
  }
  return KnownConditions();
}

void ForeignFirewallReconciler::RefreshConditions() {
  const bool legacy = installer_.IptablesLegacyMayHaveChanged();
  std::optional<ForeignFirewallGoal> goal;
  {
    MutexLock lock(&mutex_);
    if (!legacy && !schedule_.IsDirty(clock_())) return;
    goal = goal_;
  }
  const absl::StatusOr<std::vector<FilterChain>> chains = installer_.Read();
  MutexLock lock(&mutex_);
  if (chains.ok()) conditions_ = installer_.Describe(*chains, *goal);
  // The next run repairs.
  if (!goal_.up.empty()) MarkDirtyNow();
}

std::set<NetworkName> ForeignFirewallReconciler::BlockedNetworks() {
  MutexLock lock(&mutex_);
  std::set<NetworkName> blocked;
  for (const Condition& each : conditions_) {
    if (each.cuts_guests_off) blocked.insert(each.network);
  }
  return blocked;
}

std::vector<Condition> ForeignFirewallReconciler::KnownConditions() {
  MutexLock lock(&mutex_);
  return conditions_;
}

}  // namespace svnet

#include "daemon/foreign/foreign_firewall_reconciler.h"

#include <utility>

namespace svnet {

ForeignFirewallReconciler::ForeignFirewallReconciler(std::vector<GuestNetwork> networks,
                                                     bool manage, ForeignFirewalls* foreign,
                                                     Clock clock)
    : clock_(clock),
      installer_(foreign, clock),
      runner_(&installer_, std::move(clock)),
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
  if (goal_.BringUp(name, uplink)) MarkDirtyNow();
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
  AcceptRunner::Outcome outcome;
  if (dirty) outcome = runner_.Run(goal);
  MutexLock lock(&mutex_);
  if (outcome.changed_again) MarkDirtyNow();
  if (outcome.retry_at.has_value()) schedule_.RetryAt(*outcome.retry_at);
  if (outcome.conditions.has_value()) conditions_ = *std::move(outcome.conditions);
  schedule_.End(start, clock_());
  return outcome.report;
}

ForeignFirewallGoal ForeignFirewallReconciler::EndGoal(const NetworkName& name) {
  MutexLock lock(&mutex_);
  goal_.TakeDown(name);
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

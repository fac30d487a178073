#include "daemon/network/network_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status NoSuchTap(const LeaseSelector& selector) {
  if (const auto* name = std::get_if<LinkName>(&selector)) {
    return Error(Reason::kTapNotFound, absl::StrCat("there is no TAP ", name->text()));
  }
  const auto& ids = std::get<LeaseIds>(selector);
  return Error(Reason::kTapNotFound,
               absl::StrCat("there is no TAP for ", ids.vm.text(), " ", ids.iface.text()));
}

// The rules hold guests to their MACs and addresses all the same.
void AddUnpinned(const LeaseTable& leases, std::vector<Condition>* conditions) {
  const auto count = std::count_if(leases.all().begin(), leases.all().end(),
                                   [](const auto& each) { return !each.second.state.pinned; });
  if (count == 0) return;
  conditions->push_back(
      {.type = "PORTS_NOT_PINNED",
       .message = absl::StrCat(count,
                               " TAPs have no fixed place in the bridge's forwarding database: "
                               "the kernel could not do it, or somebody has changed it"),
       .remedy =
           "only the nftables rules hold their guests to their MACs; a newer kernel has both"});
}

}  // namespace

NetworkManager::NetworkManager(const NetworkSettings& settings, const Parts& parts)
    : settings_(settings),
      clock_(parts.clock),
      wall_clock_(parts.wall_clock),
      on_event_(parts.on_event),
      on_health_(parts.on_health),
      kernel_(parts.kernel),
      reaper_(parts.reaper),
      firewall_(parts.firewall),
      coexistence_(parts.coexistence) {}

absl::StatusOr<std::unique_ptr<NetworkManager>> NetworkManager::Start(
    const NetworkSettings& settings, const Parts& parts) {
  std::unique_ptr<NetworkManager> manager(new NetworkManager(settings, parts));
  SVNET_RETURN_IF_ERROR(manager->Begin());
  return manager;
}

absl::Status NetworkManager::Begin() {
  MutexLock lock(&mutex_);
  const auto publish = [this](const TapEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    watchers_.Publish(event);
    if (!event.message.empty()) on_event_(event);
  };
  SVNET_ASSIGN_OR_RETURN(
      keeper_, LeaseKeeper::Create(settings_, kernel_, firewall_, coexistence_, clock_, publish));
  const absl::Status begun = keeper_->Begin();
  ReportHealth();
  SVNET_RETURN_IF_ERROR(begun);
  if (coexistence_ == nullptr) return absl::OkStatus();
  coexistence_->SetPublish([this, publish](const TapEvent& event) {
    MutexLock lock(&mutex_);
    publish(event);
  });
  coexistence_->SetOnFilter([this](const std::string& whose) { NoteForwardFilter(whose); });
  if (keeper_->setup().bridge() != 0) Serve();
  return absl::OkStatus();
}

absl::Status NetworkManager::CatchUp() {
  const std::optional<absl::Time> due = keeper_->reap_queue().NextDue();
  const absl::Status caught_up = keeper_->CatchUp();
  const std::optional<absl::Time> now_due = keeper_->reap_queue().NextDue();
  if (now_due.has_value() && (!due.has_value() || *now_due < *due)) changed_.notify_all();
  ReportHealth();
  return caught_up;
}

void NetworkManager::ReportHealth() {
  const NetworkHealth health = keeper_->Health();
  if (reported_ == health) return;
  reported_ = health;
  on_health_(health);
}

void NetworkManager::Note(const std::string& what) {
  on_event_({.type = TapEvent::Type::kNoted, .lease = std::nullopt, .message = what});
}

void NetworkManager::NoteForwarding() {
  Note(
      "net.ipv4.ip_forward was 0 and is 1 for guests; what is forwarded between other links is "
      "dropped until another program filters it");
  if (coexistence_ != nullptr) coexistence_->SetForwardsForAll(false);
}

// In the thread of those who look at other people's filters.
void NetworkManager::NoteForwardFilter(const std::string& whose) {
  MutexLock lock(&mutex_);
  if (!keeper_->setup().OpenOtherForwarding()) return;
  Note(absl::StrCat("what is forwarded between other links is no longer dropped: ", whose,
                    " decides over it now"));
  coexistence_->SetForwardsForAll(true);
  CatchUp().IgnoreError();  // if the rules have to be made anew for it
}

void NetworkManager::Serve() {
  if (coexistence_ == nullptr || std::exchange(serves_, true)) return;
  coexistence_->Serve(keeper_->setup().FindUplink());
}

size_t NetworkManager::lease_count() {
  MutexLock lock(&mutex_);
  return keeper_->leases().size();
}

absl::StatusOr<LeaseKey> NetworkManager::KeyFor(const Caller& caller, const LeaseIds& ids) {
  const uid_t owner = ids.owner.value_or(caller.uid);
  if (owner != caller.uid && !caller.administrator) {
    return Error(Reason::kPermissionDenied,
                 "another owner_uid than one's own is for administrators");
  }
  return LeaseKey{.owner = owner, .vm = ids.vm, .iface = ids.iface};
}

absl::StatusOr<const Lease*> NetworkManager::FindLease(const Caller& caller,
                                                       const LeaseSelector& selector) {
  if (const auto* ids = std::get_if<LeaseIds>(&selector)) {
    SVNET_ASSIGN_OR_RETURN(const LeaseKey key, KeyFor(caller, *ids));
    return keeper_->leases().Find(key);
  }
  const Lease* lease = keeper_->leases().Find(std::get<LinkName>(selector));
  // Another's lease is as good as none.
  if (lease == nullptr || (lease->spec.key.owner != caller.uid && !caller.administrator))
    return nullptr;
  return lease;
}

absl::StatusOr<std::string> NetworkManager::GetBootArgs(const Caller& caller,
                                                        const BootArgsRequest& request) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, FindLease(caller, request.lease));
  if (lease == nullptr) return NoSuchTap(request.lease);
  return RenderBootArgs({.guest = lease->spec.ip,
                         .prefix = settings_.prefix,
                         .hostname = request.hostname,
                         .guest_interface = request.guest_interface,
                         .dns_servers = request.dns_servers});
}

absl::StatusOr<LeasePage> NetworkManager::ListTaps(const Caller& caller,
                                                   const std::optional<LinkName>& after,
                                                   size_t limit) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  LeasePage page;
  const auto& all = keeper_->leases().all();
  for (auto each = after.has_value() ? all.upper_bound(*after) : all.begin(); each != all.end();
       ++each) {
    const Lease& lease = each->second;
    if (lease.spec.key.owner != caller.uid && !caller.administrator) continue;
    if (page.leases.size() == limit) {
      page.more = true;
      break;
    }
    page.leases.push_back(lease);
  }
  return page;
}

absl::StatusOr<NetworkStatus> NetworkManager::GetNetwork() {
  bool looked = false;
  SVNET_ASSIGN_OR_RETURN(NetworkStatus status, GetOwnNetwork(&looked));
  if (coexistence_ == nullptr) return status;
  const std::vector<Condition> others =
      looked ? coexistence_->Conditions() : coexistence_->KnownConditions();
  std::vector<Condition>& conditions = status.setup.conditions;
  conditions.insert(conditions.end(), others.begin(), others.end());
  return status;
}

absl::StatusOr<NetworkStatus> NetworkManager::GetOwnNetwork(bool* looked) {
  MutexLock lock(&mutex_);
  return Observe(looked);
}

absl::StatusOr<NetworkMeasures> NetworkManager::Measure() {
  MutexLock lock(&mutex_);
  NetworkMeasures measures;
  bool looked = false;
  SVNET_ASSIGN_OR_RETURN(measures.status, Observe(&looked));
  SVNET_ASSIGN_OR_RETURN(measures.drops, firewall_->ReadDrops());
  const auto& leases = keeper_->leases().all();
  measures.attached = static_cast<uint32_t>(std::count_if(
      leases.begin(), leases.end(), [](const auto& each) { return each.second.state.attached; }));
  measures.dying = static_cast<uint32_t>(keeper_->reap_queue().size());
  measures.watchers = static_cast<uint32_t>(watchers_.count());
  return measures;
}

absl::Status NetworkManager::Look(bool* looked) {
  *looked = looks_.Take(clock_()) || !seen_.has_value();
  if (!*looked) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, keeper_->Resync());
  SVNET_ASSIGN_OR_RETURN(seen_, keeper_->setup().Observe(links, keeper_->leases().size() > 0));
  return absl::OkStatus();
}

absl::StatusOr<NetworkStatus> NetworkManager::Observe(bool* looked) {
  SVNET_RETURN_IF_ERROR(BeginCall());
  SVNET_RETURN_IF_ERROR(Look(looked));
  NetworkStatus status = {.setup = *seen_};
  const std::vector<Condition> conditions = keeper_->Conditions();
  status.setup.conditions.insert(status.setup.conditions.end(), conditions.begin(),
                                 conditions.end());
  AddUnpinned(keeper_->leases(), &status.setup.conditions);
  // The default route may lead elsewhere by now.
  if (serves_) coexistence_->Serve(status.setup.uplink);
  status.addresses_total = keeper_->pool().total();
  status.addresses_reaping = static_cast<uint32_t>(keeper_->reap_queue().addresses());
  status.addresses_used = static_cast<uint32_t>(keeper_->leases().size());
  return status;
}

absl::StatusOr<std::shared_ptr<Watch>> NetworkManager::WatchTaps(const Caller& caller,
                                                                 std::function<void()> wake) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  std::deque<TapEvent> snapshot;
  for (const auto& [tap, lease] : keeper_->leases().all()) {
    if (lease.spec.key.owner != caller.uid && !caller.administrator) continue;
    snapshot.push_back({.type = TapEvent::Type::kAdded, .lease = lease, .message = {}});
  }
  return watchers_.Add(caller, std::move(snapshot), std::move(wake));
}

void NetworkManager::EndWatches(const absl::Status& why) {
  MutexLock lock(&mutex_);
  watchers_.EndAll(why);
}

int NetworkManager::attention_fd() {
  MutexLock lock(&mutex_);
  return keeper_->attention_fd();
}

absl::Status NetworkManager::BeginCall() {
  last_call_ = absl::ToUnixNanos(clock_());
  return CatchUp();
}

absl::Duration NetworkManager::BusyFor() const {
  return absl::FromUnixNanos(last_call_) + kBusy - clock_();
}

bool NetworkManager::Attend() {
  MutexLock lock(&mutex_);
  // What it cannot do now it tries again by itself.
  CatchUp().IgnoreError();
  changed_.notify_all();
  return keeper_->hears();
}

}  // namespace svnet

#include "daemon/network/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "daemon/lease/tampering.h"

namespace svnet {
namespace {

// The timer's own tag is 0, a TAP's process has the TAP's ifindex.
constexpr uint64_t kChangesTag = uint64_t{1} << 32;

// Names of the dying that are taken in a row, before something else must be wrong.
constexpr int kNameAttempts = 10;

// How often it is tried to forget flows, before their addresses come back all the same.
constexpr int kFlowAttempts = 3;

// A link that has come to have the number of a lease's TAP: neither does its alias say that
// it is ours, nor is it that owner's.
bool IsSomethingElse(const Link& link, const Lease& lease) {
  return link.kind != LinkKind::kTap ||
         (link.alias != FormatAlias(lease.spec) && link.owner != lease.spec.key.owner);
}

// What is to be done away with of a lease that ends.
RetiredTap RetiredTapOf(const Lease& lease, bool tampered) {
  if (!tampered) return {.address = lease.spec.ip};
  return {.address = lease.spec.ip,
          .counts_for = lease.spec.key.owner,
          .queues = CountedQueues(lease.spec)};
}

absl::Status CannotRead(const absl::Status& cause) {
  return Explain(Reason::kBridgeSetupFailed, "cannot read the host's links", cause);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LeaseKeeper>> LeaseKeeper::Create(const NetworkSettings& settings,
                                                                 Kernel* kernel, Firewall* firewall,
                                                                 Coexistence* coexistence,
                                                                 Clock clock, Publish publish) {
  SVNET_ASSIGN_OR_RETURN(EventPoller poller, EventPoller::Create());
  SVNET_RETURN_IF_ERROR(poller.Watch(kernel->changes_fd(), kChangesTag));
  SVNET_RETURN_IF_ERROR(poller.Watch(firewall->changes_fd(), kChangesTag));
  return std::unique_ptr<LeaseKeeper>(new LeaseKeeper(settings, kernel, firewall, coexistence,
                                                      std::move(clock), std::move(publish),
                                                      std::move(poller)));
}

LeaseKeeper::LeaseKeeper(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall,
                         Coexistence* coexistence, Clock clock, Publish publish, EventPoller poller)
    : settings_(settings),
      kernel_(kernel),
      firewall_(firewall),
      coexistence_(coexistence),
      clock_(std::move(clock)),
      publish_(std::move(publish)),
      setup_(settings, kernel, firewall),
      pool_(settings.prefix),
      poller_(std::move(poller)) {}

absl::Status LeaseKeeper::Begin() {
  SVNET_RETURN_IF_ERROR(setup_.CheckPrefix());
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, Resync());
  const absl::StatusOr<bool> was_left = setup_.WasLeft();
  if (leases_.size() > 0 || (was_left.ok() && *was_left)) {
    // A network that cannot be made whole is no reason to refuse the owners of its
    // leases: GetNetwork says what is wrong, and CreateTap why it cannot go on.
    const absl::StatusOr<NetworkSetup::Ensured> ensured = setup_.Ensure(leases_);
    if (!ensured.ok()) Fail(std::string(ensured.status().message()));
  }
  // Now that it is known which bridge they should be on.
  NoteLeasesLinks(links);
  if (const absl::Status read = ReadStaticMacs(); !read.ok()) return CannotRead(read);
  return CatchUp();
}

absl::Status LeaseKeeper::CatchUp() {
  NoteEndedProcesses(poller_.PollNow());
  const absl::StatusOr<KernelChanges> changes = kernel_->TakeChanges();
  const absl::StatusOr<bool> rules_changed = firewall_->WereChanged();
  hears_ = changes.ok() && rules_changed.ok();
  if (!hears_) Fail("cannot hear what the kernel says: all is read anew, again and again");
  if (!changes.ok() || changes->lost) resync_ = true;
  if (changes.ok()) Note(*changes);
  if (!rules_changed.ok() || *rules_changed) setup_.SuspectRules();
  if (firewall_->OthersWereChanged() && coexistence_ != nullptr) coexistence_->Suspect();
  const absl::Time now = clock_();
  if (limit_.EndPauses(now) || (try_again_.has_value() && *try_again_ <= now)) resync_ = true;
  if (resync_) {
    try_again_ = now + kRetry;  // should it fail
    SVNET_RETURN_IF_ERROR(Resync().status());
    try_again_.reset();
  }
  EndTampered();
  Repair();
  EndOver();
  Reschedule();
  return absl::OkStatus();
}

PortPlan LeaseKeeper::Plan() const {
  return {.bridge_name = settings_.bridge,
          .bridge = setup_.bridge(),
          .group = DeriveLinkGroup(settings_.bridge),
          .isolated = settings_.isolation == Isolation::kAll};
}

std::vector<Condition> LeaseKeeper::Conditions() const {
  std::vector<Condition> conditions = not_adopted_;
  if (const std::vector<std::string> paused = limit_.Paused(); !paused.empty()) {
    conditions.push_back(
        {.type = "DEGRADED",
         .message = absl::StrCat("svnetd has paused repairing ", absl::StrJoin(paused, ", "),
                                 " for ", absl::FormatDuration(RepairLimit::kPause),
                                 " because something keeps changing it back"),
         .remedy = "find what it is: another network manager, a firewall's reload, a script",
         .for_all = absl::StrCat("svnetd has paused repairing something for ",
                                 absl::FormatDuration(RepairLimit::kPause),
                                 " because something keeps changing it back")});
  }
  if (flow_failures_ >= kFlowAttempts) {
    conditions.push_back(
        {.type = "FLOWS_NOT_FORGOTTEN",
         .message = "connection tracking does not let svnetd end what it knows of freed addresses: "
                    "a new guest may get an earlier one's packets",
         .remedy = "a kernel with CONFIG_NF_CT_NETLINK"});
  }
  return conditions;
}

NetworkHealth LeaseKeeper::Health() const {
  const bool in_use = leases_.size() > 0;
  return {.network = !in_use || setup_.NetworkStands(),
          .firewall = !in_use || setup_.RulesStand(),
          .monitor = !resync_};  // it was to be read anew, and could not be
}

void LeaseKeeper::Add(const Lease& lease, Process process) {
  leases_.Insert(lease);
  pool_.Take(lease.spec.ip).IgnoreError();
  ports_.insert(lease.state.ifindex);
  reap_queue_.NoteActivity(clock_());
  AddLifetime(lease, std::move(process));
  publish_({.type = TapEvent::Type::kAdded, .lease = lease, .message = {}});
}

void LeaseKeeper::AddLifetime(const Lease& lease, Process process) {
  const bool lives =
      process.pidfd.valid() && poller_.Watch(process.pidfd.get(), lease.state.ifindex).ok();
  if (lives) processes_.insert_or_assign(lease.state.ifindex, std::move(process.pidfd));
  lifetimes_.Add(lease, lives, clock_());
}

absl::Status LeaseKeeper::Retire(const Lease& lease, const std::string& why) {
  const Lease ended = lease;  // `lease` may be what is erased below
  absl::Status retired = setup_.Unguard(ended);
  if (retired.ok())
    retired = RetireTap(ended.state.ifindex,
                        RetiredTapOf(ended, tampered_.contains(ended.state.ifindex)));
  if (!retired.ok()) {
    // Whole, as it was; but nothing is given back to a guest that is cut off for good.
    if (!tampered_.contains(ended.state.ifindex)) setup_.Guard(ended).IgnoreError();
    return retired;
  }
  Forget(ended, why);
  return absl::OkStatus();
}

absl::Status LeaseKeeper::RetireTap(Ifindex tap, const RetiredTap& what) {
  const uint32_t group = RetiredGroupOf(DeriveLinkGroup(settings_.bridge));
  const absl::Status status = kernel_->RetireTap(tap, group);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  RetiredTap retired = what;
  retired.gone = absl::IsNotFound(status);
  reap_queue_.Add(tap, retired, clock_());
  return absl::OkStatus();
}

absl::StatusOr<bool> LeaseKeeper::FreeName(const LinkName& name) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(name));
  if (!link.has_value()) return true;
  if (!reap_queue_.Contains(link->ifindex)) return false;
  absl::Status status = absl::OkStatus();
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    status = kernel_->RenameLink(link->ifindex, RetiredTapName(link->ifindex, attempt));
    if (!absl::IsAlreadyExists(status)) break;
  }
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  return true;
}

void LeaseKeeper::Forget(const Lease& lease, const std::string& why) {
  const Lease ended = lease;
  leases_.Erase(ended.spec.tap);
  lifetimes_.Remove(ended.state.ifindex);
  suspects_.erase(ended.state.ifindex);
  tampered_.erase(ended.state.ifindex);
  robbed_.erase(ended.state.ifindex);
  limit_.Forget(std::string(ended.spec.tap.text()));
  if (const auto process = processes_.find(ended.state.ifindex); process != processes_.end()) {
    poller_.Unwatch(process->second.get());
    processes_.erase(process);
  }
  publish_({.type = TapEvent::Type::kRemoved, .lease = ended, .message = why});
}

void LeaseKeeper::ForgetAll() {
  while (leases_.size() > 0) {
    const Lease& lease = leases_.all().begin()->second;
    reap_queue_.Add(lease.state.ifindex, RetiredTapOf(lease, false), clock_());
    Forget(lease, "");
  }
  reap_queue_.NoteAllGone();
  ports_.clear();
}

void LeaseKeeper::EndVanished(const Lease& lease) {
  const Lease ended = lease;
  setup_.Unguard(ended).IgnoreError();  // if not: all is made anew
  reap_queue_.Add(ended.state.ifindex, {.address = ended.spec.ip, .gone = true}, clock_());
  Forget(ended, "somebody has deleted the TAP");
}

void LeaseKeeper::FinishReaping(const absl::Status& destroyed,
                                const absl::Status& flows_forgotten) {
  flow_failures_ = flows_forgotten.ok() ? 0 : flow_failures_ + 1;
  const bool done = destroyed.ok() && (flow_failures_ == 0 || flow_failures_ >= kFlowAttempts);
  if (!destroyed.ok()) Fail(absl::StrCat("cannot destroy TAPs: ", destroyed.message()));
  if (!flows_forgotten.ok()) Fail(std::string(flows_forgotten.message()));
  if (!done) reap_queue_.DelayUntil(clock_() + kRetry);
  for (const auto& [ifindex, tap] : reap_queue_.Finish(done)) {
    if (!tap.gone) ports_.erase(ifindex);
    if (tap.address.has_value() && !leases_.HasIp(*tap.address)) pool_.Free(*tap.address);
  }
}

void LeaseKeeper::Fail(const std::string& what) {
  if (std::exchange(last_failure_, what) == what) return;  // said already
  publish_({.type = TapEvent::Type::kFailed, .lease = std::nullopt, .message = what});
}

absl::StatusOr<std::vector<Link>> LeaseKeeper::Resync() {
  absl::StatusOr<std::vector<Link>> links = kernel_->ListLinks();
  if (!links.ok()) return CannotRead(links.status());
  resync_ = false;
  EndAllBut(*links);
  TakeIn(*links);
  ReadPorts(*links);
  NoteLeasesLinks(*links);
  if (const absl::Status read = ReadStaticMacs(); !read.ok()) return CannotRead(read);
  return links;
}

void LeaseKeeper::NoteLeasesLinks(const std::vector<Link>& links) {
  for (const Link& link : links) {
    if (const Lease* lease = leases_.FindByIfindex(link.ifindex)) NoteLeasesLink(link, *lease);
  }
}

void LeaseKeeper::EndAllBut(const std::vector<Link>& links) {
  std::map<Ifindex, const Link*> standing;
  for (const Link& link : links) standing.emplace(link.ifindex, &link);
  std::vector<Lease> vanished;
  for (const auto& [tap, lease] : leases_.all()) {
    const auto found = standing.find(lease.state.ifindex);
    if (found == standing.end() || IsSomethingElse(*found->second, lease)) {
      vanished.push_back(lease);
    }
  }
  for (const Lease& lease : vanished) EndVanished(lease);
  for (const auto& [tap, what] : reap_queue_.waiting()) {
    if (!standing.contains(tap)) reap_queue_.NoteGone(tap);
  }
}

// What an earlier svnetd left, and TAPs that somebody has made by hand.
void LeaseKeeper::TakeIn(const std::vector<Link>& links) {
  std::vector<Link> unknown;
  for (const Link& link : links) {
    if (leases_.FindByIfindex(link.ifindex) == nullptr && !reap_queue_.Contains(link.ifindex)) {
      unknown.push_back(link);
    }
  }
  Adoption adoption = Adopt(unknown, PlanAmong(links), settings_.prefix);
  not_adopted_ = std::move(adoption.conditions);
  for (const Lease& lease : adoption.leases) {
    if (!TakeIn(lease)) not_adopted_.push_back(InTheWay(lease.spec.tap.text()));
  }
  for (const EndedTap& tap : adoption.tampered) RemoveTampered(tap);
  for (const EndedTap& tap : adoption.retired) {
    pool_.Adopt(tap.lease.spec.ip).IgnoreError();
    reap_queue_.Add(tap.lease.state.ifindex, RetiredTapOf(tap.lease, !tap.tampering.empty()),
                    clock_());
    if (tap.mac != kTapMac) reap_queue_.FlushNow();
  }
}

// It never becomes a lease again, but its owner is told that it was one.
void LeaseKeeper::RemoveTampered(const EndedTap& tap) {
  const Lease& lease = tap.lease;
  // An earlier svnetd's rules may still let it through. If that fails, all are made anew.
  setup_.Unguard(lease).IgnoreError();
  const absl::Status retired = RetireTap(lease.state.ifindex, RetiredTapOf(lease, true));
  if (!retired.ok()) {
    try_again_ = clock_() + kRetry;
    return Fail(absl::StrCat("cannot remove ", lease.spec.tap.text(), " (", tap.tampering,
                             "): ", retired.message()));
  }
  pool_.Adopt(lease.spec.ip).IgnoreError();
  if (tap.mac != kTapMac) reap_queue_.FlushNow();
  publish_(
      {.type = TapEvent::Type::kRemoved, .lease = lease, .message = ByItsHolder(tap.tampering)});
}

bool LeaseKeeper::TakeIn(const Lease& lease) {
  if (!leases_.Insert(lease)) return false;
  pool_.Adopt(lease.spec.ip).IgnoreError();
  setup_.SuspectRules();
  setup_.SuspectNeighbours();
  // Perhaps a repair was never finished.
  if (!lease.state.pinned)
    suspects_[lease.state.ifindex] = "its MAC had no fixed place on the bridge";
  Process process;
  if (const auto* bound = std::get_if<BoundToProcess>(&lease.spec.lifetime)) {
    absl::StatusOr<Process> found = kernel_->OpenProcess(bound->pid);
    if (found.ok() && found->start_time == bound->start_time) process = *std::move(found);
  }
  AddLifetime(lease, std::move(process));
  publish_({.type = TapEvent::Type::kAdded, .lease = lease, .message = {}});
  return true;
}

// A place that a lease's MAC has lost while nobody listened: no repair counts.
absl::Status LeaseKeeper::ReadStaticMacs() {
  if (setup_.bridge() == 0 || leases_.size() == 0) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const auto macs, kernel_->ListStaticMacs(setup_.bridge()));
  for (const auto& [tap, lease] : leases_.all()) {
    if (!lease.state.pinned || lease.state.bridge != setup_.bridge()) continue;
    if (macs.contains({lease.state.ifindex, lease.spec.mac})) continue;
    suspects_[lease.state.ifindex] = kLostPlace;
    robbed_.insert(lease.state.ifindex);
  }
  return absl::OkStatus();
}

PortPlan LeaseKeeper::PlanAmong(const std::vector<Link>& links) const {
  PortPlan plan = Plan();
  for (const Link& link : links) {
    if (link.kind == LinkKind::kBridge && link.name == settings_.bridge.text()) {
      plan.bridge = link.ifindex;
    }
  }
  return plan;
}

void LeaseKeeper::ReadPorts(const std::vector<Link>& links) {
  ports_.clear();
  const auto bridge = std::find_if(links.begin(), links.end(), [&](const Link& link) {
    return link.name == settings_.bridge.text();
  });
  if (bridge == links.end()) return;
  for (const Link& link : links) {
    if (link.master == bridge->ifindex) ports_.insert(link.ifindex);
  }
}

}  // namespace svnet

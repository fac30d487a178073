// NetworkManager: what is removed, and how it dies.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/names.h"
#include "daemon/network/network_manager.h"

namespace svnet {
absl::StatusOr<std::optional<Lease>> NetworkManager::RemoveTap(const Caller& caller,
                                                               const LeaseSelector& selector) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  SVNET_ASSIGN_OR_RETURN(const Lease* found, FindLease(caller, selector));
  if (found == nullptr) return std::nullopt;
  const Lease lease = *found;
  if (const absl::Status removed = keeper_->Retire(lease, ""); !removed.ok()) {
    return Explain(Reason::kBridgeSetupFailed,
                   absl::StrCat("cannot remove ", lease.spec.tap.text()), removed);
  }
  // If there were others, they are waited for already.
  if (keeper_->reap_queue().waiting().size() == 1) changed_.notify_all();
  return lease;
}

absl::StatusOr<CleanupResult> NetworkManager::Cleanup(const Caller& caller, CleanupScope scope) {
  if (scope == CleanupScope::kNetwork && !caller.administrator) {
    return Error(Reason::kPermissionDenied, "a cleanup of the whole network is for administrators");
  }
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  return scope == CleanupScope::kNetwork ? CleanupAll() : CleanupOf(caller.uid);
}

absl::StatusOr<std::vector<Ifindex>> NetworkManager::TapsOf(uid_t owner) {
  std::vector<Ifindex> taps;
  // All links of the host are read only if there may be some that are no leases: that costs
  // everybody's time, and who has nothing may clean up again and again.
  if (keeper_->AllAreAdopted()) {
    if (keeper_->leases().HoldingsOf(owner).taps == 0) return taps;
    for (const auto& [name, lease] : keeper_->leases().all()) {
      if (lease.spec.key.owner == owner) taps.push_back(lease.state.ifindex);
    }
    return taps;
  }
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, keeper_->Resync());
  for (const Link& link : links) {
    if (!IsOurTap(link, keeper_->Plan()) || OwnerOf(link) != owner) continue;
    if (!keeper_->reap_queue().Contains(link.ifindex)) taps.push_back(link.ifindex);
  }
  return taps;
}

absl::StatusOr<CleanupResult> NetworkManager::CleanupOf(uid_t owner) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Ifindex> taps, TapsOf(owner));
  CleanupResult result;
  absl::Status status = absl::OkStatus();
  for (const Ifindex tap : taps) {
    // One that was not adopted is no lease, and goes all the same.
    const Lease* lease = keeper_->leases().FindByIfindex(tap);
    status = lease != nullptr ? keeper_->Retire(*lease, "") : keeper_->RetireTap(tap, {});
    if (!status.ok()) break;
    ++result.taps_removed;
  }
  if (result.taps_removed > 0) keeper_->reap_queue().FlushNow();  // there are no more to come
  changed_.notify_all();
  if (status.ok()) return result;
  return Explain(
      Reason::kBridgeSetupFailed,
      absl::StrCat("removed ", result.taps_removed, " TAPs, then could not go on (repeat it)"),
      status);
}

absl::StatusOr<CleanupResult> NetworkManager::CleanupAll() {
  while (keeper_->reap_queue().IsTaken()) changed_.wait(mutex_);
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, keeper_->Resync());
  const absl::Status destroyed = DestroyAll(links);
  if (!destroyed.ok()) {
    keeper_->Resync().status().IgnoreError();
    return Explain(Reason::kBridgeSetupFailed, "cannot destroy all TAPs (repeat it)", destroyed);
  }
  CleanupResult result;
  result.taps_removed = static_cast<uint32_t>(std::count_if(
      links.begin(), links.end(), [&](const Link& link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return IsOurTap(link, keeper_->Plan()) && !keeper_->reap_queue().Contains(link.ifindex);
      }));
  keeper_->ForgetAll();
  changed_.notify_all();
  SVNET_ASSIGN_OR_RETURN(const NetworkSetup::Released released, keeper_->setup().Release());
  result.bridge_removed = released.bridge_removed;
  result.nat_removed = released.nat_removed;
  serves_ = false;
  if (released.forwarding_off) {
    Note("net.ipv4.ip_forward is 0 again: svnetd had turned it on, and nobody else needs it");
  }
  if (coexistence_ == nullptr) return result;
  if (const absl::Status withdrawn = coexistence_->Withdraw(); !withdrawn.ok()) {
    return Explain(
        Reason::kBridgeSetupFailed,
        "all is removed but svnetd's accepts in other packet filters (it is tried again)",
        withdrawn);
  }
  return result;
}

absl::Status NetworkManager::DestroyAll(const std::vector<Link>& links) {
  const uint32_t group = DeriveLinkGroup(settings_.bridge);
  std::map<uint32_t, std::set<Ifindex>> groups;
  std::vector<Ifindex> others;
  for (const Link& link : links) {
    if (!IsOurTap(link, keeper_->Plan())) continue;
    if (link.group == group || link.group == RetiredGroupOf(group)) {
      groups[link.group].insert(link.ifindex);
    } else {
      others.push_back(link.ifindex);
    }
  }
  for (const auto& [number, members] : groups) {
    absl::Status status = reaper_->DeleteGroup(number, members);
    // A link that is not ours is in it: then one by one.
    if (absl::IsFailedPrecondition(status)) {
      others.insert(others.end(), members.begin(), members.end());
    } else if (!status.ok()) {
      return status;
    }
  }
  for (const Ifindex tap : others) SVNET_RETURN_IF_ERROR(reaper_->DeleteLink(tap));
  return absl::OkStatus();
}

bool NetworkManager::WaitForRetired() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const std::optional<absl::Time> due = keeper_->reap_queue().NextDue();
    const absl::Duration left = due.has_value() ? *due - clock_() : absl::InfiniteDuration();
    if (left <= absl::ZeroDuration()) return true;
    if (due.has_value()) {
      changed_.wait_for(mutex_, absl::ToChronoNanoseconds(left));
    } else {
      changed_.wait(mutex_);
    }
  }
  return false;
}

void NetworkManager::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void NetworkManager::Reap() {
  std::set<Ifindex> taps;
  std::set<Ipv4Address> addresses;
  {
    MutexLock lock(&mutex_);
    if (!keeper_->reap_queue().NextDue().has_value()) return;
    for (const auto& [ifindex, tap] : keeper_->reap_queue().Take()) {
      if (!tap.gone) taps.insert(ifindex);
      if (tap.address.has_value()) addresses.insert(*tap.address);
    }
  }
  const absl::Status destroyed = DestroyTaps(taps);
  const absl::Status forgotten =
      destroyed.ok() ? reaper_->ForgetFlows(addresses) : absl::OkStatus();
  {
    MutexLock lock(&mutex_);
    keeper_->FinishReaping(destroyed, forgotten);
    changed_.notify_all();
  }
  if (on_reaped_) on_reaped_();
}

absl::Status NetworkManager::DestroyTaps(const std::set<Ifindex>& taps) {
  const absl::Status status =
      reaper_->DeleteGroup(RetiredGroupOf(DeriveLinkGroup(settings_.bridge)), taps);
  if (!absl::IsFailedPrecondition(status)) return status;
  // A link that is not ours is in it: then one by one.
  for (const Ifindex tap : taps) SVNET_RETURN_IF_ERROR(reaper_->DeleteLink(tap));
  return absl::OkStatus();
}

}  // namespace svnet

#include "daemon/network/network_manager.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/alias.h"
#include "daemon/network/names.h"

namespace svnet {
namespace {

// Hashed names that are taken in a row, before something else must be wrong.
constexpr int kNameAttempts = 8;

absl::Status CannotRead(const absl::Status& cause) {
  return Explain(Reason::kBridgeSetupFailed, "cannot read the host's links", cause);
}

absl::Status NotAnAdministrator(absl::string_view what) {
  return Error(Reason::kPermissionDenied, absl::StrCat(what, " is for administrators"));
}

// Whose key it is; PERMISSION_DENIED if the caller may not speak for that owner.
absl::StatusOr<LeaseKey> KeyFor(const Caller& caller, const LeaseIds& ids) {
  const uid_t owner = ids.owner.value_or(caller.uid);
  if (owner != caller.uid && !caller.administrator) {
    return NotAnAdministrator("another owner_uid than one's own");
  }
  return LeaseKey{.owner = owner, .vm = ids.vm, .iface = ids.iface};
}

absl::Status CheckGroup(const Caller& caller, const std::optional<gid_t>& group) {
  if (!group.has_value() || caller.administrator || caller.IsInGroup(*group)) {
    return absl::OkStatus();
  }
  return Error(Reason::kPermissionDenied,
               absl::StrCat("group_gid ", *group, " is none of the caller's groups"));
}

// OK if `lease` is what `request` asks for.
absl::Status CheckRepeated(const Lease& lease, const TapRequest& request) {
  const auto conflict = [&](absl::string_view has, absl::string_view wants) {
    return Error(
        Reason::kLeaseConflict,
        absl::StrCat("the lease of ", lease.key.vm.text(), " ", lease.key.iface.text(), " has ",
                     has, " and not ", wants, ": remove it first, or ask for what it is"));
  };
  if (request.ip.value_or(lease.ip) != lease.ip) {
    return conflict(lease.ip.ToString(), request.ip->ToString());
  }
  if (request.mac.value_or(lease.mac) != lease.mac) {
    return conflict(lease.mac.ToString(), request.mac->ToString());
  }
  if (request.queues != lease.queues) {
    return conflict(absl::StrCat(lease.queues, " queues"), absl::StrCat(request.queues));
  }
  const auto group = [](const std::optional<gid_t>& gid) {
    return gid.has_value() ? absl::StrCat("group ", *gid) : std::string("no group");
  };
  if (request.group != lease.group) return conflict(group(lease.group), group(request.group));
  return absl::OkStatus();
}

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
                                   [](const auto& each) { return !each.second.pinned; });
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

NetworkManager::NetworkManager(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall)
    : settings_(settings),
      kernel_(kernel),
      setup_(settings, kernel, firewall),
      pool_(settings.prefix) {}

absl::StatusOr<std::unique_ptr<NetworkManager>> NetworkManager::Start(
    const NetworkSettings& settings, Kernel* kernel, Firewall* firewall) {
  std::unique_ptr<NetworkManager> manager(new NetworkManager(settings, kernel, firewall));
  SVNET_RETURN_IF_ERROR(manager->Begin());
  return manager;
}

absl::Status NetworkManager::Begin() {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(setup_.CheckPrefix());
  SVNET_RETURN_IF_ERROR(ReadLeases().status());
  if (leases_.size() == 0) return absl::OkStatus();
  // A network that cannot be made whole is no reason to refuse the owners of its
  // leases: GetNetwork says what is wrong, and CreateTap why it cannot go on.
  setup_.Ensure(leases_).IgnoreError();
  return absl::OkStatus();
}

size_t NetworkManager::lease_count() {
  MutexLock lock(&mutex_);
  return leases_.size();
}

absl::StatusOr<std::vector<Link>> NetworkManager::Refresh() {
  const LeaseTable before = leases_;
  SVNET_ASSIGN_OR_RETURN(std::vector<Link> links, ReadLeases());
  const auto is_in = [](const LeaseTable& table, const Lease& lease) {
    const Lease* same = table.Find(lease.tap);
    return same != nullptr && same->ifindex == lease.ifindex && same->ip == lease.ip;
  };
  // What cannot be done here is put right with the whole network, by the next CreateTap.
  for (const auto& [tap, lease] : before.all()) {
    if (!is_in(leases_, lease)) setup_.Unguard(lease).IgnoreError();
  }
  for (const auto& [tap, lease] : leases_.all()) {
    if (!is_in(before, lease)) setup_.Guard(lease).IgnoreError();
  }
  return links;
}

absl::StatusOr<std::vector<Link>> NetworkManager::ReadLeases() {
  absl::StatusOr<std::vector<Link>> links = kernel_->ListLinks();
  if (!links.ok()) return CannotRead(links.status());
  Adoption adoption = Adopt(*links, settings_.bridge, settings_.prefix);
  LeaseTable found;
  for (const Lease& lease : adoption.leases) {
    found.Insert(lease);
    if (!leases_.HasIp(lease.ip)) pool_.Adopt(lease.ip).IgnoreError();
  }
  for (const auto& [tap, lease] : leases_.all()) {
    if (!found.HasIp(lease.ip)) pool_.Free(lease.ip);
  }
  leases_ = std::move(found);
  conditions_ = std::move(adoption.conditions);
  return links;
}

absl::StatusOr<Lease*> NetworkManager::FindStanding(const LeaseKey& key) {
  Lease* lease = leases_.Find(key);
  if (lease == nullptr) return nullptr;
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(lease->ifindex);
  if (!link.ok()) return CannotRead(link.status());
  if (link->has_value() && (*link)->name == lease->tap.text()) {
    lease->attached = (*link)->carrier;
    return lease;
  }
  SVNET_RETURN_IF_ERROR(Refresh().status());
  return leases_.Find(key);
}

absl::StatusOr<Lease*> NetworkManager::FindLease(const Caller& caller,
                                                 const LeaseSelector& selector) {
  if (const auto* ids = std::get_if<LeaseIds>(&selector)) {
    SVNET_ASSIGN_OR_RETURN(const LeaseKey key, KeyFor(caller, *ids));
    return FindStanding(key);
  }
  const Lease* lease = leases_.Find(std::get<LinkName>(selector));
  // Another's lease is as good as none.
  if (lease == nullptr || (lease->key.owner != caller.uid && !caller.administrator)) return nullptr;
  return FindStanding(LeaseKey(lease->key));
}

absl::StatusOr<Lease> NetworkManager::CreateTap(const Caller& caller, const TapRequest& request) {
  SVNET_ASSIGN_OR_RETURN(
      const LeaseKey key,
      KeyFor(caller, {.owner = request.owner, .vm = request.vm, .iface = request.iface}));
  SVNET_RETURN_IF_ERROR(CheckGroup(caller, request.group));
  MutexLock lock(&mutex_);
  SVNET_ASSIGN_OR_RETURN(const Lease* standing, FindStanding(key));
  if (standing != nullptr) {
    SVNET_RETURN_IF_ERROR(CheckRepeated(*standing, request));
    return *standing;
  }
  absl::StatusOr<Lease> made = MakeTap(caller, key, request);
  const bool perhaps_full =
      absl::IsResourceExhausted(made.status()) || absl::IsAlreadyExists(made.status());
  if (!perhaps_full) return made;
  // Perhaps only for those whose TAP somebody has deleted by hand.
  SVNET_RETURN_IF_ERROR(Refresh().status());
  return MakeTap(caller, key, request);
}

absl::Status NetworkManager::CheckQuota(const Caller& caller, uid_t owner) {
  const uint32_t count = leases_.CountOf(owner);
  if (caller.administrator || count < caller.tap_limit) return absl::OkStatus();
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("uid ", owner, " has ", count, " TAPs, and may have ", caller.tap_limit,
                            ": remove some that are no longer used, or have "
                            "`taps_per_user` raised"));
}

absl::StatusOr<Lease> NetworkManager::MakeTap(const Caller& caller, const LeaseKey& key,
                                              const TapRequest& request) {
  // Refused before anything is touched, if it is to be refused.
  SVNET_RETURN_IF_ERROR(CheckQuota(caller, key.owner));
  SVNET_RETURN_IF_ERROR(PickAddress(request).status());
  SVNET_RETURN_IF_ERROR(PickMac(request, settings_.bridge_mac).status());
  SVNET_ASSIGN_OR_RETURN(const NetworkSetup::Ensured network, setup_.Ensure(leases_));
  absl::Cleanup undo = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { setup_.Undo(network); };
  for (const Ipv4Address& address : network.bridge.addresses) pool_.Reserve(address);
  absl::StatusOr<Lease> lease = MakeTapOn(network.bridge, key, request);
  if (!lease.ok()) {
    return Explain(Reason::kTapCreateFailed,
                   absl::StrCat("cannot create a TAP for ", key.vm.text(), " ", key.iface.text()),
                   lease.status());
  }
  std::move(undo).Cancel();
  return lease;
}

absl::StatusOr<Lease> NetworkManager::MakeTapOn(const Bridge& bridge, const LeaseKey& key,
                                                const TapRequest& request) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, PickAddress(request));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, PickMac(request, bridge.mac));
  const Alias alias = {.bridge = settings_.bridge,
                       .vm = key.vm,
                       .iface = key.iface,
                       .ip = ip,
                       .mac = mac,
                       .queues = request.queues};
  // The TAP dies with its descriptor, and so with any return before Persist.
  SVNET_ASSIGN_OR_RETURN(const OpenedTap tap, OpenTapFor(key, request));
  Lease lease = {.key = key,
                 .tap = tap.name,
                 .ifindex = tap.device->ifindex(),
                 .ip = ip,
                 .mac = mac,
                 .queues = request.queues,
                 .group = request.group,
                 .mtu = bridge.mtu,
                 .bridge = bridge.ifindex};
  SVNET_RETURN_IF_ERROR(setup_.Guard(lease));
  absl::Cleanup unguard = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    setup_.Unguard(lease).IgnoreError();
  };
  SVNET_ASSIGN_OR_RETURN(lease.pinned,
                         tap.device->Join({.bridge = bridge.ifindex,
                                           .alias = FormatAlias(alias),
                                           .group = DeriveLinkGroup(settings_.bridge),
                                           .mtu = bridge.mtu,
                                           .guest = mac,
                                           .isolated = settings_.isolation == Isolation::kAll}));
  SVNET_RETURN_IF_ERROR(tap.device->Persist());
  std::move(unguard).Cancel();
  // Neither can fail: both were found free above.
  pool_.Take(ip).IgnoreError();
  leases_.Insert(lease);
  return lease;
}

absl::StatusOr<NetworkManager::OpenedTap> NetworkManager::OpenTapFor(const LeaseKey& key,
                                                                     const TapRequest& request) {
  TapSpec spec = {.name = PreferredTapName(key.vm, key.iface),
                  .owner = key.owner,
                  .group_gid = request.group,
                  .multi_queue = request.queues > 1};
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    absl::StatusOr<std::unique_ptr<OpenTap>> device = kernel_->OpenNewTap(spec);
    if (device.ok()) return OpenedTap{.name = spec.name, .device = *std::move(device)};
    if (!absl::IsAlreadyExists(device.status())) return device.status();
    spec.name = HashedTapName(key, attempt);
  }
  return absl::InternalError(
      absl::StrCat("link ", spec.name.text(), " and ", kNameAttempts, " others are there already"));
}

absl::StatusOr<Ipv4Address> NetworkManager::PickAddress(const TapRequest& request) {
  if (request.ip.has_value()) {
    SVNET_RETURN_IF_ERROR(pool_.Check(*request.ip));
    return *request.ip;
  }
  const std::optional<Ipv4Address> next = pool_.PickNext();
  if (next.has_value()) return *next;
  return Error(
      Reason::kAddressPoolExhausted,
      absl::StrCat("all ", pool_.total(), " guest addresses of ", settings_.prefix.ToString(),
                   " are leased: remove TAPs that are no longer used, or set a larger "
                   "`subnet`"));
}

absl::StatusOr<MacAddress> NetworkManager::PickMac(const TapRequest& request,
                                                   const MacAddress& bridge) {
  const auto is_taken = [&](const MacAddress& mac) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return mac == bridge || leases_.HasMac(mac);
  };
  if (request.mac.has_value()) {
    if (!is_taken(*request.mac)) return *request.mac;
    return Error(Reason::kAddressInUse,
                 absl::StrCat("MAC ", request.mac->ToString(), " is in use on this network"));
  }
  // Ends: more attempts than there are MACs to collide with.
  int attempt = 0;
  MacAddress mac = DeriveGuestMac(request.vm, request.iface, attempt);
  while (is_taken(mac)) mac = DeriveGuestMac(request.vm, request.iface, ++attempt);
  return mac;
}

absl::StatusOr<std::optional<Lease>> NetworkManager::RemoveTap(const Caller& caller,
                                                               const LeaseSelector& selector) {
  MutexLock lock(&mutex_);
  SVNET_ASSIGN_OR_RETURN(const Lease* found, FindLease(caller, selector));
  if (found == nullptr) return std::nullopt;
  const Lease lease = *found;
  absl::Status removed = setup_.Unguard(lease);
  if (removed.ok()) removed = kernel_->DeleteLink(lease.ifindex);
  if (!removed.ok()) {
    setup_.Guard(lease).IgnoreError();  // whole, as it was
    return Explain(Reason::kBridgeSetupFailed, absl::StrCat("cannot remove ", lease.tap.text()),
                   removed);
  }
  leases_.Erase(lease.tap);
  pool_.Free(lease.ip);
  return lease;
}

absl::StatusOr<std::string> NetworkManager::GetBootArgs(const Caller& caller,
                                                        const BootArgsRequest& request) {
  MutexLock lock(&mutex_);
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, FindLease(caller, request.lease));
  if (lease == nullptr) return NoSuchTap(request.lease);
  return RenderBootArgs({.guest = lease->ip,
                         .prefix = settings_.prefix,
                         .hostname = request.hostname,
                         .guest_interface = request.guest_interface,
                         .dns_servers = request.dns_servers});
}

absl::StatusOr<CleanupResult> NetworkManager::Cleanup(const Caller& caller, CleanupScope scope) {
  if (scope == CleanupScope::kNetwork && !caller.administrator) {
    return NotAnAdministrator("a cleanup of the whole network");
  }
  MutexLock lock(&mutex_);
  SVNET_ASSIGN_OR_RETURN(std::vector<Link> taps, Refresh());
  std::erase_if(taps, [&](const Link& link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (link.kind != LinkKind::kTap || !IsAliasOf(link.alias, settings_.bridge)) return true;
    return scope == CleanupScope::kCaller && link.owner != caller.uid;
  });
  CleanupResult result;
  const absl::Status removed = RemoveTaps(taps, &result);
  SVNET_RETURN_IF_ERROR(Refresh().status());
  SVNET_RETURN_IF_ERROR(removed);
  if (scope == CleanupScope::kCaller) return result;
  SVNET_ASSIGN_OR_RETURN(const NetworkSetup::Released released, setup_.Release());
  result.bridge_removed = released.bridge_removed;
  result.nat_removed = released.nat_removed;
  return result;
}

absl::Status NetworkManager::RemoveTaps(const std::vector<Link>& taps, CleanupResult* result) {
  for (const Link& tap : taps) {
    if (const absl::Status status = kernel_->DeleteLink(tap.ifindex); !status.ok()) {
      return Explain(Reason::kBridgeSetupFailed,
                     absl::StrCat("removed ", result->taps_removed, " TAPs of ", taps.size(),
                                  ", then could not go on (repeat it)"),
                     status);
    }
    ++result->taps_removed;
  }
  return absl::OkStatus();
}

absl::StatusOr<LeasePage> NetworkManager::ListTaps(const Caller& caller,
                                                   const std::optional<LinkName>& after,
                                                   size_t limit) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(Refresh().status());
  LeasePage page;
  for (const auto& [tap, lease] : leases_.all()) {
    if (lease.key.owner != caller.uid && !caller.administrator) continue;
    if (after.has_value() && tap <= *after) continue;
    if (page.leases.size() == limit) {
      page.more = true;
      break;
    }
    page.leases.push_back(lease);
  }
  return page;
}

absl::StatusOr<NetworkStatus> NetworkManager::GetNetwork() {
  MutexLock lock(&mutex_);
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, Refresh());
  NetworkStatus status;
  SVNET_ASSIGN_OR_RETURN(status.setup, setup_.Observe(links, leases_.size() > 0));
  status.setup.conditions.insert(status.setup.conditions.end(), conditions_.begin(),
                                 conditions_.end());
  AddUnpinned(leases_, &status.setup.conditions);
  status.addresses_total = pool_.total();
  status.addresses_used = pool_.used();
  return status;
}

}  // namespace svnet

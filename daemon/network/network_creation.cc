// NetworkManager: what is created, and what it takes.
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
#include "daemon/network/network_manager.h"

namespace svnet {
namespace {

// Hashed names that are taken in a row, before something else must be wrong.
constexpr int kNameAttempts = 8;

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
        absl::StrCat("the lease of ", lease.spec.key.vm.text(), " ", lease.spec.key.iface.text(),
                     " has ", has, " and not ", wants, ": remove it first, or ask for what it is"));
  };
  if (request.ip.value_or(lease.spec.ip) != lease.spec.ip) {
    return conflict(lease.spec.ip.ToString(), request.ip->ToString());
  }
  if (request.mac.value_or(lease.spec.mac) != lease.spec.mac) {
    return conflict(lease.spec.mac.ToString(), request.mac->ToString());
  }
  if (request.queues != lease.spec.queues) {
    return conflict(absl::StrCat(lease.spec.queues, " queues"), absl::StrCat(request.queues));
  }
  const auto group = [](const std::optional<gid_t>& gid) {
    return gid.has_value() ? absl::StrCat("group ", *gid) : std::string("no group");
  };
  if (request.group != lease.spec.group)
    return conflict(group(lease.spec.group), group(request.group));
  if (request.lifetime != lease.spec.lifetime) {
    return conflict(absl::StrCat("lifetime ", FormatLifetime(lease.spec.lifetime)),
                    FormatLifetime(request.lifetime));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Process> NetworkManager::OpenProcessFor(const Caller& caller,
                                                       const Lifetime& lifetime) {
  const auto* bound = std::get_if<BoundToProcess>(&lifetime);
  if (bound == nullptr) return Process();
  const auto refuse = [&](absl::string_view why) {
    return Error(Reason::kInvalidRequest,
                 absl::StrCat("lifetime.process.pid ", bound->pid, ": ", why));
  };
  if (!caller.shares_pids) {
    return refuse("the caller is in a pid namespace of its own, or is gone: use until_detached");
  }
  absl::StatusOr<Process> process = kernel_->OpenProcess(bound->pid);
  if (!process.ok()) return refuse(process.status().message());
  if (process->uid != caller.uid && !caller.administrator) {
    return refuse("the process is another user's");
  }
  return process;
}

absl::StatusOr<Lease> NetworkManager::CreateTap(const Caller& caller, const TapRequest& request,
                                                bool* made) {
  SVNET_ASSIGN_OR_RETURN(
      const LeaseKey key,
      KeyFor(caller, {.owner = request.owner, .vm = request.vm, .iface = request.iface}));
  SVNET_RETURN_IF_ERROR(CheckGroup(caller, request.group));
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(BeginCall());
  SVNET_ASSIGN_OR_RETURN(Process process, OpenProcessFor(caller, request.lifetime));
  TapRequest exact = request;
  if (process.pidfd.valid()) {
    std::get<BoundToProcess>(exact.lifetime).start_time = process.start_time;
  }
  if (const Lease* standing = keeper_->leases().Find(key)) {
    SVNET_RETURN_IF_ERROR(CheckRepeated(*standing, exact));
    keeper_->LookAt(standing->state.ifindex);
    return *standing;
  }
  const absl::StatusOr<Lease> lease = MakeTap(caller, key, exact);
  if (lease.ok()) keeper_->Add(*lease, std::move(process));
  if (made != nullptr) *made = lease.ok();
  ReportHealth();
  return lease;
}

// What was cut off for what its holder did to it counts until it is gone.
absl::Status NetworkManager::CheckQuota(const Caller& caller, uid_t owner, int queues) {
  if (caller.administrator) return absl::OkStatus();
  const Holdings leased = keeper_->leases().HoldingsOf(owner);
  const Holdings dying = keeper_->reap_queue().HoldingsOf(owner);
  const auto refuse = [owner](uint32_t has, absl::string_view things, uint32_t limit,
                              absl::string_view key) {
    return Error(Reason::kQuotaExceeded,
                 absl::StrCat("uid ", owner, " has ", has, " ", things, ", and may have ", limit,
                              ": remove TAPs that are no longer used, or have `", key, "` raised"));
  };
  const uint32_t taps = leased.taps + dying.taps;
  if (taps >= caller.tap_limit) return refuse(taps, "TAPs", caller.tap_limit, "taps_per_user");
  const uint32_t has_queues = leased.queues + dying.queues;
  if (queues > 1 && has_queues + static_cast<uint32_t>(queues) > caller.queue_limit) {
    return refuse(has_queues, "queues of multi-queue TAPs", caller.queue_limit, "queues_per_user");
  }
  return absl::OkStatus();
}

absl::StatusOr<Lease> NetworkManager::MakeTap(const Caller& caller, const LeaseKey& key,
                                              const TapRequest& request) {
  // Refused before anything is touched, if it is to be refused.
  SVNET_RETURN_IF_ERROR(CheckQuota(caller, key.owner, request.queues));
  SVNET_RETURN_IF_ERROR(PickAddress(request).status());
  SVNET_RETURN_IF_ERROR(PickMac(request, settings_.bridge_mac).status());
  SVNET_RETURN_IF_ERROR(CheckPorts());
  NetworkSetup& setup = keeper_->setup();
  SVNET_ASSIGN_OR_RETURN(const NetworkSetup::Ensured network,
                         setup.Ensure(keeper_->leases(), NetworkSetup::For::kNewLease));
  absl::Cleanup undo = [&] { setup.Undo(network); };
  for (const Ipv4Address& address : network.bridge.addresses) keeper_->pool().Reserve(address);
  absl::StatusOr<Lease> lease = MakeTapOn(network.bridge, key, request);
  if (!lease.ok()) {
    return Explain(Reason::kTapCreateFailed,
                   absl::StrCat("cannot create a TAP for ", key.vm.text(), " ", key.iface.text()),
                   lease.status());
  }
  std::move(undo).Cancel();
  Serve();
  if (network.turned_forwarding_on) NoteForwarding();
  return lease;
}

absl::StatusOr<Lease> NetworkManager::MakeTapOn(const Bridge& bridge, const LeaseKey& key,
                                                const TapRequest& request) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, PickAddress(request));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, PickMac(request, bridge.mac));
  // The TAP dies with its descriptor, and so with any return before Persist.
  SVNET_ASSIGN_OR_RETURN(const OpenedTap tap, OpenTapFor(key, request));
  Lease lease = {
      .spec = {.key = key,
               .tap = tap.name,
               .ip = ip,
               .mac = mac,
               .queues = request.queues,
               .group = request.group,
               .lifetime = request.lifetime,
               .create_time = absl::ToUnixSeconds(wall_clock_())},
      .state = {.ifindex = tap.device->ifindex(), .mtu = bridge.mtu, .bridge = bridge.ifindex}};
  NetworkSetup& setup = keeper_->setup();
  SVNET_RETURN_IF_ERROR(setup.Guard(lease));
  absl::Cleanup unguard = [&] { setup.Unguard(lease).IgnoreError(); };
  SVNET_ASSIGN_OR_RETURN(lease.state.pinned, tap.device->Join(PlanPort(lease, keeper_->Plan())));
  SVNET_RETURN_IF_ERROR(tap.device->Persist());
  std::move(unguard).Cancel();
  return lease;
}

absl::StatusOr<NetworkManager::OpenedTap> NetworkManager::OpenTapFor(const LeaseKey& key,
                                                                     const TapRequest& request) {
  TapSpec spec = {.name = PreferredTapName(key.vm, key.iface),
                  .owner = key.owner,
                  .group_gid = request.group,
                  .multi_queue = request.queues > 1};
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    absl::StatusOr<std::unique_ptr<OpenTap>> device = OpenNewTap(spec);
    if (device.ok()) {
      if (!(*device)->IsSharedWithOthers()) {
        return OpenedTap{.name = spec.name, .device = *std::move(device)};
      }
      // It would live as long as the stranger holds it.
      SVNET_RETURN_IF_ERROR(keeper_->RetireTap((*device)->ifindex(), {}));
    } else if (!absl::IsAlreadyExists(device.status())) {
      return device.status();
    }
    spec.name = HashedTapName(key, attempt);
  }
  return absl::InternalError(
      absl::StrCat("each of ", kNameAttempts, " names, the last ", spec.name.text(),
                   ", is another link's, or was opened by another process while it was made"));
}

absl::StatusOr<std::unique_ptr<OpenTap>> NetworkManager::OpenNewTap(const TapSpec& spec) {
  absl::StatusOr<std::unique_ptr<OpenTap>> device = kernel_->OpenNewTap(spec);
  if (!absl::IsAlreadyExists(device.status())) return device;
  SVNET_ASSIGN_OR_RETURN(const bool freed, keeper_->FreeName(spec.name));
  return freed ? kernel_->OpenNewTap(spec) : std::move(device);
}

absl::StatusOr<Ipv4Address> NetworkManager::PickAddress(const TapRequest& request) {
  if (request.ip.has_value()) {
    SVNET_RETURN_IF_ERROR(keeper_->pool().Check(*request.ip));
    return *request.ip;
  }
  const std::optional<Ipv4Address> next = keeper_->pool().PickNext();
  if (next.has_value()) return *next;
  return Exhausted(
      Error(Reason::kAddressPoolExhausted,
            absl::StrCat("all ", keeper_->pool().total(), " guest addresses of ",
                         settings_.prefix.ToString(),
                         " are leased: remove TAPs that are no longer used, or set a larger "
                         "`subnet`")));
}

absl::Status NetworkManager::CheckPorts() {
  if (keeper_->ports() < kMaxBridgePorts) return absl::OkStatus();
  return Exhausted(
      Error(Reason::kBridgeFull,
            absl::StrCat("bridge ", settings_.bridge.text(), " has ", keeper_->ports(),
                         " ports, the kernel's limit: remove TAPs that are no longer used")));
}

absl::Status NetworkManager::Exhausted(absl::Status status) {
  if (keeper_->reap_queue().size() == 0) return status;
  keeper_->reap_queue().FlushNow();
  changed_.notify_all();
  return Passing(std::move(status));
}

absl::StatusOr<MacAddress> NetworkManager::PickMac(const TapRequest& request,
                                                   const MacAddress& bridge) {
  const auto is_taken = [&](const MacAddress& mac) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return mac == bridge || mac == kTapMac || keeper_->leases().HasMac(mac);
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

}  // namespace svnet

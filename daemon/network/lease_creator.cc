#include "daemon/network/lease_creator.h"

#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {
namespace {

// How many hashed names are tried.
constexpr int kNameAttempts = 8;
// How many addresses are tried that the host itself routes elsewhere.
constexpr int kAddressAttempts = 16;

}  // namespace

absl::StatusOr<LeaseCreator::Created> LeaseCreator::Create(const LeaseKey& key,
                                                           const TapRequest& request) {
  // What is to be refused is refused before anything is touched.
  SVNET_ASSIGN_OR_RETURN(const Picked picked, Pick(request, settings_.bridge_mac));
  if (const absl::Status full = parts_.segment->CheckCapacity(); !full.ok()) {
    return RetryableIfReaping(full);
  }
  SVNET_ASSIGN_OR_RETURN(const std::string text_digest, parts_.texts->Keep(request.spec_text));
  SVNET_RETURN_IF_ERROR(CheckView(text_digest));
  SVNET_ASSIGN_OR_RETURN(const Infrastructure::Change change,
                         parts_.infrastructure->Ensure(Infrastructure::For::kNewLease));
  absl::Cleanup undo = [&] { parts_.infrastructure->Undo(change); };
  absl::StatusOr<Lease> lease = MakeTap(key, request, text_digest, picked);
  for (int attempt = 1; attempt < kAddressAttempts && MayTryAnother(request, lease); ++attempt) {
    const absl::StatusOr<Picked> another = Pick(request, parts_.segment->gateway().mac);
    lease = another.ok() ? MakeTap(key, request, text_digest, *another) : another.status();
  }
  if (!lease.ok()) {
    return WithReason(
        Reason::kTapCreateFailed,
        absl::StrCat("cannot create a TAP for ", key.vm.text(), " ", key.iface.text()),
        lease.status());
  }
  std::move(undo).Cancel();
  return Created{.lease = *std::move(lease),
                 .turned_forwarding_on = change.rules.turned_forwarding_on};
}

absl::Status LeaseCreator::CheckView(const std::string& text_digest) const {
  const bool has_view = parts_.texts->ViewOf(text_digest).has_value();
  if (!has_view || settings_.kind == NetworkKind::kRouted) return absl::OkStatus();
  return Error(Reason::kInvalidRequest,
               absl::StrCat("guest_view: network ", settings_.name.text(),
                            " is a bridge; a guest has a view on a routed network only "
                            "(kind = \"routed\")"));
}

bool LeaseCreator::MayTryAnother(const TapRequest& request, const absl::StatusOr<Lease>& lease) {
  return !request.ip.has_value() && ReasonOf(lease.status()) == Reason::kAddressInUse;
}

absl::StatusOr<Lease> LeaseCreator::MakeTap(const LeaseKey& key, const TapRequest& request,
                                            const std::string& text_digest, Picked picked) {
  // The bridge that Ensure found may have that MAC, or that address.
  if (!IsStillFree(picked)) {
    SVNET_ASSIGN_OR_RETURN(picked, Pick(request, parts_.segment->gateway().mac));
  }
  // The TAP goes with its descriptor, and so with any return before Persist.
  SVNET_ASSIGN_OR_RETURN(const NamedTap tap, OpenTapFor(key, request));
  return Commit({.network = settings_.name,
                 .key = key,
                 .tap = tap.name,
                 .ip = picked.ip,
                 .mac = picked.mac,
                 .queues = request.queues,
                 .group = request.group,
                 .lifetime = request.lifetime,
                 .create_time = absl::ToUnixSeconds(parts_.wall_clock()),
                 .text_digest = text_digest,
                 .view = parts_.texts->ViewOf(text_digest)},
                tap.device.get());
}

absl::StatusOr<Lease> LeaseCreator::Commit(const LeaseSpec& spec, OpenTap* device) {
  SVNET_RETURN_IF_ERROR(parts_.rules->Admit(spec, device->ifindex()));
  absl::Cleanup revoke = [&] { parts_.rules->Revoke(spec, device->ifindex()).IgnoreError(); };
  const absl::StatusOr<TapState> attached = parts_.segment->Attach(device, spec);
  // Others' route to it may stay: who comes next shall not meet it again.
  if (ReasonOf(attached.status()) == Reason::kAddressInUse) parts_.book->PassOver(spec.ip);
  SVNET_ASSIGN_OR_RETURN(const TapState state, attached);
  Lease lease = {.spec = spec, .state = state};
  absl::Cleanup detach = [&] { parts_.segment->Detach(lease).IgnoreError(); };
  SVNET_RETURN_IF_ERROR(device->Persist());
  std::move(detach).Cancel();
  std::move(revoke).Cancel();
  parts_.segment->NoteAttached(state.ifindex);
  return lease;
}

absl::StatusOr<LeaseCreator::NamedTap> LeaseCreator::OpenTapFor(const LeaseKey& key,
                                                                const TapRequest& request) {
  TapSpec spec = {.name = PreferredTapName(key.vm, key.iface),
                  .owner = key.owner,
                  .group_gid = request.group,
                  .multi_queue = request.queues > 1};
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    absl::StatusOr<std::unique_ptr<OpenTap>> device = OpenNewTap(spec);
    if (device.ok()) {
      if (!(*device)->IsSharedWithOthers()) {
        return NamedTap{.name = spec.name, .device = *std::move(device)};
      }
      // It would live as long as the other process holds it.
      SVNET_RETURN_IF_ERROR(parts_.reaper->RetireTap((*device)->ifindex(), {}));
    } else if (!absl::IsAlreadyExists(device.status())) {
      return device.status();
    }
    spec.name = HashedTapName(key, attempt);
  }
  return absl::InternalError(
      absl::StrCat("each of ", kNameAttempts, " names, the last ", spec.name.text(),
                   ", is another link's, or was opened by another process while it was made"));
}

absl::StatusOr<std::unique_ptr<OpenTap>> LeaseCreator::OpenNewTap(const TapSpec& spec) {
  absl::StatusOr<std::unique_ptr<OpenTap>> device = parts_.kernel->OpenNewTap(spec);
  if (!absl::IsAlreadyExists(device.status())) return device;
  SVNET_ASSIGN_OR_RETURN(const bool freed, parts_.reaper->FreeName(spec.name));
  return freed ? parts_.kernel->OpenNewTap(spec) : std::move(device);
}

absl::StatusOr<LeaseCreator::Picked> LeaseCreator::Pick(const TapRequest& request,
                                                        const MacAddress& gateway) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, PickAddress(request));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, PickMac(request, gateway));
  return Picked{.ip = ip, .mac = mac};
}

bool LeaseCreator::IsStillFree(const Picked& picked) const {
  return picked.mac != parts_.segment->gateway().mac && parts_.book->pool().Check(picked.ip).ok();
}

absl::StatusOr<Ipv4Address> LeaseCreator::PickAddress(const TapRequest& request) {
  const AddressPool& pool = parts_.book->pool();
  if (request.ip.has_value()) {
    SVNET_RETURN_IF_ERROR(pool.Check(*request.ip));
    return *request.ip;
  }
  const std::optional<Ipv4Address> next = pool.PickNext();
  if (next.has_value()) return *next;
  return RetryableIfReaping(Error(
      Reason::kAddressPoolExhausted,
      absl::StrCat("all ", pool.total(), " guest addresses of ", settings_.prefix.ToString(),
                   " are leased: remove TAPs that are no longer used, or set a larger `subnet`")));
}

absl::StatusOr<MacAddress> LeaseCreator::PickMac(const TapRequest& request,
                                                 const MacAddress& gateway) {
  const auto is_taken = [&](const MacAddress& mac) {
    return mac == gateway || mac == parts_.segment->plan().mac || parts_.book->leases().HasMac(mac);
  };
  if (request.mac.has_value()) {
    if (!is_taken(*request.mac)) return *request.mac;
    return Error(Reason::kAddressInUse,
                 absl::StrCat("MAC ", request.mac->ToString(), " is in use on this network"));
  }
  // Ends: there are more attempts than MACs to collide with.
  int attempt = 0;
  MacAddress mac = DeriveGuestMac(request.vm, request.iface, attempt);
  while (is_taken(mac)) mac = DeriveGuestMac(request.vm, request.iface, ++attempt);
  return mac;
}

absl::Status LeaseCreator::RetryableIfReaping(absl::Status status) {
  if (parts_.book->retired_taps() == 0) return status;
  parts_.book->FlushReap();
  return MakeTransient(std::move(status));
}

}  // namespace svnet

#include "daemon/segment/routed_segment.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/address/address_pool.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
#include "daemon/segment/bridge_status.h"

namespace svnet {
namespace {

// The gateway's address is on another link than the TAPs, and for a link the greater of both
// settings counts.
Condition ArpIgnored() {
  return {.type = "ARP_IGNORED",
          .message =
              "net.ipv4.conf.all.arp_ignore is not 0: guests that ask for the gateway's MAC "
              "get no answer",
          .remedy = "sysctl -w net.ipv4.conf.all.arp_ignore=0"};
}

}  // namespace

RoutedSegment::RoutedSegment(const NetworkSettings& settings, Kernel* kernel)
    : settings_(settings),
      kernel_(kernel),
      group_(DeriveRoutedGroup(settings.bridge)),
      bridge_(settings, kernel),
      groups_(group_) {}

absl::StatusOr<SegmentChange> RoutedSegment::Ensure(bool in_use) {
  SVNET_ASSIGN_OR_RETURN(SegmentChange change, bridge_.Ensure(in_use));
  if (change.routes_lost) MarkEntriesDirty();
  return change;
}

absl::Status RoutedSegment::EnsureEntries(const LeaseTable& leases) {
  if (entries_clean_) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(EnsureRoutes(leases));
  SVNET_RETURN_IF_ERROR(EnsureNeighbours(leases));
  entries_clean_ = true;
  return absl::OkStatus();
}

absl::Status RoutedSegment::EnsureRoutes(const LeaseTable& leases) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<GuestRoute> routes, kernel_->ListGuestRoutes());
  std::set<Ifindex> routed;
  for (const GuestRoute& route : routes) {
    if (!settings_.prefix.Contains(route.guest)) continue;  // another network's
    const Lease* lease = leases.FindByIp(route.guest);
    if (lease != nullptr && lease->state.ifindex == route.tap) {
      routed.insert(route.tap);
    } else {
      SVNET_RETURN_IF_ERROR(kernel_->DeleteGuestRoute(route));
    }
  }
  for (const auto& [tap, lease] : leases.all()) {
    if (routed.contains(lease.state.ifindex)) continue;
    const GuestRoute route = RouteOf(lease);
    SVNET_RETURN_IF_ERROR(
        UnlessDown(route.tap, kernel_->SetGuestRoute(route, GatewayOf(settings_.prefix))));
  }
  return absl::OkStatus();
}

absl::Status RoutedSegment::EnsureNeighbours(const LeaseTable& leases) {
  SVNET_ASSIGN_OR_RETURN(const auto neighbours, kernel_->ListAllNeighbours());
  std::map<Ifindex, Neighbour> known;
  for (const auto& [link, neighbour] : neighbours) known.emplace(link, neighbour);
  for (const auto& [tap, lease] : leases.all()) {
    const Neighbour guest = {.address = GuestAddressOf(lease.spec), .mac = GuestMacOf(lease.spec)};
    const auto found = known.find(lease.state.ifindex);
    if (found != known.end() && found->second == guest) continue;
    const Ifindex link = lease.state.ifindex;
    SVNET_RETURN_IF_ERROR(UnlessDown(link, kernel_->SetNeighbour(link, guest)));
  }
  return absl::OkStatus();
}

// A TAP that is down, or gone, has neither: the repair that brings it up gives it both.
absl::Status RoutedSegment::UnlessDown(Ifindex tap, const absl::Status& status) {
  if (status.ok()) return status;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(tap));
  return link.has_value() && link->up ? status : absl::OkStatus();
}

absl::StatusOr<bool> RoutedSegment::Release() {
  MarkEntriesDirty();
  groups_.Clear();
  return bridge_.Release();
}

absl::Status RoutedSegment::CheckCapacity() const {
  if (groups_.HasRoom()) return absl::OkStatus();
  return Error(Reason::kBridgeFull,
               "TAPs of too many owners are on this network: remove those that are not used");
}

uint32_t RoutedSegment::ZoneOf(const LeaseSpec& spec, Ifindex /*tap*/) const {
  return groups_.Of(spec.key.owner);
}

RoutedTapSpec RoutedSegment::SpecOf(const Lease& lease) const {
  return PlanRoutedTap(lease, plan(), groups_.Of(lease.spec.key.owner),
                       GatewayOf(settings_.prefix));
}

absl::StatusOr<TapState> RoutedSegment::Attach(OpenTap* tap, const LeaseSpec& spec) {
  Lease lease = {.spec = spec, .state = {.ifindex = tap->ifindex(), .mtu = gateway().mtu}};
  ipv6_off_ = tap->SwitchIpv6Off();
  const RoutedTapSpec routed = SpecOf(lease);
  const absl::Status status = tap->Route(routed);
  if (absl::IsAlreadyExists(status)) {
    return Error(Reason::kAddressInUse,
                 absl::StrCat("the host has a route to ", spec.ip.ToString(),
                              " already: `ip route get ", spec.ip.ToString(), "` shows it"));
  }
  SVNET_RETURN_IF_ERROR(status);
  lease.state.group = routed.group;
  groups_.Insert(spec.key.owner, tap->ifindex());
  return lease.state;
}

void RoutedSegment::NoteAdopted(const Lease& lease) {
  groups_.Insert(lease.spec.key.owner, lease.state.ifindex, lease.state.group);
  MarkEntriesDirty();
}

absl::Status RoutedSegment::Detach(const Lease& lease) {
  SVNET_RETURN_IF_ERROR(kernel_->DeleteGuestRoute(RouteOf(lease)));
  groups_.Erase(lease.spec.key.owner, lease.state.ifindex);
  return absl::OkStatus();
}

absl::Status RoutedSegment::Reattach(const Lease& lease) {
  groups_.Insert(lease.spec.key.owner, lease.state.ifindex, lease.state.group);
  const absl::Status status = kernel_->SetGuestRoute(RouteOf(lease), GatewayOf(settings_.prefix));
  if (!status.ok()) MarkEntriesDirty();
  return status;
}

std::string RoutedSegment::Compare(const Lease& lease, const Link& link) const {
  return DescribeRoutedDrift(lease, link, SpecOf(lease));
}

bool RoutedSegment::HasEntries(const Lease& lease) {
  const Ifindex tap = lease.state.ifindex;
  const absl::StatusOr<RouteAnswer> way = kernel_->FindRoute({.destination = lease.spec.ip});
  const auto mac = kernel_->FindNeighbour(tap, GuestAddressOf(lease.spec));
  return way.ok() && !way->dropped && way->out == tap && mac.ok() && *mac == GuestMacOf(lease.spec);
}

absl::StatusOr<TapState> RoutedSegment::Repair(const Lease& lease, const Link& link) {
  const RoutedTapSpec spec = SpecOf(lease);
  SVNET_RETURN_IF_ERROR(kernel_->RepairRoutedTap(link, lease.spec.tap, spec));
  TapState state = lease.state;
  state.group = spec.group;
  return state;
}

void RoutedSegment::Note(const KernelChanges& changes, const LeaseTable& /*leases*/) {
  bridge_.Note(changes);
  if (changes.lost) MarkEntriesDirty();
}

std::map<Ifindex, std::string> RoutedSegment::FindSpoilt(const KernelChanges& changes,
                                                         const LeaseTable& leases) const {
  std::map<Ifindex, std::string> spoilt;
  for (const auto& [at, mac] : changes.neighbours) {
    const Lease* lease = leases.FindByIfindex(at.first);
    if (lease == nullptr || GuestAddressOf(lease->spec) != at.second) continue;
    if (mac == GuestMacOf(lease->spec)) continue;
    spoilt[at.first] = "its guest's MAC was changed (ip neighbour)";
  }
  for (const auto& [guest, exists] : changes.guest_routes) {
    const Lease* lease = leases.FindByIp(guest);
    if (lease != nullptr && !exists) spoilt[lease->state.ifindex] = "it had lost its route";
  }
  // Perhaps it is up again: it lost its route all the same.
  const auto note_down = [&](const Link& link) {
    const Lease* lease = leases.FindByIfindex(link.ifindex);
    if (lease != nullptr && !link.up && !link.alias.empty()) spoilt[link.ifindex] = "it was down";
  };
  for (const Link& link : changes.earlier_taps) note_down(link);
  for (const auto& [ifindex, link] : changes.links) note_down(link);
  for (const Ifindex link : changes.settings) {
    if (leases.FindByIfindex(link) != nullptr) spoilt.emplace(link, "");
  }
  return spoilt;
}

TapPlan RoutedSegment::plan() const {
  return {.network = settings_.name,
          .kind = NetworkKind::kRouted,
          .bridge_name = settings_.bridge,
          .bridge = gateway().ifindex,
          .group = group_,
          .mac = settings_.gateway_mac.value_or(kGatewayMac),
          .isolated = true};
}

absl::StatusOr<SegmentStatus> RoutedSegment::Observe(const std::vector<Link>& links) {
  SVNET_ASSIGN_OR_RETURN(SegmentStatus status, bridge_.Observe(links));
  status.ports_used.reset();
  return status;
}

absl::Status RoutedSegment::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_RETURN_IF_ERROR(bridge_.AddConditions(in_use, conditions));
  if (!ipv6_off_.ok()) conditions->push_back(Ipv6NotOff(ipv6_off_));
  if (!in_use) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(ignores_arp_, kernel_->IgnoresArp());
  if (ignores_arp_) conditions->push_back(ArpIgnored());
  return absl::OkStatus();
}

}  // namespace svnet

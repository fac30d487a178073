#include "daemon/rpc/conversions.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/address/address_pool.h"
#include "daemon/base/error.h"
#include "daemon/base/network_name.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/spec_text.h"

namespace svnet {
namespace {

constexpr uint32_t kMaxPageSize = 1000;
constexpr size_t kMaxPageBytes = 1 << 20;
constexpr int kMaxDnsServers = 2;
constexpr uint32_t kNoId = UINT32_MAX;  // (uid_t)-1 is nobody

absl::StatusOr<Ipv4Address> ParseAddress(absl::string_view field, absl::string_view text) {
  absl::StatusOr<Ipv4Address> address = Ipv4Address::Parse(text);
  if (address.ok()) return address;
  return WithReason(Reason::kInvalidAddress, field, address.status());
}

absl::StatusOr<MacAddress> ParseAnyMac(absl::string_view field, absl::string_view text) {
  absl::StatusOr<MacAddress> mac = MacAddress::Parse(text);
  if (mac.ok()) return mac;
  return WithReason(Reason::kInvalidAddress, field, mac.status());
}

absl::StatusOr<MacAddress> ParseMac(absl::string_view text) {
  const absl::StatusOr<MacAddress> mac = ParseAnyMac("mac_address", text);
  if (!mac.ok()) return mac;
  if (mac->IsUnicast()) return *mac;
  return Error(Reason::kInvalidAddress,
               absl::StrCat("mac_address: ", mac->ToString(),
                            " is no guest's: the first octet must be even, and not all zero"));
}

absl::StatusOr<GuestView> ParseGuestView(const v1::GuestView& request) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address address,
                         ParseAddress("guest_view.address", request.address()));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address gateway,
                         ParseAddress("guest_view.gateway", request.gateway()));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, ParseAnyMac("guest_view.mac", request.mac()));
  GuestView view = {.address = address, .gateway = gateway, .mac = mac};
  if (request.prefix_length() != 0) {
    view.prefix_length = static_cast<int>(std::min(request.prefix_length(), 33u));
  }
  if (!request.gateway_mac().empty()) {
    SVNET_ASSIGN_OR_RETURN(view.gateway_mac,
                           ParseAnyMac("guest_view.gateway_mac", request.gateway_mac()));
  }
  const absl::Status valid = CheckGuestView(view);
  if (valid.ok()) return view;
  return Error(Reason::kInvalidAddress, absl::StrCat("guest_view.", valid.message()));
}

absl::StatusOr<LinkName> ParseLinkName(absl::string_view field, absl::string_view text) {
  absl::StatusOr<LinkName> name = LinkName::Parse(text);
  if (name.ok()) return name;
  return WithReason(Reason::kInvalidId, field, name.status());
}

// A uid or gid that somebody can have.
absl::Status CheckId(absl::string_view field, bool is_set, uint32_t id) {
  if (!is_set || id != kNoId) return absl::OkStatus();
  return Error(Reason::kInvalidRequest, absl::StrCat(field, ": ", id, " is nobody"));
}

constexpr absl::Duration kDefaultGrace = absl::Seconds(5);

absl::StatusOr<Lifetime> ParseUntilDetached(const v1::Lifetime::UntilDetached& request) {
  if (!request.has_grace()) return UntilDetached{.grace = kDefaultGrace};
  const absl::Duration grace =
      absl::Seconds(request.grace().seconds()) + absl::Nanoseconds(request.grace().nanos());
  if (grace >= absl::ZeroDuration() && grace <= kMaxGrace) {
    return UntilDetached{.grace = absl::Trunc(grace, absl::Milliseconds(1))};
  }
  return Error(Reason::kInvalidRequest, "lifetime.until_detached.grace is not 0 s to 1 h");
}

absl::StatusOr<Lifetime> ParseLifetime(const v1::Lifetime& lifetime) {
  switch (lifetime.kind_case()) {
    case v1::Lifetime::KIND_NOT_SET:
    case v1::Lifetime::kPersistent:
      return Persistent();
    case v1::Lifetime::kUntilDetached:
      return ParseUntilDetached(lifetime.until_detached());
    case v1::Lifetime::kProcess:
      break;
  }
  if (lifetime.process().pid() > 0) return BoundToProcess{.pid = lifetime.process().pid()};
  return Error(Reason::kInvalidRequest, "lifetime.process.pid must be set, and positive");
}

void SetLifetime(const Persistent&, v1::Lifetime* lifetime) { lifetime->mutable_persistent(); }
void SetLifetime(const BoundToProcess& process, v1::Lifetime* lifetime) {
  lifetime->mutable_process()->set_pid(process.pid);
}
void SetLifetime(const UntilDetached& detached, v1::Lifetime* lifetime) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(detached.grace);
  google::protobuf::Duration* grace = lifetime->mutable_until_detached()->mutable_grace();
  grace->set_seconds(milliseconds / 1000);
  grace->set_nanos(static_cast<int32_t>(milliseconds % 1000 * 1'000'000));
}

v1::GuestView ToProto(const GuestView& view) {
  v1::GuestView message;
  message.set_address(view.address.ToString());
  message.set_prefix_length(static_cast<uint32_t>(view.prefix_length));
  message.set_gateway(view.gateway.ToString());
  message.set_mac(view.mac.ToString());
  if (view.gateway_mac.has_value()) message.set_gateway_mac(view.gateway_mac->ToString());
  return message;
}

v1::TapEventType ToProto(TapEvent::Type type) {
  switch (type) {
    case TapEvent::Type::kAdded:
      return v1::TAP_EVENT_TYPE_ADDED;
    case TapEvent::Type::kRemoved:
      return v1::TAP_EVENT_TYPE_REMOVED;
    case TapEvent::Type::kAttached:
      return v1::TAP_EVENT_TYPE_ATTACHED;
    case TapEvent::Type::kDetached:
      return v1::TAP_EVENT_TYPE_DETACHED;
    case TapEvent::Type::kRepaired:
      return v1::TAP_EVENT_TYPE_REPAIRED;
    case TapEvent::Type::kSnapshotEnd:
      return v1::TAP_EVENT_TYPE_SNAPSHOT_END;
    case TapEvent::Type::kUpdated:
      return v1::TAP_EVENT_TYPE_UPDATED;
    case TapEvent::Type::kNoted:
    case TapEvent::Type::kFailed:
    case TapEvent::Type::kCondition:
      break;  // never published
  }
  return v1::TAP_EVENT_TYPE_UNSPECIFIED;
}

v1::Isolation ToProto(Isolation isolation) {
  switch (isolation) {
    case Isolation::kNone:
      return v1::ISOLATION_NONE;
    case Isolation::kOwner:
      return v1::ISOLATION_OWNER;
    case Isolation::kAll:
      return v1::ISOLATION_ALL;
  }
  return v1::ISOLATION_UNSPECIFIED;
}

// The requests about one lease name it in the same way.
template <typename Request>
absl::StatusOr<LeaseSelector> ParseSelector(const Request& request) {
  SVNET_RETURN_IF_ERROR(CheckId("owner_uid", request.has_owner_uid(), request.owner_uid()));
  const bool by_ids =
      !request.vm_id().empty() || !request.iface_id().empty() || request.has_owner_uid();
  if (!request.tap_name().empty()) {
    if (by_ids) {
      return Error(Reason::kInvalidRequest, "tap_name goes without vm_id, iface_id and owner_uid");
    }
    SVNET_ASSIGN_OR_RETURN(LinkName name, ParseLinkName("tap_name", request.tap_name()));
    return LeaseSelector(std::move(name));
  }
  if (!by_ids)
    return Error(Reason::kInvalidRequest, "tap_name, or vm_id and iface_id, must be set");
  SVNET_ASSIGN_OR_RETURN(VmId vm, VmId::Parse(request.vm_id()));
  SVNET_ASSIGN_OR_RETURN(IfaceId iface, IfaceId::Parse(request.iface_id()));
  LeaseIds ids = {.owner = {}, .vm = std::move(vm), .iface = std::move(iface)};
  if (request.has_owner_uid()) ids.owner = request.owner_uid();
  return LeaseSelector(std::move(ids));
}

absl::StatusOr<std::vector<Ipv4Address>> ParseDnsServers(const v1::GetBootArgsRequest& request) {
  if (request.dns_servers_size() > kMaxDnsServers) {
    return Error(Reason::kInvalidRequest,
                 absl::StrCat("dns_servers: at most ", kMaxDnsServers, ", the kernel's own limit"));
  }
  std::vector<Ipv4Address> servers;
  for (const std::string& text : request.dns_servers()) {
    SVNET_ASSIGN_OR_RETURN(const Ipv4Address server, ParseAddress("dns_servers", text));
    servers.push_back(server);
  }
  return servers;
}

}  // namespace

absl::StatusOr<TapRequest> FromProto(const v1::CreateTapRequest& request) {
  SVNET_ASSIGN_OR_RETURN(VmId vm, VmId::Parse(request.vm_id()));
  SVNET_ASSIGN_OR_RETURN(IfaceId iface, IfaceId::Parse(request.iface_id()));
  TapRequest tap = {.vm = std::move(vm), .iface = std::move(iface)};
  if (!request.ip_address().empty()) {
    SVNET_ASSIGN_OR_RETURN(tap.ip, ParseAddress("ip_address", request.ip_address()));
  }
  if (!request.mac_address().empty()) {
    SVNET_ASSIGN_OR_RETURN(tap.mac, ParseMac(request.mac_address()));
  }
  SVNET_RETURN_IF_ERROR(CheckId("owner_uid", request.has_owner_uid(), request.owner_uid()));
  SVNET_RETURN_IF_ERROR(CheckId("group_gid", request.has_group_gid(), request.group_gid()));
  if (request.has_owner_uid()) tap.owner = request.owner_uid();
  if (request.has_group_gid()) tap.group = request.group_gid();
  if (request.queues() > static_cast<uint32_t>(kMaxQueues)) {
    return Error(Reason::kInvalidRequest,
                 absl::StrCat("queues: ", request.queues(), " is not 1 to ", kMaxQueues));
  }
  tap.queues = std::max(1, static_cast<int>(request.queues()));
  SVNET_ASSIGN_OR_RETURN(tap.lifetime, ParseLifetime(request.lifetime()));
  SVNET_ASSIGN_OR_RETURN(tap.network, ParseNetworkFilter(request.network()));
  if (request.has_guest_view()) {
    SVNET_ASSIGN_OR_RETURN(const GuestView view, ParseGuestView(request.guest_view()));
    tap.spec_text = FormatSpecText({.view = view});
  }
  return tap;
}

absl::StatusOr<NetworkName> ParseNetwork(absl::string_view name) {
  return name.empty() ? NetworkName() : NetworkName::Parse(name);
}

absl::StatusOr<std::optional<NetworkName>> ParseNetworkFilter(absl::string_view name) {
  if (name.empty()) return std::nullopt;
  return NetworkName::Parse(name);
}

absl::StatusOr<LeaseSelector> FromProto(const v1::GetTapRequest& request) {
  return ParseSelector(request);
}

absl::StatusOr<UpdateRequest> FromProto(const v1::UpdateTapRequest& request) {
  SVNET_ASSIGN_OR_RETURN(LeaseSelector lease, ParseSelector(request));
  UpdateRequest update = {.lease = std::move(lease)};
  for (const std::string& path : request.update_mask().paths()) {
    if (path != "lifetime") {
      return Error(Reason::kInvalidRequest,
                   "update_mask: it names a field that cannot be changed; \"lifetime\" can");
    }
    SVNET_ASSIGN_OR_RETURN(update.lifetime, ParseLifetime(request.tap().lifetime()));
  }
  if (!update.lifetime.has_value()) {
    return Error(Reason::kInvalidRequest, "update_mask must name what to change: \"lifetime\"");
  }
  if (request.has_if_generation()) update.if_generation = request.if_generation();
  return update;
}

absl::StatusOr<LeaseSelector> FromProto(const v1::OpenTapRequest& request) {
  return ParseSelector(request);
}

absl::StatusOr<LeaseSelector> FromProto(const v1::RemoveTapRequest& request) {
  return ParseSelector(request);
}

absl::StatusOr<BootArgsRequest> FromProto(const v1::GetBootArgsRequest& request) {
  SVNET_ASSIGN_OR_RETURN(LeaseSelector lease, ParseSelector(request));
  SVNET_ASSIGN_OR_RETURN(
      LinkName guest_interface,
      ParseLinkName("guest_interface",
                    request.guest_interface().empty() ? "eth0" : request.guest_interface()));
  SVNET_ASSIGN_OR_RETURN(HostName hostname, HostName::Parse(request.hostname()));
  SVNET_ASSIGN_OR_RETURN(std::vector<Ipv4Address> dns_servers, ParseDnsServers(request));
  return BootArgsRequest{.lease = std::move(lease),
                         .guest_interface = std::move(guest_interface),
                         .hostname = std::move(hostname),
                         .dns_servers = std::move(dns_servers)};
}

absl::StatusOr<CleanupRequest> FromProto(const v1::CleanupRequest& request) {
  CleanupRequest cleanup;
  switch (request.scope()) {
    case v1::CLEANUP_SCOPE_UNSPECIFIED:
    case v1::CLEANUP_SCOPE_CALLER:
      cleanup.scope = CleanupScope::kCaller;
      break;
    case v1::CLEANUP_SCOPE_NETWORK:
      cleanup.scope = CleanupScope::kNetwork;
      cleanup.network = NetworkName();
      break;
    default:
      return Error(Reason::kInvalidRequest, absl::StrCat("scope: there is no ", request.scope()));
  }
  if (request.network() == "*") {
    cleanup.network.reset();
  } else if (!request.network().empty()) {
    SVNET_ASSIGN_OR_RETURN(cleanup.network, NetworkName::Parse(request.network()));
  }
  return cleanup;
}

absl::StatusOr<ListRequest> FromProto(const v1::ListTapsRequest& request) {
  ListRequest list = {.limit = std::min(request.page_size(), kMaxPageSize)};
  if (list.limit == 0) list.limit = kMaxPageSize;
  SVNET_ASSIGN_OR_RETURN(list.network, ParseNetworkFilter(request.network()));
  if (!request.vm_id().empty()) {
    SVNET_ASSIGN_OR_RETURN(list.vm, VmId::Parse(request.vm_id()));
  }
  if (request.page_token().empty()) return list;
  absl::StatusOr<LinkName> after = LinkName::Parse(request.page_token());
  if (!after.ok()) {
    return Error(Reason::kInvalidRequest, "page_token: it is not a next_page_token of ListTaps");
  }
  list.after = *std::move(after);
  return list;
}

v1::Tap ToProto(const Lease& lease, const Ipv4Prefix& prefix) {
  v1::Tap tap;
  tap.set_tap_name(lease.spec.tap.text());
  tap.set_guest_ip(lease.spec.ip.ToString());
  tap.set_gateway_ip(GatewayOf(prefix).ToString());
  tap.set_subnet_mask(prefix.netmask().ToString());
  tap.set_mac(lease.spec.mac.ToString());
  tap.set_vm_id(lease.spec.key.vm.text());
  tap.set_iface_id(lease.spec.key.iface.text());
  tap.set_prefix_length(prefix.length());
  tap.set_mtu(lease.state.mtu);
  tap.set_owner_uid(lease.spec.key.owner);
  tap.set_attached(lease.state.attached);
  std::visit([&](const auto& each) { SetLifetime(each, tap.mutable_lifetime()); },
             lease.spec.lifetime);
  tap.set_queues(static_cast<uint32_t>(lease.spec.queues));
  if (lease.spec.group.has_value()) tap.set_group_gid(*lease.spec.group);
  tap.set_network(lease.spec.network.text());
  if (lease.spec.view.has_value()) *tap.mutable_guest_view() = ToProto(*lease.spec.view);
  tap.set_generation(lease.spec.generation);
  tap.mutable_create_time()->set_seconds(lease.spec.create_time);
  return tap;
}

v1::CleanupResponse ToProto(const CleanupResult& result) {
  v1::CleanupResponse response;
  response.set_taps_removed(result.taps_removed);
  response.set_bridge_removed(result.bridge_removed);
  response.set_nat_removed(result.nat_removed);
  return response;
}

v1::ListTapsResponse ToProto(const LeasePage& page,
                             const std::function<Ipv4Prefix(const Lease&)>& prefix_of) {
  v1::ListTapsResponse response;
  size_t bytes = 0;
  bool more = page.more;
  for (const Lease& lease : page.leases) {
    v1::Tap tap = ToProto(lease, prefix_of(lease));
    bytes += tap.ByteSizeLong();
    more = more || bytes > kMaxPageBytes;
    if (bytes > kMaxPageBytes) break;
    *response.add_taps() = std::move(tap);
  }
  if (more) response.set_next_page_token(response.taps().rbegin()->tap_name());
  return response;
}

v1::GetNetworkResponse ToProto(const NetworkStatus& status, const NetworkSettings& settings,
                               const std::vector<Setting>& told) {
  v1::GetNetworkResponse response;
  response.set_bridge(settings.bridge.text());
  response.set_prefix(settings.prefix.ToString());
  response.set_gateway(GatewayOf(settings.prefix).ToString());
  response.set_mtu(status.infrastructure.segment.mtu);
  response.mutable_addresses()->set_total(status.addresses_total);
  response.mutable_addresses()->set_used(status.addresses_used);
  response.mutable_addresses()->set_reaping(status.addresses_reaping);
  if (const auto ports = status.infrastructure.segment.ports_used) {
    response.mutable_ports()->set_used(*ports);
    response.mutable_ports()->set_limit(kMaxBridgePorts);
  }
  for (const Condition& condition : status.conditions) {
    v1::GetNetworkResponse::Condition* shown = response.add_conditions();
    shown->set_type(condition.type);
    shown->set_message(condition.message);
    shown->set_remedy(condition.remedy);
  }
  response.set_daemon_version(SVNET_VERSION);
  response.set_bridge_up(status.infrastructure.segment.up);
  response.set_name(settings.name.text());
  response.set_kind(settings.kind == NetworkKind::kRouted ? v1::NETWORK_KIND_ROUTED
                                                          : v1::NETWORK_KIND_BRIDGE);
  response.set_isolation(ToProto(settings.isolation));
  for (const Setting& setting : told) {
    v1::GetNetworkResponse::Setting* shown = response.add_settings();
    shown->set_name(setting.name);
    shown->set_value(setting.value);
    shown->set_is_default(setting.is_default);
  }
  return response;
}

v1::GetNetworkResponse::Quota ToProto(const Holdings& holdings, const Caller& caller) {
  v1::GetNetworkResponse::Quota quota;
  quota.set_taps(holdings.taps);
  quota.set_queues(holdings.queues);
  if (caller.administrator) return quota;
  quota.set_taps_limit(caller.tap_limit);
  quota.set_queues_limit(caller.queue_limit);
  return quota;
}

v1::TapEvent ToProto(const TapEvent& event,
                     const std::function<Ipv4Prefix(const Lease&)>& prefix_of) {
  v1::TapEvent message;
  message.set_type(ToProto(event.type));
  if (event.lease.has_value()) {
    *message.mutable_tap() = ToProto(*event.lease, prefix_of(*event.lease));
  }
  message.set_message(event.message);
  const int64_t nanoseconds = absl::ToUnixNanos(event.time);
  message.mutable_time()->set_seconds(nanoseconds / 1'000'000'000);
  message.mutable_time()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  message.set_sequence(event.sequence);
  return message;
}

}  // namespace svnet

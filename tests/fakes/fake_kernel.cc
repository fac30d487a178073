#include "tests/fakes/fake_kernel.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet::testing {

// Goes with the object, unless it was persisted: as the kernel has it.
class FakeOpenTap final : public OpenTap {
 public:
  FakeOpenTap(FakeKernel* kernel, Ifindex ifindex) : kernel_(kernel), ifindex_(ifindex) {}
  ~FakeOpenTap() override {
    const auto link = kernel_->links_.find(ifindex_);
    if (link == kernel_->links_.end()) return;
    std::optional<uint32_t>& queues = link->second.open_queues;
    if (queues.has_value()) --*queues;
    if (!link->second.persistent && queues.value_or(0) == 0) kernel_->Erase(ifindex_);
  }

  Ifindex ifindex() const override { return ifindex_; }

  bool IsSharedWithOthers() const override {
    return kernel_->links_.at(ifindex_).open_queues.value_or(1) > 1;
  }

  absl::Status SwitchIpv6Off() override { return kernel_->faults_->Check("SwitchIpv6Off"); }

  absl::StatusOr<bool> Join(const PortSpec& port) override {
    SVNET_RETURN_IF_ERROR(kernel_->faults_->Check("Join"));
    if (kernel_->PortsOf(port.bridge) >= kMaxBridgePorts) {
      return Error(Reason::kBridgeFull, "the bridge has no free port");
    }
    Link& link = kernel_->links_.at(ifindex_);
    kernel_->JoinPort(&link, port);
    return link.pinned;
  }

  absl::Status Route(const RoutedTapSpec& spec) override {
    SVNET_RETURN_IF_ERROR(kernel_->faults_->Check("Route"));
    if (kernel_->HasHostRoute(spec.address)) {
      return absl::AlreadyExistsError("File exists");
    }
    kernel_->SetUpRouting(&kernel_->links_.at(ifindex_), spec);
    return absl::OkStatus();
  }

  absl::Status Persist() override {
    SVNET_RETURN_IF_ERROR(kernel_->faults_->Check("Persist"));
    kernel_->links_.at(ifindex_).persistent = true;
    kernel_->touched_.insert(ifindex_);
    return absl::OkStatus();
  }

 private:
  FakeKernel* const kernel_;
  const Ifindex ifindex_;
};

FakeKernel::FakeKernel(Faults* faults) : faults_(faults) {
  const Ipv4Address own(0xc000020a);
  const Ifindex uplink = AddLink({.name = "eth0", .mtu = 1500, .up = true, .carrier = true});
  AddAddress({.ifindex = uplink, .address = own, .prefix = Ipv4Prefix::Containing(own, 24)});
  AddRoute({.destination = Ipv4Prefix::Containing(Ipv4Address(0), 0),
            .ifindex = uplink,
            .table = RT_TABLE_MAIN});
}

absl::StatusOr<std::vector<Link>> FakeKernel::ListLinks() {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListLinks"));
  std::vector<Link> links;
  for (const auto& [ifindex, link] : links_) links.push_back(link);
  return links;
}

absl::StatusOr<std::vector<LinkAddress>> FakeKernel::ListAddresses() {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListAddresses"));
  return addresses_;
}

absl::StatusOr<std::vector<Route>> FakeKernel::ListRoutes() {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListRoutes"));
  return routes_;
}

void FakeKernel::AddRoute(Route route) {
  routes_.push_back(route);
  routes_changed_ = true;
}

void FakeKernel::DeleteRoutes(const Ipv4Prefix& destination) {
  std::erase_if(routes_, [&](const Route& each) { return each.destination == destination; });
  routes_changed_ = true;
}

void FakeKernel::Prefer(const Ipv4Prefix& destination, Ipv4Address source) {
  preferred_sources_.insert_or_assign(destination.ToString(), source);
  routes_changed_ = true;
}

std::optional<Route> FakeKernel::LongestMatch(Ipv4Address destination) const {
  std::vector<Route> all = routes_;
  for (const LinkAddress& each : addresses_) {
    if (!links_.at(each.ifindex).up) continue;
    all.push_back({.destination = each.prefix, .ifindex = each.ifindex, .table = RT_TABLE_MAIN});
  }
  for (const auto& [guest, route] : guest_routes_) {
    all.push_back({.destination = Ipv4Prefix::Containing(guest, 32),
                   .ifindex = route.tap,
                   .table = RT_TABLE_MAIN});
  }
  std::optional<Route> best;
  for (const Route& each : all) {
    if (!each.destination.Contains(destination)) continue;
    if (!best.has_value() || each.destination.length() > best->destination.length()) best = each;
  }
  return best;
}

absl::StatusOr<RouteAnswer> FakeKernel::FindRoute(const RouteQuestion& question) {
  SVNET_RETURN_IF_ERROR(faults_->Check("FindRoute"));
  const auto is_here = [&](const LinkAddress& each) {
    return each.address == question.destination;
  };
  if (std::any_of(addresses_.begin(), addresses_.end(), is_here)) {
    return RouteAnswer{.why = {}, .is_local = true, .out = 1, .table = RT_TABLE_LOCAL};
  }
  if (question.in != 0 && !MayForward(question.in)) {
    return RouteAnswer{.dropped = true, .why = "No route to host"};
  }
  const std::optional<Route> route = LongestMatch(question.destination);
  if (!route.has_value()) return RouteAnswer{.dropped = true, .why = "Network is unreachable"};
  RouteAnswer answer = {.why = {}, .out = route->ifindex, .table = route->table};
  const auto preferred = preferred_sources_.find(route->destination.ToString());
  if (preferred != preferred_sources_.end()) answer.preferred_source = preferred->second;
  return answer;
}

absl::StatusOr<std::optional<Link>> FakeKernel::FindLink(const LinkName& name) {
  SVNET_RETURN_IF_ERROR(faults_->Check("FindLink"));
  const Link* link = LinkOf(name.text());
  return link == nullptr ? std::nullopt : std::make_optional(*link);
}

absl::StatusOr<std::optional<Link>> FakeKernel::FindLink(Ifindex ifindex) {
  SVNET_RETURN_IF_ERROR(faults_->Check("FindLink"));
  const auto link = links_.find(ifindex);
  return link == links_.end() ? std::nullopt : std::make_optional(link->second);
}

absl::StatusOr<Bridge> FakeKernel::EnsureBridge(const BridgeSpec& spec) {
  SVNET_RETURN_IF_ERROR(faults_->Check("EnsureBridge"));
  Link* link = LinkOf(spec.name.text());
  if (link != nullptr && link->kind != LinkKind::kBridge) {
    return Error(Reason::kNotABridge, absl::StrCat(spec.name.text(), " is not a bridge"));
  }
  Bridge bridge;
  if (link == nullptr) {
    AddLink(
        {.name = spec.name.text(), .kind = LinkKind::kBridge, .mac = spec.mac, .mtu = spec.mtu});
    link = LinkOf(spec.name.text());
    bridge.made = true;
  }
  bridge.brought_up = !link->up;
  bridge.ours = IsOurs(*link, spec.mac);
  bridge.given_mtu = bridge.ours && link->mtu != spec.mtu;
  bridge.given_mac = bridge.ours && link->mac != spec.mac;
  bridge.took_stp = bridge.ours && std::exchange(link->stp, bridge.ours ? false : link->stp);
  if (bridge.ours) {
    link->mtu = spec.mtu;
    link->mac = spec.mac;
    if (link->alias.empty()) link->alias = std::string(kBridgeAlias);
  }
  link->up = true;
  touched_.insert(link->ifindex);
  if (!HasAddress(link->ifindex, spec.gateway)) {
    AddAddress({.ifindex = link->ifindex, .address = spec.gateway, .prefix = spec.prefix});
    bridge.given_address = true;
  }
  bridge.ifindex = link->ifindex;
  bridge.mac = link->mac;
  bridge.mtu = link->mtu;
  for (const LinkAddress& address : addresses_) {
    if (address.ifindex == link->ifindex) bridge.addresses.push_back(address.address);
  }
  return bridge;
}

absl::StatusOr<bool> FakeKernel::ReleaseBridge(const BridgeSpec& spec) {
  SVNET_RETURN_IF_ERROR(faults_->Check("ReleaseBridge"));
  Link* link = LinkOf(spec.name.text());
  if (link == nullptr || link->kind != LinkKind::kBridge) return false;
  if (IsOurs(*link, spec.mac)) {
    Erase(link->ifindex);
    return true;
  }
  EraseAddresses([&](const LinkAddress& address) {
    return address.ifindex == link->ifindex && address.address == spec.gateway;
  });
  link->up = false;
  touched_.insert(link->ifindex);
  return false;
}

absl::Status FakeKernel::RenameLink(Ifindex link, const LinkName& name) {
  SVNET_RETURN_IF_ERROR(faults_->Check("RenameLink"));
  if (!links_.contains(link)) return absl::NotFoundError("No such device");
  if (LinkOf(name.text()) != nullptr) return absl::AlreadyExistsError("File exists");
  links_.at(link).name = name.text();
  touched_.insert(link);
  return absl::OkStatus();
}

absl::StatusOr<bool> FakeKernel::IsForwarding() {
  SVNET_RETURN_IF_ERROR(faults_->Check("IsForwarding"));
  return forwarding_;
}

absl::StatusOr<bool> FakeKernel::IsForwarding(Ifindex link) {
  SVNET_RETURN_IF_ERROR(faults_->Check("IsForwarding"));
  return MayForward(link);
}

absl::StatusOr<bool> FakeKernel::IgnoresArp() {
  SVNET_RETURN_IF_ERROR(faults_->Check("IgnoresArp"));
  return ignores_arp_;
}

absl::Status FakeKernel::EnableForwarding() {
  SVNET_RETURN_IF_ERROR(faults_->Check("EnableForwarding"));
  forwarding_ = true;
  return absl::OkStatus();
}

absl::Status FakeKernel::DisableForwarding() {
  SVNET_RETURN_IF_ERROR(faults_->Check("DisableForwarding"));
  forwarding_ = false;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OpenTap>> FakeKernel::OpenNewTap(const TapSpec& spec) {
  SVNET_RETURN_IF_ERROR(faults_->Check("OpenNewTap"));
  if (LinkOf(spec.name.text()) != nullptr) return absl::AlreadyExistsError(spec.name.text());
  const Ifindex ifindex = AddLink({.name = spec.name.text(),
                                   .kind = LinkKind::kTap,
                                   .mtu = 1500,
                                   .owner = spec.owner,
                                   .group_gid = spec.group_gid,
                                   .multi_queue = spec.multi_queue});
  if (spec.multi_queue) links_.at(ifindex).open_queues = races_ > 0 ? 2 : 1;
  if (spec.multi_queue && races_ > 0) --races_;
  return std::make_unique<FakeOpenTap>(this, ifindex);
}

absl::StatusOr<std::vector<Neighbour>> FakeKernel::ListNeighbours(Ifindex link) {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListNeighbours"));
  std::vector<Neighbour> neighbours;
  for (const auto& [key, mac] : neighbours_) {
    if (key.first == link) neighbours.push_back({.address = key.second, .mac = mac});
  }
  return neighbours;
}

absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> FakeKernel::ListAllNeighbours() {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListAllNeighbours"));
  std::vector<std::pair<Ifindex, Neighbour>> neighbours;
  for (const auto& [key, mac] : neighbours_) {
    neighbours.emplace_back(key.first, Neighbour{.address = key.second, .mac = mac});
  }
  return neighbours;
}

absl::StatusOr<std::optional<MacAddress>> FakeKernel::FindNeighbour(Ifindex link,
                                                                    Ipv4Address address) {
  SVNET_RETURN_IF_ERROR(faults_->Check("FindNeighbour"));
  const auto found = neighbours_.find({link, address});
  return found == neighbours_.end() ? std::nullopt : std::make_optional(found->second);
}

absl::StatusOr<std::vector<GuestRoute>> FakeKernel::ListGuestRoutes() {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListGuestRoutes"));
  std::vector<GuestRoute> routes;
  for (const auto& [guest, route] : guest_routes_) {
    routes.push_back({.tap = route.tap, .guest = guest});
  }
  return routes;
}

absl::Status FakeKernel::SetGuestRoute(const GuestRoute& route, Ipv4Address gateway) {
  SVNET_RETURN_IF_ERROR(faults_->Check("SetGuestRoute"));
  if (!links_.contains(route.tap)) return absl::NotFoundError("No such device");
  if (!links_.at(route.tap).up) return absl::UnavailableError("Network is down");
  guest_routes_.insert_or_assign(route.guest, RouteToGuest{.tap = route.tap, .source = gateway});
  touched_routes_.insert(route.guest);
  return absl::OkStatus();
}

absl::Status FakeKernel::DeleteGuestRoute(const GuestRoute& route) {
  SVNET_RETURN_IF_ERROR(faults_->Check("DeleteGuestRoute"));
  const auto found = guest_routes_.find(route.guest);
  if (found == guest_routes_.end() || found->second.tap != route.tap) return absl::OkStatus();
  guest_routes_.erase(found);
  touched_routes_.insert(route.guest);
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> FakeKernel::ListStaticMacs(
    Ifindex bridge) {
  SVNET_RETURN_IF_ERROR(faults_->Check("ListStaticMacs"));
  std::set<std::pair<Ifindex, MacAddress>> macs;
  for (const auto& at : static_macs_) {
    if (links_.at(at.first).master == bridge) macs.insert(at);
  }
  return macs;
}

absl::Status FakeKernel::SetNeighbour(Ifindex link, const Neighbour& neighbour) {
  SVNET_RETURN_IF_ERROR(faults_->Check("SetNeighbour"));
  if (!links_.contains(link)) return absl::NotFoundError("No such device");
  neighbours_.insert_or_assign({link, neighbour.address}, neighbour.mac);
  touched_neighbours_.emplace(link, neighbour.address);
  return absl::OkStatus();
}

absl::Status FakeKernel::DeleteNeighbour(Ifindex link, Ipv4Address address) {
  SVNET_RETURN_IF_ERROR(faults_->Check("DeleteNeighbour"));
  if (neighbours_.erase({link, address}) > 0) touched_neighbours_.emplace(link, address);
  return absl::OkStatus();
}

void FakeKernel::JoinPort(Link* link, const PortSpec& port) {
  link->alias = port.alias;
  link->master = port.bridge;
  link->group = port.group;
  link->mtu = port.mtu;
  link->mac = port.mac;
  if (can_pin_) static_macs_.emplace(link->ifindex, port.guest);
  link->up = true;
  link->pinned = can_pin_;
  touched_.insert(link->ifindex);
}

void FakeKernel::SetUpRouting(Link* link, const RoutedTapSpec& spec) {
  link->alias = spec.alias;
  link->master = 0;
  link->group = spec.group;
  link->mtu = spec.mtu;
  link->mac = spec.mac;
  link->up = true;
  link->pinned = false;
  link->routed = true;
  touched_.insert(link->ifindex);
  guest_routes_.insert_or_assign(spec.address,
                                 RouteToGuest{.tap = link->ifindex, .source = spec.gateway});
  touched_routes_.insert(spec.address);
  neighbours_.insert_or_assign({link->ifindex, spec.guest.address}, spec.guest.mac);
  touched_neighbours_.emplace(link->ifindex, spec.guest.address);
}

absl::Status FakeKernel::RepairRoutedTap(const Link& tap, const LinkName& name,
                                         const RoutedTapSpec& spec) {
  SVNET_RETURN_IF_ERROR(faults_->Check("RepairRoutedTap"));
  const auto link = links_.find(tap.ifindex);
  if (link == links_.end()) return absl::NotFoundError("No such device");
  link->second.name = name.text();
  SetUpRouting(&link->second, spec);
  return absl::OkStatus();
}

absl::StatusOr<bool> FakeKernel::RepairTap(const Link& tap, const LinkName& name,
                                           const PortSpec& port) {
  SVNET_RETURN_IF_ERROR(faults_->Check("RepairTap"));
  const auto link = links_.find(tap.ifindex);
  if (link == links_.end()) return absl::NotFoundError("No such device");
  link->second.name = name.text();
  JoinPort(&link->second, port);
  return link->second.pinned;
}

absl::Status FakeKernel::SetAlias(Ifindex tap, const std::string& alias) {
  SVNET_RETURN_IF_ERROR(faults_->Check("SetAlias"));
  const auto link = links_.find(tap);
  if (link == links_.end()) return absl::NotFoundError("No such device");
  link->second.alias = alias;
  touched_.insert(tap);
  return absl::OkStatus();
}

absl::Status FakeKernel::RetireTap(Ifindex tap, uint32_t group) {
  SVNET_RETURN_IF_ERROR(faults_->Check("RetireTap"));
  const auto link = links_.find(tap);
  if (link == links_.end()) return absl::NotFoundError("No such device");
  link->second.group = group;
  touched_.insert(tap);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<UniqueFd>> FakeKernel::HoldTap(const LinkName& name, Ifindex tap) {
  SVNET_RETURN_IF_ERROR(faults_->Check("HoldTap"));
  const Link* link = LinkOf(name.text());
  if (link == nullptr || link->ifindex != tap) return absl::NotFoundError("No such device");
  if (held_.contains(tap)) return std::nullopt;
  return UniqueFd(eventfd(0, EFD_CLOEXEC));
}

absl::StatusOr<std::optional<UniqueFd>> FakeKernel::OpenQueue(const LinkName& name, Ifindex tap,
                                                              bool /*multi_queue*/) {
  SVNET_RETURN_IF_ERROR(faults_->Check("OpenQueue"));
  return HoldTap(name, tap);
}

absl::Status FakeKernel::ResetQueueSettings(const UniqueFd& /*queue*/) {
  return faults_->Check("ResetQueueSettings");
}

absl::StatusOr<Process> FakeKernel::OpenProcess(pid_t pid) {
  SVNET_RETURN_IF_ERROR(faults_->Check("OpenProcess"));
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return absl::NotFoundError("there is no such process");
  return Process{.pidfd = UniqueFd(dup(found->second.ended.get())),
                 .uid = found->second.uid,
                 .start_time = found->second.start_time};
}

void FakeKernel::StartProcess(pid_t pid, uid_t uid, uint64_t start_time) {
  processes_.insert_or_assign(
      pid, Running{.uid = uid, .start_time = start_time, .ended = UniqueFd(eventfd(0, 0))});
}

void FakeKernel::EndProcess(pid_t pid) {
  eventfd_write(processes_.at(pid).ended.get(), 1);
  processes_.erase(pid);
}

void FakeKernel::Attach(const std::string& tap) {
  Link* link = Find(tap);
  if (!link->carrier) ++link->carrier_ups;
  link->carrier = true;
  if (link->open_queues.has_value()) {
    ++*link->open_queues;
  } else {
    held_.insert(link->ifindex);
  }
}

void FakeKernel::Detach(const std::string& tap) {
  Link* link = Find(tap);
  if (link->open_queues.has_value()) --*link->open_queues;
  held_.erase(link->ifindex);
  link->carrier = link->open_queues.value_or(0) > 0;
}

// The bridge keeps a port's own MAC as its own, whoever had it before (br_fdb_changeaddr).
void FakeKernel::SetOwnMac(const std::string& tap, const MacAddress& mac) {
  Link* link = Find(tap);
  earlier_taps_.push_back(*link);
  link->mac = mac;
  touched_.insert(link->ifindex);
  for (const auto& at : static_macs_) {
    if (at.second == mac) touched_macs_[at] = false;
  }
  std::erase_if(static_macs_, [&](const auto& at) { return at.second == mac; });
}

void FakeKernel::TakeAddresses(const std::string& link) {
  EraseAddresses([ifindex = Find(link)->ifindex](const LinkAddress& address) {
    return address.ifindex == ifindex;
  });
}

// With an address go the routes that name it as their source.
void FakeKernel::EraseAddresses(const std::function<bool(const LinkAddress&)>& whether) {
  std::set<Ipv4Address> gone;
  std::erase_if(addresses_, [&](const LinkAddress& each) {
    if (!whether(each)) return false;
    gone.insert(each.address);
    return true;
  });
  std::erase_if(guest_routes_, [&](const auto& each) {
    if (!gone.contains(each.second.source)) return false;
    touched_routes_.insert(each.first);
    return true;
  });
}

void FakeKernel::ForgetNeighbour(Ipv4Address address) {
  std::erase_if(neighbours_, [&](const auto& each) {
    if (each.first.second == address) touched_neighbours_.insert(each.first);
    return each.first.second == address;
  });
}

bool FakeKernel::HasHostRoute(Ipv4Address guest) const {
  const Ipv4Prefix host = Ipv4Prefix::Containing(guest, 32);
  return guest_routes_.contains(guest) ||
         std::any_of(routes_.begin(), routes_.end(),
                     [&](const Route& each) { return each.destination == host; });
}

void FakeKernel::ForgetGuestRoute(Ipv4Address guest) {
  guest_routes_.erase(guest);
  std::erase_if(routes_, [host = Ipv4Prefix::Containing(guest, 32)](const Route& each) {
    return each.destination == host;
  });
  touched_routes_.insert(guest);
}

void FakeKernel::RouteGuest(Ipv4Address guest, const std::string& link) {
  routes_.push_back({.destination = Ipv4Prefix::Containing(guest, 32),
                     .ifindex = Find(link)->ifindex,
                     .table = RT_TABLE_MAIN});
  routes_changed_ = true;
}

void FakeKernel::SpoilRouting(const std::string& tap) {
  Find(tap)->routed = false;
  touched_settings_.insert(Find(tap)->ifindex);
}

void FakeKernel::SetDown(const std::string& tap) {
  Link* link = Find(tap);
  link->up = false;
  // The kernel does not say that a route is gone.
  std::erase_if(guest_routes_, [&](const auto& each) { return each.second.tap == link->ifindex; });
  std::erase_if(neighbours_, [&](const auto& each) {
    if (each.first.first != link->ifindex) return false;
    touched_neighbours_.insert(each.first);
    return true;
  });
}

void FakeKernel::SetDownAndSoonUp(const std::string& tap) {
  SetDown(tap);
  soon_up_.insert(Find(tap)->ifindex);
}

absl::StatusOr<KernelChanges> FakeKernel::TakeChanges() {
  SVNET_RETURN_IF_ERROR(faults_->Check("TakeChanges"));
  KernelChanges changes;
  changes.lost = std::exchange(lost_, false);
  if (seen_) TouchWhatIsNotAsTold();
  for (const Ifindex ifindex : touched_) {
    if (const auto link = links_.find(ifindex); link != links_.end()) {
      changes.links.insert(*link);
      told_links_.insert_or_assign(ifindex, link->second);
    }
  }
  touched_.clear();
  for (const Ifindex ifindex : std::exchange(soon_up_, {})) {
    links_.at(ifindex).up = true;
    touched_.insert(ifindex);
  }
  changes.gone = std::exchange(gone_, {});
  for (const Ifindex ifindex : changes.gone) told_links_.erase(ifindex);
  for (const LinkAddress& address : told_addresses_) {
    if (!HasAddress(address.ifindex, address.address)) changes.addresses.insert(address.ifindex);
  }
  for (const auto& at : std::exchange(touched_neighbours_, {})) {
    const auto found = neighbours_.find(at);
    changes.neighbours[at] =
        found == neighbours_.end() ? std::nullopt : std::make_optional(found->second);
  }
  for (const Ipv4Address guest : std::exchange(touched_routes_, {})) {
    changes.guest_routes[guest] = guest_routes_.contains(guest);
  }
  changes.settings = std::exchange(touched_settings_, {});
  changes.static_macs = std::exchange(touched_macs_, {});
  changes.earlier_taps = std::exchange(earlier_taps_, {});
  changes.forwarding = std::exchange(forwarding_changed_, false);
  changes.routes = std::exchange(routes_changed_, false);
  told_addresses_ = addresses_;
  if (changes.lost) return KernelChanges{.lost = true};
  return changes;
}

absl::Status FakeReaper::DeleteLink(Ifindex ifindex) {
  SVNET_RETURN_IF_ERROR(faults_->Check("DeleteLink"));
  kernel_->Erase(ifindex);
  return absl::OkStatus();
}

absl::Status FakeReaper::DeleteGroup(uint32_t group) {
  SVNET_RETURN_IF_ERROR(faults_->Check("DeleteGroup"));
  std::set<Ifindex> all;
  for (const auto& [ifindex, link] : kernel_->links_) {
    if (link.group == group) all.insert(ifindex);
  }
  for (const Ifindex ifindex : all) kernel_->Erase(ifindex);
  return absl::OkStatus();
}

absl::Status FakeReaper::ForgetFlows(const std::set<Ipv4Address>& addresses) {
  SVNET_RETURN_IF_ERROR(faults_->Check("ForgetFlows"));
  kernel_->forgotten_.insert(addresses.begin(), addresses.end());
  return absl::OkStatus();
}

Ifindex FakeKernel::AddLink(Link link) {
  if (link.ifindex == 0) link.ifindex = next_++;
  links_[link.ifindex] = link;
  touched_.insert(link.ifindex);
  return link.ifindex;
}

void FakeKernel::TouchWhatIsNotAsTold() {
  for (const auto& [ifindex, link] : links_) {
    const auto told = told_links_.find(ifindex);
    if (told == told_links_.end() || told->second != link) touched_.insert(ifindex);
  }
}

Link* FakeKernel::Find(const std::string& name) {
  seen_ = true;
  return LinkOf(name);
}

Link* FakeKernel::LinkOf(const std::string& name) {
  const auto at = std::find_if(links_.begin(), links_.end(),
                               [&](const auto& each) { return each.second.name == name; });
  return at == links_.end() ? nullptr : &at->second;
}

void FakeKernel::Delete(const std::string& name) { Erase(Find(name)->ifindex); }

bool FakeKernel::HasAddress(Ifindex link, Ipv4Address address) const {
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const LinkAddress& each) {
    return each.ifindex == link && each.address == address;
  });
}

void FakeKernel::Erase(Ifindex ifindex) {
  if (links_.contains(ifindex)) gone_.insert(ifindex);
  links_.erase(ifindex);
  held_.erase(ifindex);
  std::erase_if(static_macs_, [&](const auto& at) { return at.first == ifindex; });
  EraseAddresses([&](const LinkAddress& each) { return each.ifindex == ifindex; });
  std::erase_if(neighbours_, [&](const auto& each) {
    if (each.first.first == ifindex) touched_neighbours_.insert(each.first);
    return each.first.first == ifindex;
  });
  std::erase_if(routes_, [&](const Route& each) { return each.ifindex == ifindex; });
  std::erase_if(guest_routes_, [&](const auto& each) { return each.second.tap == ifindex; });
  for (auto& [other, link] : links_) {
    if (link.master != ifindex) continue;
    link.master = 0;
    touched_.insert(other);
  }
}

int FakeKernel::PortsOf(Ifindex bridge) const {
  return static_cast<int>(std::count_if(links_.begin(), links_.end(), [&](const auto& each) {
    return each.second.master == bridge;
  }));
}

std::string FakeKernel::Dump() const {
  std::string text;
  const auto name = [&](Ifindex ifindex) {
    const auto link = links_.find(ifindex);
    return link == links_.end() ? std::string("-") : link->second.name;
  };
  for (const auto& [ifindex, link] : links_) {
    absl::StrAppend(&text, "link ", link.name, " kind=", static_cast<int>(link.kind),
                    " master=", name(link.master), " mac=", link.mac.ToString(), " mtu=", link.mtu,
                    " group=", link.group, link.up ? " up" : " down",
                    link.carrier ? " carrier" : "", link.persistent ? " persistent" : "",
                    link.pinned ? " pinned" : "", link.routed ? " routed" : "");
    if (link.multi_queue) absl::StrAppend(&text, " multi_queue");
    for (const auto& [port, mac] : static_macs_) {
      if (port == ifindex) absl::StrAppend(&text, " guest=", mac.ToString());
    }
    if (link.owner.has_value()) absl::StrAppend(&text, " owner=", *link.owner);
    if (link.group_gid.has_value()) absl::StrAppend(&text, " gid=", *link.group_gid);
    absl::StrAppend(&text, " alias=\"", link.alias, "\"\n");
  }
  for (const LinkAddress& each : addresses_) {
    absl::StrAppend(&text, "address ", each.address.ToString(), "/", each.prefix.length(), " dev ",
                    name(each.ifindex), "\n");
  }
  for (const auto& [key, mac] : neighbours_) {
    absl::StrAppend(&text, "neighbour ", key.second.ToString(), " ", mac.ToString(), " dev ",
                    name(key.first), "\n");
  }
  for (const auto& [guest, route] : guest_routes_) {
    absl::StrAppend(&text, "guest ", guest.ToString(), " dev ", name(route.tap), "\n");
  }
  for (const Route& each : routes_) {
    absl::StrAppend(&text, "route ", each.destination.ToString(), " dev ", name(each.ifindex),
                    "\n");
  }
  return text;
}

}  // namespace svnet::testing

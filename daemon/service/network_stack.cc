#include "daemon/service/network_stack.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/nft_foreign_firewalls.h"
#include "daemon/kernel/machine_id.h"
#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "daemon/lease/names.h"
#include "daemon/service/network_plan.h"
#include "daemon/service/served_networks.h"

namespace svnet {
namespace {

// See ReapWorker.
constexpr int kReapingThreads = 2;

RulesetNetwork RulesetNetworkOf(const NetworkConfig& network) {
  return {.name = network.name,
          .kind = network.kind,
          .bridge = network.bridge,
          .prefix = network.subnet,
          .link_group = network.kind == NetworkKind::kRouted ? DeriveRoutedGroup(network.bridge)
                                                             : DeriveLinkGroup(network.bridge),
          .retired_groups = kRetiredGroups,
          .link_group_mask = kRoutedGroupMask,
          .isolation = network.isolation,
          .host_access = network.host_access,
          .host_ports = network.host_ports,
          .blocked_destinations = network.blocked_destinations,
          .local_access = network.local_access,
          .peers = {network.peers.begin(), network.peers.end()}};
}

RulesetSpec RulesOf(const Config& config) {
  RulesetSpec spec;
  for (const NetworkConfig& each : config.networks) {
    spec.networks.emplace(each.name, RulesetNetworkOf(each));
  }
  spec.guest_connections = config.guest_connections;
  spec.owner_connections = config.owner_connections;
  spec.admin_gids = {config.callers.admin_groups.begin(), config.callers.admin_groups.end()};
  return spec;
}

// On a bridge guests see its MAC, on a routed network that of their TAP.
NetworkSettings SettingsOf(const NetworkConfig& network) {
  NetworkSettings settings = {.name = network.name,
                              .kind = network.kind,
                              .bridge = network.bridge,
                              .prefix = network.subnet,
                              .mtu = network.mtu,
                              .bridge_mac = DeriveBridgeMac(ReadMachineId(), network.bridge),
                              .isolation = network.isolation,
                              .users = network.users,
                              .groups = network.groups};
  settings.closed = network.closed;
  if (network.kind == NetworkKind::kRouted) {
    settings.gateway_mac = network.gateway_mac;
  } else if (network.gateway_mac.has_value()) {
    settings.bridge_mac = *network.gateway_mac;
  }
  return settings;
}

GuestNetwork GuestNetworkOf(const NetworkConfig& network, const LinkName& tables) {
  return {.guests = {.kind = network.kind, .bridge = network.bridge, .prefix = network.subnet},
          .uplink = "",
          .name = network.name,
          .tables = tables};
}

std::vector<GuestNetwork> GuestNetworksOf(const Config& config) {
  std::vector<GuestNetwork> networks;
  for (const NetworkConfig& each : config.networks) {
    networks.push_back(GuestNetworkOf(each, config.default_network().bridge));
  }
  return networks;
}

}  // namespace

std::vector<NetworkSettings> SettingsOf(const Config& config) {
  std::vector<NetworkSettings> settings;
  for (const NetworkConfig& network : config.networks) settings.push_back(SettingsOf(network));
  return settings;
}

absl::Status NetworkStack::OpenHost() {
  SVNET_ASSIGN_OR_RETURN(store_, FolderSpecStore::Open(StateDirOf(config_)));
  SVNET_ASSIGN_OR_RETURN(kernel_, NetlinkKernel::Open({}));
  SVNET_RETURN_IF_ERROR(PlanAll());
  for (int i = 0; i < kReapingThreads; ++i) {
    SVNET_ASSIGN_OR_RETURN(std::unique_ptr<Reaper> reaper, NetlinkReaper::Open());
    reapers_.push_back(std::move(reaper));
  }
  const LinkName& bridge = config_.default_network().bridge;
  SVNET_ASSIGN_OR_RETURN(firewall_, NftFirewall::Open(bridge, RulesOf(config_)));
  SVNET_ASSIGN_OR_RETURN(foreign_, NftForeignFirewalls::Open(bridge));
  return absl::OkStatus();
}

absl::Status NetworkStack::PlanAll() {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, kernel_->ListLinks());
  for (const Config& served : FindServedElsewhere(config_)) {
    SVNET_RETURN_IF_ERROR(CheckTablesNotMoved(config_, served, links));
  }
  SVNET_ASSIGN_OR_RETURN(config_.networks, PlanNetworks(config_, ReadServed(*store_), links));
  SVNET_RETURN_IF_ERROR(LockBridges(config_.networks));
  std::vector<Ipv4Prefix> prefixes;
  for (const NetworkConfig& each : config_.networks) prefixes.push_back(each.subnet);
  return kernel_->WatchRoutesOf(prefixes);
}

absl::Status NetworkStack::LockBridges(const std::vector<NetworkConfig>& networks) {
  for (const NetworkConfig& each : networks) SVNET_RETURN_IF_ERROR(locks_.Lock(each.bridge));
  return absl::OkStatus();
}

absl::Status NetworkStack::Add(const std::vector<NetworkConfig>& networks) {
  if (networks.empty()) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(std::vector<NetworkConfig> all, JoinNetworks(config_.networks, networks));
  SVNET_RETURN_IF_ERROR(LockBridges(networks));
  std::vector<AddedNetwork> added;
  for (const NetworkConfig& each : networks) {
    added.push_back({.settings = SettingsOf(each),
                     .rules = RulesetNetworkOf(each),
                     .guests = GuestNetworkOf(each, config_.default_network().bridge)});
  }
  SVNET_RETURN_IF_ERROR(registry_->Add(added));
  config_.networks = std::move(all);
  WriteServed(config_, store_.get());
  return absl::OkStatus();
}

void NetworkStack::SetClosed(const NetworkName& name, bool closed) {
  for (NetworkConfig& network : config_.networks) {
    if (network.name == name) network.closed = closed;
  }
  registry_->SetClosed(name, closed);
}

std::vector<Reaper*> NetworkStack::reapers() const {
  std::vector<Reaper*> reapers;
  for (const std::unique_ptr<Reaper>& reaper : reapers_) reapers.push_back(reaper.get());
  return reapers;
}

absl::StatusOr<std::unique_ptr<NetworkStack>> NetworkStack::Start(
    const Config& config, BridgeLocks* locks, EventSink* events,
    std::function<void(const HealthOfNetworks&)> on_health, std::function<void()> on_reaped) {
  std::unique_ptr<NetworkStack> stack(new NetworkStack(config, locks));
  SVNET_RETURN_IF_ERROR(stack->OpenHost());
  stack->foreign_reconciler_ = std::make_unique<ForeignFirewallReconciler>(
      GuestNetworksOf(stack->config_), config.manage_foreign_firewalls, stack->foreign_.get(),
      MonotonicNow);
  SVNET_ASSIGN_OR_RETURN(stack->registry_,
                         NetworkRegistry::Start(SettingsOf(stack->config_),
                                                {.kernel = stack->kernel_.get(),
                                                 .firewall = stack->firewall_.get(),
                                                 .store = stack->store_.get(),
                                                 .foreign = stack->foreign_reconciler_.get(),
                                                 .events = events,
                                                 .clock = MonotonicNow,
                                                 .on_health = std::move(on_health),
                                                 .on_reaped = std::move(on_reaped)}));
  stack->api_ = std::make_unique<NetworkApi>(stack->registry_.get(),
                                             stack->foreign_reconciler_.get(), events);
  WriteServed(stack->config_, stack->store_.get());
  return stack;
}

NetworkStack::~NetworkStack() {
  if (registry_ == nullptr) return;
  const absl::Status disowned = registry_->DisownRules();
  if (!disowned.ok()) spdlog::warn("{}", std::string(disowned.message()));
}

}  // namespace svnet

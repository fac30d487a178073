#include "daemon/service/network_stack.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/foreign/guest_traffic.h"
#include "daemon/foreign/nft_foreign_firewalls.h"
#include "daemon/kernel/machine_id.h"
#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "daemon/lease/names.h"
#include "daemon/store/folder_spec_store.h"

namespace svnet {
namespace {

// See ReapWorker.
constexpr int kReapingThreads = 2;

RulesetNetwork RulesetNetworkOf(const Config& config) {
  return {.kind = config.kind,
          .bridge = config.bridge,
          .prefix = config.subnet,
          .link_group = config.kind == NetworkKind::kRouted ? DeriveRoutedGroup(config.bridge)
                                                            : DeriveLinkGroup(config.bridge),
          .retired_groups = kRetiredGroups,
          .link_group_mask = kRoutedGroupMask,
          .isolation = config.isolation,
          .host_access = config.host_access,
          .host_ports = config.host_ports,
          .blocked_destinations = config.blocked_destinations,
          .local_access = config.local_access};
}

RulesetSpec RulesOf(const Config& config) {
  RulesetSpec spec = SpecOf(RulesetNetworkOf(config));
  spec.guest_connections = config.guest_connections;
  spec.owner_connections = config.owner_connections;
  spec.admin_gids = {config.callers.admin_groups.begin(), config.callers.admin_groups.end()};
  return spec;
}

GuestTraffic GuestTrafficOf(const Config& config) {
  return {.kind = config.kind, .bridge = config.bridge, .prefix = config.subnet};
}

}  // namespace

NetworkSettings SettingsOf(const Config& config) {
  return {.kind = config.kind,
          .bridge = config.bridge,
          .prefix = config.subnet,
          .mtu = config.mtu,
          .bridge_mac = DeriveBridgeMac(ReadMachineId(), config.bridge),
          .isolation = config.isolation};
}

absl::Status NetworkStack::OpenHost(const Config& config) {
  SVNET_ASSIGN_OR_RETURN(store_, FolderSpecStore::Open(StateDirOf(config)));
  SVNET_ASSIGN_OR_RETURN(kernel_, NetlinkKernel::Open(config.subnet));
  SVNET_ASSIGN_OR_RETURN(reaper_, NetlinkReaper::Open());
  for (int i = 0; i < kReapingThreads; ++i) {
    SVNET_ASSIGN_OR_RETURN(std::unique_ptr<Reaper> reaper, NetlinkReaper::Open());
    reapers_.push_back(std::move(reaper));
  }
  SVNET_ASSIGN_OR_RETURN(firewall_, NftFirewall::Open(config.bridge, RulesOf(config)));
  SVNET_ASSIGN_OR_RETURN(foreign_, NftForeignFirewalls::Open(config.bridge));
  return absl::OkStatus();
}

std::vector<Reaper*> NetworkStack::reapers() const {
  std::vector<Reaper*> reapers;
  for (const std::unique_ptr<Reaper>& reaper : reapers_) reapers.push_back(reaper.get());
  return reapers;
}

absl::StatusOr<std::unique_ptr<NetworkStack>> NetworkStack::Start(
    const Config& config, EventSink* events, std::function<void(const NetworkHealth&)> on_health,
    std::function<void()> on_reaped) {
  std::unique_ptr<NetworkStack> stack(new NetworkStack());
  SVNET_RETURN_IF_ERROR(stack->OpenHost(config));
  stack->foreign_reconciler_ = std::make_unique<ForeignFirewallReconciler>(
      GuestTrafficOf(config), config.manage_foreign_firewalls, stack->foreign_.get(), MonotonicNow);
  SVNET_ASSIGN_OR_RETURN(
      stack->registry_,
      NetworkRegistry::Start(SettingsOf(config), {.kernel = stack->kernel_.get(),
                                                  .firewall = stack->firewall_.get(),
                                                  .store = stack->store_.get(),
                                                  .foreign = stack->foreign_reconciler_.get(),
                                                  .events = events,
                                                  .clock = MonotonicNow,
                                                  .on_health = std::move(on_health),
                                                  .on_reaped = std::move(on_reaped)}));
  stack->api_ = std::make_unique<NetworkApi>(stack->registry_.get(), stack->reaper_.get(),
                                             stack->foreign_reconciler_.get(), events);
  return stack;
}

NetworkStack::~NetworkStack() {
  if (registry_ == nullptr) return;
  const absl::Status disowned = registry_->DisownRules();
  if (!disowned.ok()) spdlog::warn("{}", std::string(disowned.message()));
}

}  // namespace svnet

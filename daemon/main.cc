// svnetd: wiring only. Objects are created in this order and destroyed in reverse:
//
//   Config -> the gates' parent -> LimitedLog, Metrics, HealthBoard -> EventSink -> SpecStore,
//   Kernel, Reaper, Firewall, ForeignFirewalls -> ForeignFirewallReconciler -> NetworkRegistry ->
//   NetworkApi -> CallRunner, MetricsListener -> Server -> Housekeeping, Watchdog
#include <grp.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "daemon/accept/caller_identity.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/accept/gate_parent_link.h"
#include "daemon/accept/listening_socket.h"
#include "daemon/accept/server.h"
#include "daemon/accept/watchdog.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/load_config.h"
#include "daemon/firewall/instance_lock.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/foreign/nft_foreign_firewalls.h"
#include "daemon/gate/gate_parent.h"
#include "daemon/kernel/machine_id.h"
#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "daemon/lease/names.h"
#include "daemon/log/event_log.h"
#include "daemon/log/journal_sink.h"
#include "daemon/log/library_logs.h"
#include "daemon/log/stderr_sink.h"
#include "daemon/metrics/metrics.h"
#include "daemon/metrics/metrics_listener.h"
#include "daemon/metrics/metrics_page.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/housekeeping.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_registry.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/rpc/health_board.h"
#include "daemon/service_manager.h"
#include "daemon/store/folder_spec_store.h"

namespace svnet {
namespace {

// How long running calls may go on after SIGTERM; systemd waits for 90 s.
constexpr absl::Duration kDrainTime = absl::Seconds(10);
// How long svnetd may take to answer its own health check; the watchdog waits
// for 30 s.
constexpr absl::Duration kProbeTime = absl::Seconds(10);

spdlog::level::level_enum ToSpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kInfo:
      break;
  }
  return spdlog::level::info;
}

void StartLog(LogLevel level) {
  // The journal adds fields and the time itself.
  const bool to_journal = IsStderrJournal();
  auto logger =
      to_journal ? spdlog::create<JournalSink>("svnetd") : spdlog::create<StderrSink>("svnetd");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  logger->set_level(ToSpdlogLevel(level));
  spdlog::set_default_logger(std::move(logger));
}

// Raises the limit of descriptors to its maximum, and returns it.
size_t RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

ConnectionLimits LimitsOf(const Config& config) {
  return ConnectionLimits::Plan(RaiseDescriptorLimit(), config.connections);
}

std::optional<gid_t> FindSocketGroup(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (const group* entry = getgrnam(name.c_str())) return entry->gr_gid;
  spdlog::warn("there is no group {}: only root may connect (to fix this: groupadd --system {})",
               name, name);
  return std::nullopt;
}

void Warn(const absl::Status& status) {
  if (!status.ok()) spdlog::warn("{}", std::string(status.message()));
}

// The socket of systemd, or one that svnetd opens.
absl::StatusOr<ListeningSocket> OpenListeningSocket(const Config& config,
                                                    const AdmissionRules& callers) {
  SVNET_ASSIGN_OR_RETURN(std::optional<ListeningSocket> systemds,
                         ListeningSocket::TakeFromSystemd());
  if (!systemds.has_value()) {
    return ListeningSocket::Listen(config.socket, callers.socket_group,
                                   callers.ReachBeyondSocketGroup());
  }
  if (systemds->path() != config.socket) {
    spdlog::warn(
        "socket-activated on {}; the setting socket = {} is ignored (change svnetd.socket instead)",
        systemds->path(), config.socket);
  }
  Warn(systemds->SetOpen(callers.ReachBeyondSocketGroup()));
  return *std::move(systemds);
}

// nullptr if the configuration has no metrics_listen.
absl::StatusOr<std::unique_ptr<MetricsListener>> OpenMetricsListener(const Config& config,
                                                                     const MetricsPage& page) {
  if (!config.metrics_listen.has_value()) return nullptr;
  return MetricsListener::Listen(*config.metrics_listen, &page, MonotonicNow);
}

using LoadedConfig = std::variant<Config, EarlyExit>;

// The objects that a reload changes.
struct ReloadTargets {
  const Config& running;
  const ListeningSocket& listening;
  std::optional<gid_t> socket_group;
  Server* server;
  ForeignFirewallReconciler* foreign;
};

// Applies all settings that can change while svnetd runs, or none of them.
void Reload(const LoadedConfig& loaded, const ReloadTargets& targets) {
  if (const auto* exit = std::get_if<EarlyExit>(&loaded)) {
    spdlog::error("reload failed, the old settings stay in force: {}",
                  std::string(absl::StripAsciiWhitespace(exit->text)));
    return;
  }
  const Config& next = std::get<Config>(loaded);
  AdmissionRules callers = next.callers;
  callers.socket_group = targets.socket_group;
  const size_t ended = targets.server->ChangeRules(callers, LimitsOf(next));
  if (ended > 0) {
    spdlog::info(
        "{} connections ended, because the permissions or limits of their callers have changed",
        ended);
  }
  Warn(targets.listening.SetOpen(callers.ReachBeyondSocketGroup()));
  spdlog::default_logger()->set_level(ToSpdlogLevel(next.log_level));
  targets.foreign->SetManage(next.manage_foreign_firewalls);
  spdlog::info("reloaded: log_level, manage_foreign_firewalls, [callers], [limits]");
  const std::vector<absl::string_view> left = KeysThatNeedRestart(targets.running, next);
  if (!left.empty())
    spdlog::warn("changed, but needs a restart to take effect: {}", absl::StrJoin(left, ", "));
}

// Runs until svnetd is told to stop.
absl::Status ServeCalls(const std::function<LoadedConfig()>& load, const ReloadTargets& targets,
                        Watchdog* watchdog, ServiceManager* manager) {
  while (true) {
    SVNET_RETURN_IF_ERROR(targets.server->Run());
    switch (manager->Next()) {
      case ServiceManager::Request::kStop:
        return absl::OkStatus();
      case ServiceManager::Request::kReload:
        manager->Reloading();
        Reload(load(), targets);
        manager->Ready();
        break;
      case ServiceManager::Request::kPing:
        watchdog->Ask();
        break;
      case ServiceManager::Request::kNothing:
        break;
    }
  }
}

absl::Status Serve(const Config& config, const std::function<LoadedConfig()>& load,
                   GateParentLink* parent) {
  SVNET_ASSIGN_OR_RETURN(ServiceManager service_manager, ServiceManager::Open());
  RouteLibraryLogs();
  LimitedLog log(MonotonicNow);
  Metrics metrics;
  HealthBoard health;
  EventSink events({[&](const TapEvent& event) { LogEvent(event, &log); },
                    [&](const TapEvent& event) { metrics.events().Note(event); }});
  SVNET_ASSIGN_OR_RETURN(const std::optional<NftSocket> instance, LockInstance(config.bridge));
  if (!instance.has_value()) {
    spdlog::warn(
        "this kernel has no nftables tables with an owner (Linux 5.12 has them): svnetd cannot "
        "tell whether another svnetd uses bridge {}",
        config.bridge.text());
  }
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<SpecStore> store,
                         FolderSpecStore::Open(StateDirOf(config)));
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Kernel> kernel, NetlinkKernel::Open(config.subnet));
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Reaper> reaper, NetlinkReaper::Open());
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Firewall> firewall,
                         NftFirewall::Open({.bridge = config.bridge,
                                            .prefix = config.subnet,
                                            .link_group = DeriveLinkGroup(config.bridge),
                                            .host_access = config.host_access,
                                            .host_ports = config.host_ports,
                                            .blocked_destinations = config.blocked_destinations,
                                            .guest_connections = config.guest_connections,
                                            .owner_connections = config.owner_connections,
                                            .local_access = config.local_access,
                                            .admin_gids = {config.callers.admin_groups.begin(),
                                                           config.callers.admin_groups.end()}}));
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<ForeignFirewalls> foreign,
                         NftForeignFirewalls::Open(config.bridge));
  ForeignFirewallReconciler foreign_reconciler(config.bridge, config.manage_foreign_firewalls,
                                               foreign.get(), MonotonicNow);
  const NetworkSettings settings = {.bridge = config.bridge,
                                    .prefix = config.subnet,
                                    .mtu = config.mtu,
                                    .bridge_mac = DeriveBridgeMac(ReadMachineId(), config.bridge),
                                    .isolation = config.isolation};
  AdmissionRules callers = config.callers;
  callers.socket_group = FindSocketGroup(config.socket_group);
  SVNET_ASSIGN_OR_RETURN(const ListeningSocket listening, OpenListeningSocket(config, callers));
  const auto on_health = [&](const NetworkHealth& network) { health.SetNetwork(network); };
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<NetworkRegistry> registry,
                         NetworkRegistry::Start(settings, {.kernel = kernel.get(),
                                                           .reaper = reaper.get(),
                                                           .firewall = firewall.get(),
                                                           .store = store.get(),
                                                           .foreign = &foreign_reconciler,
                                                           .events = &events,
                                                           .clock = MonotonicNow,
                                                           .on_health = on_health}));
  // After the threads that change rules have ended.
  const absl::Cleanup disown = [&] { Warn(registry->DisownRules()); };
  NetworkApi api(registry.get(), &foreign_reconciler, &events);
  const MetricsPage page(&metrics, [&] { return api.Measure(); });
  CallRunner runner(&api, &metrics, &health, &log);
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<MetricsListener> metrics_listener,
                         OpenMetricsListener(config, page));
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Create({.listening = listening.fd(),
                      .wake = service_manager.fd(),
                      .parent = parent->fd(),
                      .metrics_listening = metrics_listener ? metrics_listener->fd() : -1,
                      .maker = parent,
                      .runner = &runner,
                      .metrics = &metrics,
                      .metrics_page = [&] { return metrics_listener->Page(); },
                      .log = &log},
                     callers, LimitsOf(config)));
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<Housekeeping> housekeeping,
      Housekeeping::Start(registry.get(), &foreign_reconciler, [&] { server->Resume(); }));
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<Watchdog> watchdog,
      Watchdog::Start(listening.path(), kProbeTime, [&] { service_manager.Alive(); }));
  if (!KnowsNetworkNamespaces()) {
    spdlog::warn(
        "this kernel does not tell svnetd a caller's network namespace (Linux 5.14 does): root of "
        "every namespace is an administrator");
  }
  spdlog::info("svnetd {} serves {} on bridge {} at {}, {} leases adopted", SVNET_VERSION,
               config.subnet.ToString(), config.bridge.text(), listening.path(),
               registry->lease_count());
  service_manager.Ready();
  malloc_trim(0);  // adoption reads all links and keeps little
  const ReloadTargets targets = {.running = config,
                                 .listening = listening,
                                 .socket_group = callers.socket_group,
                                 .server = server.get(),
                                 .foreign = &foreign_reconciler};
  SVNET_RETURN_IF_ERROR(ServeCalls(load, targets, watchdog.get(), &service_manager));
  health.StopServing();
  service_manager.Stopping();
  spdlog::info("svnetd stops; TAPs, bridge and NAT stay");
  if (listening.is_socket_activated()) SVNET_RETURN_IF_ERROR(server->Settle());
  SVNET_RETURN_IF_ERROR(server->FinishCalls(kDrainTime));
  server->Disconnect();
  return absl::OkStatus();
}

int Main(int argc, const char* const* argv) {
  const auto load = [&] { return LoadConfig(argc, argv); };
  const LoadedConfig config = load();
  if (const auto* exit = std::get_if<EarlyExit>(&config)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const Config& given = std::get<Config>(config);
  if (given.serve_gates) return ServeGateParent();
  // First, while there are no threads, descriptors or secrets that a gate must not have.
  absl::StatusOr<UniqueFd> parent =
      given.gates_socket.has_value() ? ConnectGateParent(*given.gates_socket) : ForkGateParent();
  StartLog(given.log_level);
  absl::Status status = parent.status();
  if (parent.ok()) {
    GateParentLink link(*std::move(parent));
    status = Serve(given, load, &link);
  }
  if (status.ok()) return 0;
  spdlog::critical("svnetd failed: {}", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace svnet

int main(int argc, char** argv) { return svnet::Main(argc, argv); }

// svnetd: wiring only. Objects are created in this order and destroyed in reverse:
//
//   Config -> the gates' parent -> LimitedLog, Metrics, HealthBoard, StatusBoard -> EventSink ->
//   CallRunner -> LateNetwork, MetricsListener -> Server -> Watchdog
//
// What LateNetwork holds, and MetricsListener, come when the host lets them: until then svnetd
// answers without them, and tries again.
#include <grp.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/accept/caller_identity.h"
#include "daemon/accept/gate_parent_link.h"
#include "daemon/accept/listening_socket.h"
#include "daemon/accept/server.h"
#include "daemon/accept/watchdog.h"
#include "daemon/base/clock.h"
#include "daemon/base/link_name.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/tap_socket.h"
#include "daemon/config/config.h"
#include "daemon/config/effective_settings.h"
#include "daemon/config/load_config.h"
#include "daemon/gate/gate_parent.h"
#include "daemon/log/event_log.h"
#include "daemon/log/journal_sink.h"
#include "daemon/log/library_logs.h"
#include "daemon/metrics/metrics.h"
#include "daemon/metrics/metrics_listener.h"
#include "daemon/metrics/metrics_page.h"
#include "daemon/network/event_sink.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/rpc/health_board.h"
#include "daemon/rpc/status_board.h"
#include "daemon/service/attempts.h"
#include "daemon/service/bridge_locks.h"
#include "daemon/service/descriptor_limit.h"
#include "daemon/service/late_network.h"
#include "daemon/service/logging.h"
#include "daemon/service/network_stack.h"
#include "daemon/service/reloader.h"
#include "daemon/service/service_manager.h"

namespace svnet {
namespace {

// How long running calls may go on after SIGTERM; systemd waits for 90 s.
constexpr absl::Duration kDrainTime = absl::Seconds(10);
// How long svnetd may take to answer its own health check; the watchdog waits
// for 30 s.
constexpr absl::Duration kProbeTime = absl::Seconds(10);
// How long an svnetd with a wrong configuration refuses callers before it ends, so that callers who
// come again start it no more than once a second.
constexpr absl::Duration kPauseBeforeEnd = absl::Seconds(1);
// An svnetd that fails sooner than that after its start waits before it ends.
constexpr absl::Duration kPauseBetweenStarts = absl::Seconds(5);

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

// Where callers connect.
struct Sockets {
  ListeningSocket calls;
  std::optional<ListeningSocket> taps;

  std::vector<const ListeningSocket*> all() const {
    if (!taps.has_value()) return {&calls};
    return {&calls, &*taps};
  }
};

absl::StatusOr<Sockets> OpenSockets(const Config& config, const AdmissionRules& callers) {
  const bool open = callers.ReachBeyondSocketGroup();
  SVNET_ASSIGN_OR_RETURN(
      ListeningSocket calls,
      ListeningSocket::Listen(config.socket, SOCK_STREAM, callers.socket_group, open));
  SVNET_ASSIGN_OR_RETURN(ListeningSocket taps,
                         ListeningSocket::Listen(TapSocketOf(config.socket), SOCK_SEQPACKET,
                                                 callers.socket_group, open));
  return Sockets{.calls = std::move(calls), .taps = std::move(taps)};
}

// Those of systemd, or else such that svnetd opens.
absl::StatusOr<Sockets> TakeOrOpenSockets(const Config& config, const AdmissionRules& callers) {
  SVNET_ASSIGN_OR_RETURN(std::optional<ListeningSocket> systemds,
                         ListeningSocket::TakeFromSystemd(SOCK_STREAM));
  if (!systemds.has_value()) return OpenSockets(config, callers);
  SVNET_ASSIGN_OR_RETURN(std::optional<ListeningSocket> taps,
                         ListeningSocket::TakeFromSystemd(SOCK_SEQPACKET));
  if (systemds->path() != config.socket) {
    spdlog::warn(
        "socket-activated on {}; the setting socket = {} is ignored (change svnetd.socket instead)",
        systemds->path(), config.socket);
  }
  if (!taps.has_value()) {
    spdlog::warn(
        "systemd passes no socket of type SOCK_SEQPACKET: TAPs are not handed out as descriptors "
        "until svnetd.socket, with {}, is started again",
        TapSocketOf(systemds->path()));
  }
  Sockets sockets = {.calls = *std::move(systemds), .taps = std::move(taps)};
  for (const ListeningSocket* each : sockets.all()) {
    Warn(each->SetOpen(callers.ReachBeyondSocketGroup()));
  }
  return sockets;
}

// Runs until svnetd is told to stop.
absl::Status ServeCalls(const std::function<LoadedConfig()>& load, Server* server,
                        Reloader* reloader, Attempts* attempts, Watchdog* watchdog,
                        ServiceManager* manager) {
  while (true) {
    manager->SetAlarm(attempts->NextDue());
    SVNET_RETURN_IF_ERROR(server->Run());
    switch (manager->Next()) {
      case ServiceManager::Request::kStop:
        return absl::OkStatus();
      case ServiceManager::Request::kReload:
        manager->Reloading();
        reloader->Reload(load());
        manager->Ready();
        break;
      case ServiceManager::Request::kPing:
        watchdog->Ask();
        break;
      case ServiceManager::Request::kAlarm:
        attempts->RunDue();
        break;
      case ServiceManager::Request::kNothing:
        break;
    }
  }
}

void WarnOfOldKernel() {
  if (KnowsNetworkNamespaces()) return;
  spdlog::warn(
      "this kernel does not tell svnetd a caller's network namespace (Linux 5.14 does): root of "
      "every namespace is an administrator");
}

// The socket is root's alone then.
void NoteSocketGroup(const absl::Status& status, StatusBoard* board) {
  if (status.ok()) return;
  Warn(status);
  board->Set({.type = "SOCKET_FOR_ROOT_ONLY",
              .message = std::string(status.message()),
              .remedy = "give svnetd CAP_CHOWN, or a socket from systemd (svnetd.socket)"});
}

// Answers calls that run, and takes no more.
absl::Status Finish(const ListeningSocket& listening, Server* server) {
  spdlog::info("svnetd stops; TAPs, bridge and NAT stay");
  if (listening.is_socket_activated()) SVNET_RETURN_IF_ERROR(server->Settle());
  SVNET_RETURN_IF_ERROR(server->FinishCalls(kDrainTime));
  server->Disconnect();
  return absl::OkStatus();
}

absl::Status Serve(const Config& config, const std::function<LoadedConfig()>& load,
                   GateParentLink* parent) {
  SVNET_ASSIGN_OR_RETURN(ServiceManager service_manager, ServiceManager::Open());
  RouteLibraryLogs();
  LimitedLog log(MonotonicNow);
  Metrics metrics;
  HealthBoard health;
  StatusBoard board;
  EventSink events({[&](const TapEvent& event) { LogEvent(event, &log); },
                    [&](const TapEvent& event) { metrics.events().Note(event); }});
  BridgeLocks locks;
  for (const NetworkConfig& each : config.networks) SVNET_RETURN_IF_ERROR(locks.Lock(each.bridge));
  Config running = config;
  AdmissionRules callers = config.callers;
  callers.socket_group = FindSocketGroup(config.socket_group);
  SVNET_ASSIGN_OR_RETURN(const Sockets sockets, TakeOrOpenSockets(config, callers));
  const ListeningSocket& listening = sockets.calls;
  NoteSocketGroup(listening.group_status(), &board);
  running.socket = listening.path();
  board.SetSettings(EffectiveSettings(running));
  CallRunner runner(
      {.metrics = &metrics, .health = &health, .board = &board, .log = &log},
      {.networks = SettingsOf(config), .why = absl::UnavailableError("svnetd is starting")});
  LateNetwork network({.running = &running,
                       .locks = &locks,
                       .events = &events,
                       .health = &health,
                       .runner = &runner,
                       .manager = &service_manager});
  const MetricsPage page(&metrics, [&] { return runner.Measure(); });
  std::unique_ptr<MetricsListener> metrics_listener;
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Create(
          {.listening = listening.fd(),
           .taps = sockets.taps.has_value() ? std::make_optional(sockets.taps->fd()) : std::nullopt,
           .wake = service_manager.fd(),
           .parent = parent->fd(),
           .maker = parent,
           .runner = &runner,
           .metrics = &metrics,
           .metrics_page = [&] { return metrics_listener->Page(); },
           .log = &log},
          callers, RaiseDescriptorLimit(config)));
  const absl::Cleanup stop_threads = [&] { network.StopThreads(); };
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<Watchdog> watchdog,
      Watchdog::Start(listening.path(), kProbeTime, [&] { service_manager.Alive(); }));
  WarnOfOldKernel();
  const auto start_network = [&]() -> absl::Status {
    SVNET_RETURN_IF_ERROR(network.Start(server.get()));
    spdlog::info("svnetd {} {} at {}, {} leases adopted", SVNET_VERSION, network.Describe(),
                 listening.path(), network.stack()->registry().lease_count());
    malloc_trim(0);  // adoption reads all links and keeps little
    return absl::OkStatus();
  };
  const auto listen_for_metrics = [&]() -> absl::Status {
    SVNET_ASSIGN_OR_RETURN(metrics_listener,
                           MetricsListener::Listen(*config.metrics_listen, &page, MonotonicNow));
    return server->ServeMetrics(metrics_listener->fd());
  };
  Attempts attempts(&board, MonotonicNow);
  attempts.Begin({.condition = "NETWORK_NOT_STARTED",
                  .what = "cannot start the network",
                  .level = spdlog::level::err,
                  .remedy = "",
                  .run = start_network});
  if (config.metrics_listen.has_value()) {
    attempts.Begin({.condition = "METRICS_NOT_SERVED",
                    .what = "metrics are not served by HTTP",
                    .level = spdlog::level::warn,
                    .remedy = "see \"Metrics\" in /usr/share/doc/svnet/docs/operations.md",
                    .run = listen_for_metrics});
  }
  service_manager.Ready();
  Reloader reloader(config.socket, {.running = &running,
                                    .listening = sockets.all(),
                                    .socket_group = callers.socket_group,
                                    .server = server.get(),
                                    .network = &network,
                                    .board = &board});
  SVNET_RETURN_IF_ERROR(
      ServeCalls(load, server.get(), &reloader, &attempts, watchdog.get(), &service_manager));
  health.StopServing();
  service_manager.Stopping();
  return Finish(listening, server.get());
}

// systemd starts again at once what has ended.
void WaitUnderSystemd(absl::Time started) {
  if (std::getenv("INVOCATION_ID") == nullptr) return;
  absl::SleepFor(started + kPauseBetweenStarts - MonotonicNow());
}

int Exit(const EarlyExit& exit) {
  // The priority of an error (sd-daemon(3)); the log has not been started.
  if (exit.code != 0 && IsStderrJournal()) std::fputs("<3>", stderr);
  std::fputs(exit.text.c_str(), exit.code == 0 ? stdout : stderr);
  // Callers who wait on systemd's socket would have it start svnetd again at once, and the same
  // would be wrong.
  if (exit.code != 0) RefuseWaiting(kPauseBeforeEnd);
  return exit.code;
}

int Main(int argc, const char* const* argv) {
  const absl::Time started = MonotonicNow();
  const auto load = [&] { return LoadConfig(argc, argv); };
  const LoadedConfig config = load();
  if (const auto* exit = std::get_if<EarlyExit>(&config)) {
    return Exit(*exit);
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
  WaitUnderSystemd(started);
  return 1;
}

}  // namespace
}  // namespace svnet

int main(int argc, char** argv) { return svnet::Main(argc, argv); }

// svnetd: wiring only. What is declared first is made first, and goes last:
//
//   Config -> Kernel, Reaper, Firewall -> NetworkManager -> CallerServers -> Housekeeping
//   -> AcceptLoop
#include <grp.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/config.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/kernel/instance_lock.h"
#include "daemon/kernel/machine_id.h"
#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "daemon/network/housekeeping.h"
#include "daemon/network/names.h"
#include "daemon/network/network_manager.h"
#include "daemon/rpc/accept_loop.h"
#include "daemon/rpc/caller_servers.h"
#include "daemon/rpc/event_log.h"
#include "daemon/rpc/library_logs.h"
#include "daemon/rpc/listening_socket.h"

namespace svnet {
namespace {

// How long calls that run may go on after SIGTERM; systemd's patience is 90 s.
constexpr absl::Duration kDrainTime = absl::Seconds(10);

void StartLog(LogLevel level) {
  auto logger = spdlog::stderr_logger_mt("svnetd");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  switch (level) {
    case LogLevel::kDebug:
      logger->set_level(spdlog::level::debug);
      break;
    case LogLevel::kInfo:
      logger->set_level(spdlog::level::info);
      break;
    case LogLevel::kWarning:
      logger->set_level(spdlog::level::warn);
      break;
    case LogLevel::kError:
      logger->set_level(spdlog::level::err);
      break;
  }
  spdlog::set_default_logger(std::move(logger));
}

// Readable when svnetd is told to end. Threads that start later inherit the mask, so
// the signals come here and nowhere else.
absl::StatusOr<UniqueFd> OpenStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  UniqueFd stop(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!stop.valid() || sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "signalfd");
  }
  signal(SIGPIPE, SIG_IGN);  // a caller who hangs up is an error like any other
  return stop;
}

// As many descriptors as may be: a connection takes two.
size_t RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// svnetd's own descriptors besides, with some to spare.
constexpr size_t kOwnDescriptors = 128;

size_t MaxConnections(const Config& config) {
  const size_t descriptors = std::max(RaiseDescriptorLimit(), 2 * kOwnDescriptors);
  return std::min<size_t>(config.connections, (descriptors - kOwnDescriptors) / 2);
}

std::optional<gid_t> FindSocketGroup(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (const group* entry = getgrnam(name.c_str())) return entry->gr_gid;
  spdlog::warn("there is no group {}: only root may connect (groupadd --system {} mends that)",
               name, name);
  return std::nullopt;
}

absl::Status Serve(const Config& config) {
  SVNET_ASSIGN_OR_RETURN(const UniqueFd stop, OpenStopSignals());
  RouteLibraryLogs();
  SVNET_ASSIGN_OR_RETURN(const UniqueFd instance, LockInstance(config.bridge));
  if (!instance.valid()) {
    spdlog::warn(
        "somebody who is not root holds the name of svnetd's lock for bridge {}: "
        "whether another svnetd runs is not known",
        config.bridge.text());
  }
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Kernel> kernel, NetlinkKernel::Open());
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Reaper> reaper, NetlinkReaper::Open());
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Firewall> firewall,
                         NftFirewall::Open({.bridge = config.bridge,
                                            .prefix = config.subnet,
                                            .link_group = DeriveLinkGroup(config.bridge),
                                            .host_access = config.host_access,
                                            .host_ports = config.host_ports,
                                            .blocked_destinations = config.blocked_destinations}));
  const NetworkSettings settings = {.bridge = config.bridge,
                                    .prefix = config.subnet,
                                    .mtu = config.mtu,
                                    .bridge_mac = DeriveBridgeMac(ReadMachineId(), config.bridge),
                                    .isolation = config.isolation};
  AdmissionRules callers = config.callers;
  callers.socket_group = FindSocketGroup(config.socket_group);
  SVNET_ASSIGN_OR_RETURN(const ListeningSocket listening,
                         ListeningSocket::Listen(config.socket, callers.socket_group,
                                                 callers.ReachBeyondSocketGroup()));
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<NetworkManager> manager,
                         NetworkManager::Start(settings, {.kernel = kernel.get(),
                                                          .reaper = reaper.get(),
                                                          .firewall = firewall.get(),
                                                          .clock = MonotonicNow,
                                                          .on_event = LogEvent}));
  CallerServers servers(manager.get());
  manager->SetOnReaped([&] { servers.Resume(); });
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<Housekeeping> housekeeping,
                         Housekeeping::Start(manager.get()));
  SVNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<AcceptLoop> loop,
      AcceptLoop::Create(listening.fd(), stop.get(), callers, MaxConnections(config), &servers));
  spdlog::info("svnetd {} serves {} on bridge {} at {}, {} leases adopted", SVNET_VERSION,
               config.subnet.ToString(), config.bridge.text(), config.socket,
               manager->lease_count());
  sd_notify(0, "READY=1");
  SVNET_RETURN_IF_ERROR(loop->Run());
  sd_notify(0, "STOPPING=1");
  spdlog::info("svnetd ends; TAPs, bridge and NAT stay");
  servers.FinishCalls(absl::Now() + kDrainTime);
  loop->Disconnect();
  return absl::OkStatus();
}

int Main(int argc, const char* const* argv) {
  const std::variant<Config, Exit> config = LoadConfig(argc, argv);
  if (const auto* exit = std::get_if<Exit>(&config)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  StartLog(std::get<Config>(config).log_level);
  const absl::Status status = Serve(std::get<Config>(config));
  if (status.ok()) return 0;
  spdlog::critical("svnetd cannot go on: {}", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace svnet

int main(int argc, char** argv) { return svnet::Main(argc, argv); }

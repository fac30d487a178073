// svnetd's configuration as a value that is valid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "daemon/base/listen_address.h"
#include "daemon/config/admission_rules.h"
#include "daemon/config/network_config.h"

namespace svnet {

// The file that is read unless --config names another one.
inline constexpr char kConfigFile[] = "/etc/svnet/svnetd.toml";

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct Config {
  std::string socket = "/run/svnet/svnetd.sock";
  std::string socket_group = "svnet";  // empty: only root may connect
  // Where the store of specs is; nullopt: see StateDirOf.
  std::optional<std::string> state_dir;
  LogLevel log_level = LogLevel::kInfo;
  std::optional<ListenAddress> metrics_listen;  // nullopt: only GetMetrics

  // The default one first, the others by name. They differ in bridge, prefix and link groups.
  std::vector<NetworkConfig> networks = {NetworkConfig()};

  bool manage_foreign_firewalls = false;

  AdmissionRules callers;       // all but socket_group
  uint32_t connections = 4096;  // of all users together, not counting administrators

  // Flags only, for systemd's units. `serve_gates`: this process only makes gates and ignores the
  // rest. `gates_socket`: the socket of such a process; nullopt: svnetd forks one.
  bool serve_gates = false;
  std::optional<std::string> gates_socket;

  // The limits of tracked connections of a guest, and of all guests of an owner; 0: no limit.
  uint32_t guest_connections = 4096;
  std::optional<uint32_t> owner_connections;  // nullopt: "auto", an eighth of all

  NetworkConfig& default_network() { return networks.front(); }
  const NetworkConfig& default_network() const { return networks.front(); }
  absl::Span<const NetworkConfig> other_networks() const {
    return absl::MakeConstSpan(networks).subspan(1);
  }
};

// `state_dir`, or "/run/svnet/state-BRIDGE", of the default network.
inline std::string StateDirOf(const Config& config) {
  return config.state_dir.value_or("/run/svnet/state-" + config.default_network().bridge.text());
}

}  // namespace svnet

#include "daemon/service/reloader.h"

#include <spdlog/spdlog.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/effective_settings.h"
#include "daemon/service/descriptor_limit.h"
#include "daemon/service/logging.h"

namespace svnet {

void Reloader::Reload(const LoadedConfig& loaded) {
  if (const auto* exit = std::get_if<EarlyExit>(&loaded)) return NoteFailure(exit->text);
  const Config& next = std::get<Config>(loaded);
  const Config before = *parts_.running;
  const absl::Status applied = ApplyNetworks(next);
  if (!applied.ok()) return NoteFailure(applied.message());
  ApplyCallers(next);
  SetLogLevel(next.log_level);
  if (NetworkStack* network = parts_.network->stack()) {
    network->foreign().SetManage(next.manage_foreign_firewalls);
  }
  LogReload(before, next);
  NoteKeysThatNeedRestart(next);
  parts_.board->Clear("RELOAD_FAILED");
  parts_.running->callers = next.callers;
  parts_.running->connections = next.connections;
  parts_.running->log_level = next.log_level;
  parts_.running->manage_foreign_firewalls = next.manage_foreign_firewalls;
  parts_.board->SetSettings(EffectiveSettings(*parts_.running));
}

// Until the networks have started, nothing of them is in force.
absl::Status Reloader::ApplyNetworks(const Config& next) {
  NetworkStack* stack = parts_.network->stack();
  if (stack == nullptr) {
    parts_.network->SetNetworks(next.networks);
    return absl::OkStatus();
  }
  std::vector<NetworkConfig> added;
  for (const NetworkConfig& each : next.networks) {
    if (FindNetwork(stack->networks(), each.name) == nullptr) added.push_back(each);
  }
  SVNET_RETURN_IF_ERROR(stack->Add(added));
  for (const NetworkConfig& each : parts_.running->networks) {
    const bool closed = FindNetwork(next.networks, each.name) == nullptr;
    if (closed != each.closed) stack->SetClosed(each.name, closed);
  }
  parts_.running->networks = stack->networks();
  return absl::OkStatus();
}

void Reloader::ApplyCallers(const Config& next) {
  AdmissionRules callers = next.callers;
  callers.socket_group = parts_.socket_group;
  const size_t ended = parts_.server->ChangeRules(callers, RaiseDescriptorLimit(next));
  if (ended > 0) {
    spdlog::info(
        "{} connections ended, because the permissions or limits of their callers have changed",
        ended);
  }
  for (const ListeningSocket* each : parts_.listening) {
    const absl::Status opened = each->SetOpen(callers.ReachBeyondSocketGroup());
    if (!opened.ok()) spdlog::warn("{}", std::string(opened.message()));
  }
}

void Reloader::LogReload(const Config& before, const Config& next) {
  std::vector<std::string> applied = KeysThatReloadApplies(before, next);
  if (parts_.network->stack() == nullptr)
    applied.push_back("the networks' keys, before they start");
  spdlog::info("reloaded: {}", applied.empty() ? "nothing has changed that a reload applies"
                                               : absl::StrJoin(applied, ", "));
}

void Reloader::NoteKeysThatNeedRestart(const Config& next) {
  Config running = *parts_.running;
  running.socket = configured_socket_;  // systemd's may have another path
  const std::vector<std::string> keys = KeysThatNeedRestart(running, next);
  if (keys.empty()) return parts_.board->Clear("RESTART_NEEDED");
  const std::string what =
      absl::StrCat("changed, but needs a restart to take effect: ", absl::StrJoin(keys, ", "));
  spdlog::warn("{}", what);
  parts_.board->Set({.type = "RESTART_NEEDED",
                     .message = what,
                     .remedy = "`systemctl restart svnetd` applies it"});
}

void Reloader::NoteFailure(absl::string_view why) {
  const std::string what = absl::StrCat("reload failed, the old settings stay in force: ",
                                        absl::StripAsciiWhitespace(why));
  spdlog::error("{}", what);
  parts_.board->Set(
      {.type = "RELOAD_FAILED",
       .message = what,
       .remedy = "correct the file and reload svnetd: with this file it would not start",
       // The message quotes the file, which not everybody may read.
       .for_all = "reload failed, the old settings stay in force"});
}

}  // namespace svnet

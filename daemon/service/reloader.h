// What `systemctl reload svnetd` does.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/accept/listening_socket.h"
#include "daemon/accept/server.h"
#include "daemon/config/config.h"
#include "daemon/config/load_config.h"
#include "daemon/rpc/status_board.h"
#include "daemon/service/late_network.h"

namespace svnet {

using LoadedConfig = std::variant<Config, EarlyExit>;

// Not thread-safe.
class Reloader {
 public:
  // The objects that a reload changes; all must outlive it.
  struct Parts {
    Config* running;  // with what reloads have changed
    std::vector<const ListeningSocket*> listening;
    std::optional<gid_t> socket_group;
    Server* server;
    LateNetwork* network;
    StatusBoard* board;
  };
  // `configured_socket`: what `socket` was at start.
  Reloader(std::string configured_socket, const Parts& parts)
      : configured_socket_(std::move(configured_socket)), parts_(parts) {}

  // Applies all settings that can change while svnetd runs, or none of them, and says so in the log
  // and in the status.
  void Reload(const LoadedConfig& loaded);

 private:
  // An error: nothing was changed.
  absl::Status ApplyNetworks(const Config& next);
  void ApplyCallers(const Config& next);
  void LogReload(const Config& before, const Config& next);
  // Until the file says again what is in force.
  void NoteKeysThatNeedRestart(const Config& next);
  void NoteFailure(absl::string_view why);

  const std::string configured_socket_;
  const Parts parts_;
};

}  // namespace svnet

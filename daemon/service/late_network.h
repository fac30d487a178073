// The network and the threads that look after it, from when the host lets them start.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "daemon/accept/server.h"
#include "daemon/config/config.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/housekeeping.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/rpc/health_board.h"
#include "daemon/service/bridge_locks.h"
#include "daemon/service/network_stack.h"
#include "daemon/service/service_manager.h"

namespace svnet {

// Says how it is: to callers, by the calls and svnetd's health, and to the service manager.
class LateNetwork {
 public:
  // All outlive it.
  struct Parts {
    Config* running;  // with what reloads have changed, and with the networks that are served
    BridgeLocks* locks;
    EventSink* events;
    HealthBoard* health;
    CallRunner* runner;
    ServiceManager* manager;
  };
  explicit LateNetwork(const Parts& parts) : parts_(parts) {}

  // What the next attempt serves.
  void SetNetworks(const std::vector<NetworkConfig>& networks);
  // After an error it may be tried again. `server` must outlive the threads.
  absl::Status Start(Server* server);
  // Call it while the server lives.
  void StopThreads() { housekeeping_.reset(); }

  // "serves 172.30.0.0/24 on bridge svbr0".
  std::string Describe() const;
  // nullptr: not started yet.
  NetworkStack* stack() { return stack_.get(); }

 private:
  absl::Status TryToStart(Server* server);

  const Parts parts_;
  std::unique_ptr<NetworkStack> stack_;
  std::unique_ptr<Housekeeping> housekeeping_;
};

}  // namespace svnet

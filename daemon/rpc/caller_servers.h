// One grpc::Server for each caller.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/quota.h"
#include "daemon/base/unique_fd.h"
#include "daemon/metrics/metrics.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_manager.h"
#include "daemon/rpc/call_queue.h"
#include "daemon/rpc/health_board.h"
#include "daemon/rpc/health_service.h"
#include "daemon/rpc/network_service.h"
#include "daemon/rpc/reflection_service.h"

namespace svnet {

// A connection belongs, as long as it lasts, to the server of who opened it: who has
// the same uid but other groups has another server. Not thread-safe (gRPC's own
// threads are no concern of the owner).
class CallerServers {
 public:
  // All must outlive it.
  CallerServers(NetworkManager* manager, Metrics* metrics, HealthBoard* health)
      : manager_(manager), metrics_(metrics), health_(health) {}
  ~CallerServers();

  // Serves `caller` on that connected, non-blocking socket, until either side closes
  // it; if `verdict` is an error, then with nothing but that. Each Serve wants one
  // Closed.
  absl::Status Serve(const Caller& caller, const absl::Status& verdict, UniqueFd connection);
  // One of those connections has ended.
  void Closed(const Caller& caller, const absl::Status& verdict);

  // Calls that wait for what was dying may go on.
  void Resume() { queue_.Resume(); }

  // Calls that come from now on are UNAVAILABLE, and watches end. Returns when calls that
  // run have ended, or at `deadline`.
  void FinishCalls(absl::Time deadline);

  // Whether the thread that runs the calls has come to what the last AreCallsRun gave it
  // to do, in turn with everybody's calls. So it takes two to learn that calls hang.
  bool AreCallsRun();

 private:
  struct Server {
    // The services outlive the server.
    std::unique_ptr<NetworkService> service;
    std::unique_ptr<HealthService> health;
    std::unique_ptr<ReflectionStreams> reflection;
    std::unique_ptr<ReflectionServiceV1> reflection_v1;
    std::unique_ptr<ReflectionServiceV1Alpha> reflection_v1alpha;
    std::unique_ptr<grpc::Server> server;
    int connections = 0;
    uint64_t last_used = 0;  // as clock_ counts

    bool IsQuiet() const {
      return service->IsQuiet() && health->IsQuiet() && reflection->IsQuiet();
    }
  };

  // A caller, and the text of the verdict.
  using Key = std::pair<Caller, std::string>;

  absl::StatusOr<Server*> FindOrStart(const Caller& caller, const absl::Status& verdict);
  void StopLongestIdle();

  // Kept for callers who come again, as svnetctl does: to start a server takes longer
  // than a call.
  static constexpr size_t kMaxIdle = 16;

  NetworkManager* const manager_;
  Metrics* const metrics_;
  HealthBoard* const health_;
  Quota reflection_streams_{"reflection streams", Quota::kOfStreams};
  std::map<Key, Server> servers_;
  std::atomic<bool> probe_has_run_ = true;  // AreCallsRun's
  // Their threads end before the services go that their calls are of.
  StreamPump pump_;
  CallQueue queue_;
  uint64_t clock_ = 0;
};

}  // namespace svnet

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
#include "daemon/rpc/limited_log.h"
#include "daemon/rpc/network_service.h"
#include "daemon/rpc/reflection_service.h"

namespace svnet {

// A connection belongs, as long as it lasts, to the server of who opened it: who has
// the same uid but other groups has another server. Those who are refused have a few servers,
// and when these are all in use one that is common to them. Not thread-safe (gRPC's own
// threads are no concern of the owner).
class CallerServers {
 public:
  using Id = uint64_t;  // of a server; none comes twice

  // All must outlive it.
  CallerServers(NetworkManager* manager, Metrics* metrics, HealthBoard* health, LimitedLog* log)
      : manager_(manager), metrics_(metrics), health_(health), log_(log) {}
  ~CallerServers();

  // Serves `caller` on that connected, non-blocking socket, until either side closes
  // it; if `verdict` is an error, then with nothing but that. By which server: each Serve
  // wants one Closed.
  absl::StatusOr<Id> Serve(const Caller& caller, const absl::Status& verdict, UniqueFd connection);
  // One of those connections has ended.
  void Closed(Id server);
  // What its caller may has changed: none of its calls begins any more, and who connects from
  // now on has another server. Its connections are yet to be ended.
  void Revoke(Id server);

  // Calls that wait for what was dying may go on.
  void Resume() { queue_.Resume(); }

  // Calls that come from now on are UNAVAILABLE, and watches end. Returns when calls that
  // run have ended, or at `deadline`.
  void FinishCalls(absl::Time deadline);

  // Whether the thread that runs the calls has come to what the last AreCallsRun gave it
  // to do, in turn with everybody's calls. So it takes two to learn that calls hang.
  bool AreCallsRun();

 private:
  // A caller, and the text of the verdict.
  using Key = std::pair<Caller, std::string>;

  struct Server {
    // The services outlive the server.
    std::unique_ptr<NetworkService> service;
    std::unique_ptr<HealthService> health;
    std::unique_ptr<ReflectionStreams> reflection;
    std::unique_ptr<ReflectionServiceV1> reflection_v1;
    std::unique_ptr<ReflectionServiceV1Alpha> reflection_v1alpha;
    std::unique_ptr<grpc::Server> server;
    Key key;
    int connections = 0;
    uint64_t idle_since = 0;  // as last_idle_ counts; 0: it never was
    bool of_refused = false;  // and not one of the common ones

    bool IsQuiet() const {
      return service->IsQuiet() && health->IsQuiet() && reflection->IsQuiet();
    }
  };

  absl::StatusOr<Id> FindOrStart(const Caller& caller, const absl::Status& verdict);
  absl::StatusOr<Id> FindOrStartForRefused(const Caller& caller, const absl::Status& verdict);
  absl::StatusOr<Id> Start(const Key& key, const Caller& caller, const absl::Status& verdict);
  // Whether a server of its own may be started for one who is refused.
  bool MayStartForRefused(absl::Time now);
  // The one that has been idle the longest, of those that can be stopped at once; of those who
  // are refused alone, if `only_refused`. False if there is none.
  bool StopLongestIdle(bool only_refused);
  void Stop(Id server);

  // Kept for callers who come again, as svnetctl does: to start a server takes longer
  // than a call.
  static constexpr size_t kMaxIdle = 16;
  // Servers of those who are refused, but for the common ones, and how often one is started.
  static constexpr size_t kMaxOfRefused = 8;
  static constexpr absl::Duration kStartForRefusedEvery = absl::Milliseconds(250);

  NetworkManager* const manager_;
  Metrics* const metrics_;
  HealthBoard* const health_;
  LimitedLog* const log_;
  Quota reflection_streams_{"reflection streams", Quota::kOfStreams};
  std::map<Id, Server> servers_;
  std::map<Key, Id> by_key_;     // those that are not revoked
  std::map<uint64_t, Id> idle_;  // those without connections, by idle_since
  size_t of_refused_ = 0;        // of servers_, but for the common ones
  absl::Time started_for_refused_ = absl::InfinitePast();
  std::atomic<bool> probe_has_run_ = true;  // AreCallsRun's
  // Their threads end before the services go that their calls are of.
  StreamPump pump_;
  CallQueue queue_;
  Id last_id_ = 0;
  uint64_t last_idle_ = 0;
};

}  // namespace svnet

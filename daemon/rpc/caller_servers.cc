#include "daemon/rpc/caller_servers.h"

#include <grpcpp/server_posix.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/admission.h"

namespace svnet {
namespace {

// What one connection can make svnetd keep. What is larger than NetworkService takes,
// but not by much, gets an answer that says so.
constexpr int kMaxMessage = 16 << 10;  // bytes
constexpr int kMaxMetadata = 4 << 10;  // bytes
constexpr int kMaxStreams = 32;        // of one connection; a client's others wait

constexpr absl::Duration kPatienceWithWatchers = absl::Seconds(1);

constexpr uid_t kNobody = static_cast<uid_t>(-1);  // no caller has it

}  // namespace

CallerServers::~CallerServers() {
  for (auto& [caller, server] : servers_) server.server->Shutdown();
}

absl::StatusOr<CallerServers::Id> CallerServers::Serve(const Caller& caller,
                                                       const absl::Status& verdict,
                                                       UniqueFd connection) {
  SVNET_ASSIGN_OR_RETURN(const Id id, verdict.ok() ? FindOrStart(caller, verdict)
                                                   : FindOrStartForRefused(caller, verdict));
  Server& server = servers_.at(id);
  ++server.connections;
  idle_.erase(server.idle_since);
  grpc::AddInsecureChannelFromFd(server.server.get(), connection.Release());
  return id;
}

absl::StatusOr<CallerServers::Id> CallerServers::FindOrStart(const Caller& caller,
                                                             const absl::Status& verdict) {
  const Key key(caller, verdict.ToString());
  if (const auto found = by_key_.find(key); found != by_key_.end()) return found->second;
  return Start(key, caller, verdict);
}

absl::StatusOr<CallerServers::Id> CallerServers::FindOrStartForRefused(
    const Caller& caller, const absl::Status& verdict) {
  const Key key(caller, verdict.ToString());
  if (const auto found = by_key_.find(key); found != by_key_.end()) return found->second;
  if (!MayStartForRefused(MonotonicNow())) {
    const Caller anybody = {.uid = LogLimit::kTogether, .gid = LogLimit::kTogether};
    return FindOrStart(anybody, RefusalOfAnybody(verdict));
  }
  SVNET_ASSIGN_OR_RETURN(const Id id, Start(key, caller, verdict));
  ++of_refused_;
  servers_.at(id).of_refused = true;
  return id;
}

bool CallerServers::MayStartForRefused(absl::Time now) {
  if (now - started_for_refused_ < kStartForRefusedEvery) return false;
  if (of_refused_ >= kMaxOfRefused && !StopLongestIdle(true)) return false;
  started_for_refused_ = now;
  return true;
}

absl::StatusOr<CallerServers::Id> CallerServers::Start(const Key& key, const Caller& caller,
                                                       const absl::Status& verdict) {
  auto reflection = std::make_unique<ReflectionStreams>(caller, verdict, &reflection_streams_);
  Server server = {
      .service = std::make_unique<NetworkService>(caller, verdict, manager_, metrics_, &queue_,
                                                  &pump_, log_),
      .health = std::make_unique<HealthService>(caller, verdict, health_, &pump_),
      .reflection_v1 = std::make_unique<ReflectionServiceV1>(reflection.get()),
      .reflection_v1alpha = std::make_unique<ReflectionServiceV1Alpha>(reflection.get()),
      .key = key};
  server.reflection = std::move(reflection);
  grpc::ServerBuilder builder;
  builder.RegisterService(server.service.get());
  builder.RegisterService(server.health.get());
  builder.RegisterService(server.reflection_v1.get());
  builder.RegisterService(server.reflection_v1alpha.get());
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  server.server = builder.BuildAndStart();  // of no port
  if (server.server == nullptr) {
    return absl::InternalError(absl::StrCat("gRPC starts no server for uid ", caller.uid));
  }
  const Id id = ++last_id_;
  servers_.emplace(id, std::move(server));
  by_key_.emplace(key, id);
  return id;
}

void CallerServers::FinishCalls(absl::Time deadline) {
  queue_.CloseAndWait(deadline);
  const absl::Status why = absl::UnavailableError("svnetd is shutting down");
  manager_->EndWatches(why);
  health_->EndWatches(why);
  // Who does not read does not hear it.
  pump_.WaitForStreams(absl::Now() + kPatienceWithWatchers);
}

void CallerServers::Closed(Id id) {
  Server& server = servers_.at(id);
  if (--server.connections > 0) return;
  server.idle_since = ++last_idle_;
  idle_.emplace(server.idle_since, id);
  if (idle_.size() > kMaxIdle) StopLongestIdle(false);
}

void CallerServers::Revoke(Id id) {
  Server& server = servers_.at(id);
  server.service->Revoke();
  const auto found = by_key_.find(server.key);
  if (found != by_key_.end() && found->second == id) by_key_.erase(found);
}

bool CallerServers::AreCallsRun() {
  if (!probe_has_run_.exchange(false)) return false;
  return queue_.Submit(kNobody, [this] {
    probe_has_run_ = true;
    queue_.Answered();
  }) == CallQueue::Admission::kAccepted;
}

bool CallerServers::StopLongestIdle(bool only_refused) {
  for (const auto& [since, id] : idle_) {
    const Server& server = servers_.at(id);
    // To stop one whose calls run would wait for them.
    if ((only_refused && !server.of_refused) || !server.IsQuiet()) continue;
    Stop(id);
    return true;
  }
  return false;
}

void CallerServers::Stop(Id id) {
  const auto found = servers_.find(id);
  Server& server = found->second;
  server.server->Shutdown();
  Revoke(id);
  idle_.erase(server.idle_since);
  if (server.of_refused) --of_refused_;
  servers_.erase(found);
}

}  // namespace svnet

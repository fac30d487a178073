#include "daemon/rpc/caller_servers.h"

#include <grpcpp/server_posix.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/status_macros.h"

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

absl::Status CallerServers::Serve(const Caller& caller, const absl::Status& verdict,
                                  UniqueFd connection) {
  SVNET_ASSIGN_OR_RETURN(Server * server, FindOrStart(caller, verdict));
  ++server->connections;
  server->last_used = ++clock_;
  grpc::AddInsecureChannelFromFd(server->server.get(), connection.Release());
  return absl::OkStatus();
}

absl::StatusOr<CallerServers::Server*> CallerServers::FindOrStart(const Caller& caller,
                                                                  const absl::Status& verdict) {
  const Key key(caller, verdict.ToString());
  if (const auto found = servers_.find(key); found != servers_.end()) return &found->second;
  auto reflection = std::make_unique<ReflectionStreams>(caller, verdict, &reflection_streams_);
  Server server = {
      .service =
          std::make_unique<NetworkService>(caller, verdict, manager_, metrics_, &queue_, &pump_),
      .health = std::make_unique<HealthService>(caller, verdict, health_, &pump_),
      .reflection_v1 = std::make_unique<ReflectionServiceV1>(reflection.get()),
      .reflection_v1alpha = std::make_unique<ReflectionServiceV1Alpha>(reflection.get())};
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
  return &servers_.emplace(key, std::move(server)).first->second;
}

void CallerServers::FinishCalls(absl::Time deadline) {
  queue_.CloseAndWait(deadline);
  const absl::Status why = absl::UnavailableError("svnetd is shutting down");
  manager_->EndWatches(why);
  health_->EndWatches(why);
  // Who does not read does not hear it.
  pump_.WaitForStreams(absl::Now() + kPatienceWithWatchers);
}

void CallerServers::Closed(const Caller& caller, const absl::Status& verdict) {
  const auto found = servers_.find(Key(caller, verdict.ToString()));
  if (found == servers_.end()) return;
  --found->second.connections;
  StopLongestIdle();
}

bool CallerServers::AreCallsRun() {
  if (!probe_has_run_.exchange(false)) return false;
  return queue_.Submit(kNobody, [this] {
    probe_has_run_ = true;
    queue_.Answered();
  }) == CallQueue::Admission::kAccepted;
}

void CallerServers::StopLongestIdle() {
  size_t idle = 0;
  auto longest = servers_.end();
  for (auto each = servers_.begin(); each != servers_.end(); ++each) {
    // To stop one whose calls run would wait for them.
    if (each->second.connections > 0 || !each->second.IsQuiet()) continue;
    ++idle;
    if (longest == servers_.end() || each->second.last_used < longest->second.last_used) {
      longest = each;
    }
  }
  if (idle <= kMaxIdle) return;
  longest->second.server->Shutdown();
  servers_.erase(longest);
}

}  // namespace svnet

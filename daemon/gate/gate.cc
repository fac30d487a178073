#include "daemon/gate/gate.h"

#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "daemon/gate/call_service.h"
#include "daemon/gate/call_starter.h"
#include "daemon/gate/confinement.h"
#include "daemon/gate/connections.h"
#include "daemon/gate/core_calls.h"
#include "daemon/gate/create_taps_call.h"
#include "daemon/gate/outbox.h"
#include "daemon/gate/priority.h"
#include "daemon/gate/reflection_service.h"

namespace svnet {
namespace {

// What one connection can make a gate keep, if it keeps to HTTP/2. What is larger than svnetd
// takes, but not by much, gets an answer that says so. A caller who fills its own gate with large
// ones loses its own connections; of a gate that several share, none may fill so much.
constexpr int kMaxMessage = kMaxBatchSize + (4 << 10);  // bytes
constexpr int kMaxSharedMessage = 16 << 10;             // bytes
constexpr int kMaxMetadata = 4 << 10;                   // bytes
constexpr int kPingInterval = 1000;  // ms, of one connection; who pings more often is ended
constexpr int kMaxStreams = 32;      // of one connection; a client's others wait

// For gRPC, which has pools of twice as many threads. With two nothing was faster.
constexpr size_t kStackSize = 256 << 10;  // bytes, of a thread
constexpr int kIdle = 1000;               // milliseconds
constexpr int kLongestIdle = 32 * kIdle;  // milliseconds

// One heap for all threads and small stacks: 3 MB of data instead of 66.
void SaveMemory() {
  mallopt(M_ARENA_MAX, 1);
  // A sanitizer has more on each stack than that.
  if (!kConfinesSystemCalls) return;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

// A hostile caller can cause any number of lines, and they say nothing that its calls'
// statuses do not.
void DiscardLibraryLogs() {
  gpr_set_log_function([](gpr_log_func_args*) {});
  google::protobuf::SetLogHandler(nullptr);
}

class Gate {
 public:
  Gate(Channel core, Priority priority, bool is_shared)
      : is_shared_(is_shared),
        priority_(std::move(priority)),
        core_(std::move(core)),
        outbox_(&core_),
        calls_(&outbox_),
        starter_(&connections_, &calls_),
        service_(&starter_),
        health_(&starter_),
        reflection_([this](const std::string& peer) { return starter_.MayBegin(peer); }),
        reflection_v1_(&reflection_),
        reflection_v1alpha_(&reflection_) {}

  // Returns when the channel has ended.
  absl::Status Run();

 private:
  // False: there is no server.
  bool Start();
  // Until a message comes. When none has come for a while, gives unused memory back, and again
  // after twice the time: what callers send that is not a call is not seen here, but for the
  // time that it takes.
  void Wait();
  absl::Status Handle(Message message, UniqueFd descriptor);
  absl::Status Serve(Message message, UniqueFd connection);
  // A number for its descriptor that no connection has had before: by that a call is known, and
  // one that comes late must not pass for a call of who came next.
  absl::Status MoveToFreshNumber(UniqueFd* connection);

  const bool is_shared_;  // by several callers
  int next_number_ = kOwnDescriptors;
  Priority priority_;
  uint64_t messages_ = 0;  // that have come
  const Channel core_;
  Outbox outbox_;
  CoreCalls calls_;
  Connections connections_;
  CallStarter starter_;
  CallService service_;
  HealthCallService health_;
  ReflectionStreams reflection_;
  ReflectionServiceV1 reflection_v1_;
  ReflectionServiceV1Alpha reflection_v1alpha_;
  std::unique_ptr<grpc::Server> server_;
};

bool Gate::Start() {
  grpc::ServerBuilder builder;
  builder.RegisterService(&service_);
  builder.RegisterService(&health_);
  builder.RegisterService(&reflection_v1_);
  builder.RegisterService(&reflection_v1alpha_);
  builder.SetMaxReceiveMessageSize(is_shared_ ? kMaxSharedMessage : kMaxMessage);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  // gRPC takes one ping in five minutes, or ends the connection. Callers hold quiet watches, and
  // their libraries ping every ten seconds, or as often as they are told to.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingInterval);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  server_ = builder.BuildAndStart();  // of no port
  return server_ != nullptr;
}

void Gate::Wait() {
  std::array<pollfd, 2> ready = {pollfd{.fd = core_.fd(), .events = POLLIN},
                                 pollfd{.fd = priority_.fd(), .events = POLLIN}};
  for (int idle = kIdle;;) {
    const int count = poll(ready.data(), ready.size(), idle);
    if (ready[1].revents != 0) priority_.Update(messages_);
    if (count < 0 || ready[0].revents != 0) return;
    if (count > 0) continue;
    malloc_trim(0);
    idle = std::min(2 * idle, kLongestIdle);
  }
}

absl::Status Gate::Run() {
  if (!Start()) return absl::InternalError("gRPC starts no server");
  outbox_.Send({.kind = MessageKind::kReady, .status = {}, .body = ""});
  while (true) {
    Wait();
    absl::StatusOr<Channel::Packet> packet = core_.Receive(kMaxPacket, true, true);
    if (!packet.ok()) return packet.status();
    absl::StatusOr<Message> message = Decode(packet->bytes);
    if (!message.ok()) return message.status();
    ++messages_;
    const absl::Status handled = Handle(*std::move(message), std::move(packet->descriptor));
    if (!handled.ok()) return handled;
  }
}

absl::Status Gate::Handle(Message message, UniqueFd descriptor) {
  switch (message.kind) {
    case MessageKind::kConnection:
      return Serve(std::move(message), std::move(descriptor));
    case MessageKind::kDrain:
      calls_.Drain(std::move(message.status));
      return absl::OkStatus();
    case MessageKind::kPing:
      return absl::OkStatus();
    default:
      return calls_.Receive(std::move(message));
  }
}

absl::Status Gate::Serve(Message message, UniqueFd connection) {
  // It had no room. svnetd has a duplicate, so that its caller would wait for ever.
  if (!connection.valid()) return absl::ResourceExhaustedError("a connection got lost");
  if (is_shared_) {
    if (const absl::Status moved = MoveToFreshNumber(&connection); !moved.ok()) return moved;
  }
  connections_.Add(connection.get(),
                   {.number = message.connection, .status = std::move(message.status)});
  grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
  return absl::OkStatus();
}

absl::Status Gate::MoveToFreshNumber(UniqueFd* connection) {
  UniqueFd moved(fcntl(connection->get(), F_DUPFD_CLOEXEC, next_number_));
  if (!moved.valid()) return absl::ErrnoToStatus(errno, "F_DUPFD_CLOEXEC");
  next_number_ = moved.get() + 1;
  *connection = std::move(moved);
  return absl::OkStatus();
}

}  // namespace

void RunGate(Channel core, bool is_shared) {
  SaveMemory();
  absl::StatusOr<Priority> priority = Priority::Start();
  if (!priority.ok() || !Confine().ok()) _exit(1);
  DiscardLibraryLogs();
  // Never destroyed: gRPC's threads end with the process.
  const absl::Status end = (new Gate(std::move(core), *std::move(priority), is_shared))->Run();
  _exit(absl::IsAborted(end) ? 0 : 1);
}

}  // namespace svnet

#include "client/connection.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>

#include <utility>

#include "client/unix_socket.h"

namespace svnet::client {
namespace {

std::chrono::system_clock::time_point After(absl::Duration timeout) {
  return absl::ToChronoTime(absl::Now() + timeout);
}

// gRPC never waits in a system call.
void MakeNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

Result<Connection> Connection::Open(const std::string& socket, absl::Duration timeout) {
  const auto deadline = After(timeout);
  Result<UniqueFd> connected = ConnectTo(socket, SOCK_STREAM, timeout);
  if (const auto* failure = std::get_if<Failure>(&connected)) return *failure;
  return Connection(std::move(std::get<UniqueFd>(connected)), {socket, timeout}, deadline);
}

Connection::Connection(UniqueFd fd, const std::string& socket, absl::Duration timeout)
    : Connection(std::move(fd), CallContext{socket, timeout}, After(timeout)) {}

Connection::Connection(UniqueFd fd, const CallContext& about,
                       std::chrono::system_clock::time_point deadline)
    : about_(about), deadline_(deadline) {
  MakeNonBlocking(fd.get());
  stub_ = v1::NetworkService::NewStub(grpc::CreateInsecureChannelFromFd("svnetd", fd.Release()));
}

std::optional<Failure> Connection::Watch(const v1::WatchTapsRequest& request,
                                         absl::FunctionRef<bool(const v1::TapEvent&)> visit,
                                         absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  const auto stream = stub_->WatchTaps(&context, request);
  v1::TapEvent event;
  while (stream->Read(&event)) {
    if (visit(event)) continue;
    context.TryCancel();
    stream->Finish();
    return std::nullopt;
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) return std::nullopt;
  return ExplainRpcFailure(status, about_);
}

}  // namespace svnet::client

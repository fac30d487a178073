#include "client/connection.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>

#include "absl/strings/string_view.h"
#include "client/connect_failure.h"

namespace svnet::client {
namespace {

std::chrono::system_clock::time_point After(absl::Duration timeout) {
  return absl::ToChronoTime(absl::Now() + timeout);
}

sockaddr_un AddressOf(absl::string_view socket) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// An errno, or a connected socket that waits no longer than `timeout` for a place
// in the listener's queue (a non-blocking one would not wait at all).
std::variant<UniqueFd, int> ConnectTo(const std::string& path, absl::Duration timeout) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  const timeval limit = absl::ToTimeval(timeout);
  if (setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) return errno;
  const sockaddr_un address = AddressOf(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return errno;
  }
  return fd;
}

// gRPC never waits in a system call.
void MakeNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

Result<Connection> Connection::Open(const std::string& socket, absl::Duration timeout) {
  const auto deadline = After(timeout);
  std::variant<UniqueFd, int> connected = ConnectTo(socket, timeout);
  if (const int* error = std::get_if<int>(&connected)) {
    return ExplainConnectFailure(socket, *error,
                                 *error == EACCES ? ObserveBarrier(socket) : Barrier{});
  }
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

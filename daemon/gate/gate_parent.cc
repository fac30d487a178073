#include "daemon/gate/gate_parent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/gate/confinement.h"
#include "daemon/gate/gate_children.h"
#include "daemon/gate/privileges.h"
#include "daemon/wire/channel.h"
#include "daemon/wire/gate_request.h"

namespace svnet {
namespace {

constexpr uid_t kRoot = 0;

// SIGCHLD as a descriptor. The signals stay blocked: gates unblock them.
absl::StatusOr<UniqueFd> WatchChildren() {
  // The program that started svnetd may ignore it: then the kernel would reap gates by itself.
  signal(SIGCHLD, SIG_DFL);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &children, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "sigprocmask");
  }
  UniqueFd fd(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

// Where there is no /dev, standard input: systemd gives /dev/null.
UniqueFd OpenNull() {
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.valid()) return null;
  return UniqueFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
}

class GateParent {
 public:
  // `listener`: where svnetds connect, or none.
  static absl::StatusOr<std::unique_ptr<GateParent>> Create(UniqueFd listener) {
    SVNET_ASSIGN_OR_RETURN(UniqueFd children, WatchChildren());
    UniqueFd null = OpenNull();
    if (!null.valid()) return absl::ErrnoToStatus(errno, "/dev/null");
    DropPrivileges();
    SVNET_RETURN_IF_ERROR(ConfineParent());
    return std::unique_ptr<GateParent>(
        new GateParent(std::move(listener), std::move(children), std::move(null)));
  }

  void SetRequests(UniqueFd requests) { requests_.emplace(std::move(requests)); }

  // Until there is nobody to make gates for, nor will be.
  void Run();

 private:
  GateParent(UniqueFd listener, UniqueFd ended, UniqueFd null)
      : listener_(std::move(listener)), ended_(std::move(ended)), gates_(std::move(null)) {}

  void Accept();
  void HandleRequest();
  void Reap();

  const UniqueFd listener_;
  const UniqueFd ended_;  // signals that gates have
  GateChildren gates_;
  std::optional<Channel> requests_;  // of the svnetd that is there
};

void GateParent::Run() {
  while (listener_.valid() || requests_.has_value()) {
    std::array<pollfd, 3> ready = {
        pollfd{.fd = requests_.has_value() ? requests_->fd() : -1, .events = POLLIN},
        pollfd{.fd = listener_.get(), .events = POLLIN},
        pollfd{.fd = ended_.get(), .events = POLLIN}};
    if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
    if (ready[2].revents != 0) Reap();
    if (ready[0].revents != 0) HandleRequest();
    if (ready[1].revents != 0) Accept();
  }
}

void GateParent::Accept() {
  UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) return;
  ucred peer = {};
  socklen_t size = sizeof(peer);
  const int known = getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
  if (known != 0 || peer.uid != kRoot) return;
  gates_.KillAll();
  requests_.emplace(std::move(connection));
}

void GateParent::HandleRequest() {
  GateRequest request;
  absl::StatusOr<Channel::Packet> packet = requests_->Receive(sizeof(request), true);
  if (absl::IsUnavailable(packet.status())) return;
  if (!packet.ok() || packet->bytes.size() != sizeof(request)) {
    gates_.KillAll();
    requests_.reset();
    return;
  }
  std::memcpy(&request, packet->bytes.data(), sizeof(request));
  if (request.kind == GateRequest::Kind::kKill) {
    gates_.Kill(request.number);
  } else if (request.kind == GateRequest::Kind::kMakeForCalls ||
             request.kind == GateRequest::Kind::kMakeForMetrics) {
    gates_.Make(request, std::move(packet->descriptor));
  }
}

void GateParent::Reap() {
  // How many it tells of, and which, does not matter.
  signalfd_siginfo signal;
  while (read(ended_.get(), &signal, sizeof(signal)) > 0) {
  }
  gates_.Reap();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "svnetd: no gates: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<UniqueFd> SystemdsListener() {
  const int count = sd_listen_fds(1);
  if (count != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, nullptr, 0) <= 0) {
    return absl::FailedPreconditionError(
        "--gates is for svnet-gates.service: systemd listens for it, at a socket of packets");
  }
  UniqueFd listener(SD_LISTEN_FDS_START);
  // The one that connected may have gone again.
  if (fcntl(listener.get(), F_SETFL, O_NONBLOCK) != 0) return absl::ErrnoToStatus(errno, "fcntl");
  return listener;
}

}  // namespace

absl::StatusOr<UniqueFd> ForkGateParent() {
  SVNET_ASSIGN_OR_RETURN(auto ends, Channel::Pair());
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid > 0) return std::move(ends.first).Release();
  // What ends svnetd from a terminal is svnetd's to hear: calls that run are to be answered.
  setsid();
  for (const int ignored : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) signal(ignored, SIG_IGN);
  constexpr int kRequests = 3;
  const int requests = ends.second.fd();
  if (requests != kRequests && dup2(requests, kRequests) != kRequests) _exit(1);
  if (close_range(kRequests + 1, ~0U, 0) != 0) _exit(1);
  RunGateParent(UniqueFd(kRequests));
}

absl::StatusOr<UniqueFd> ConnectGateParent(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError("the path of the gates' socket is too long");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, path);
  }
  return fd;
}

void RunGateParent(UniqueFd requests) {
  prctl(PR_SET_NAME, "svnet-gates", 0, 0, 0);
  absl::StatusOr<std::unique_ptr<GateParent>> parent = GateParent::Create(UniqueFd());
  if (!parent.ok()) _exit(Fail(parent.status()));
  (*parent)->SetRequests(std::move(requests));
  (*parent)->Run();
  _exit(0);
}

int ServeGateParent() {
  prctl(PR_SET_NAME, "svnet-gates", 0, 0, 0);
  absl::StatusOr<UniqueFd> listener = SystemdsListener();
  if (!listener.ok()) return Fail(listener.status());
  absl::StatusOr<std::unique_ptr<GateParent>> parent = GateParent::Create(*std::move(listener));
  if (!parent.ok()) return Fail(parent.status());
  (*parent)->Run();
  return 1;  // poll(2) failed
}

}  // namespace svnet

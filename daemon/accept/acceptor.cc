#include "daemon/accept/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/accept/refusal_log.h"
#include "daemon/base/clock.h"

namespace svnet {
namespace {

// After an error that is not of one connection, because the next would be the same; and when they
// come too fast.
constexpr int kPause = 10;  // milliseconds

// As many as usually wait in the kernel at most (net.core.somaxconn).
constexpr int kMostLeft = 4096;

UniqueFd OpenSpare() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Nobody waits for an answer any more.
bool HasHungUp(const UniqueFd& connection) {
  pollfd events = {.fd = connection.get(), .events = POLLRDHUP};
  return poll(&events, 1, 0) > 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(int listening,
                                                          AdmissionControl* admission,
                                                          LimitedLog* log) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Acceptor>(new Acceptor(listening, admission, log, std::move(stop)));
}

Acceptor::Acceptor(int listening, AdmissionControl* admission, LimitedLog* log, UniqueFd stop)
    : listening_(listening),
      admission_(admission),
      log_(log),
      stop_(std::move(stop)),
      spare_(OpenSpare()),
      thread_([this] { Run(); }) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Stop() {
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void Acceptor::Run() {
  while (WaitForConnection()) {
    const std::optional<double> cost = AcceptOne();
    if (!pace_.Take(MonotonicNow(), cost.value_or(1))) Pause();
  }
  for (int i = 0; i < kMostLeft && AcceptOne().has_value(); ++i) {
  }
}

bool Acceptor::WaitForConnection() {
  std::array<pollfd, 2> events = {pollfd{.fd = listening_, .events = POLLIN},
                                  pollfd{.fd = stop_.get(), .events = POLLIN}};
  poll(events.data(), events.size(), -1);
  return events[1].revents == 0;
}

std::optional<double> Acceptor::AcceptOne() {
  UniqueFd connection(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection.valid()) {
    AfterFailure(errno);
    return std::nullopt;
  }
  if (HasHungUp(connection)) return kOfOneWhoHasHungUp;
  if (const absl::Status status = admission_->Admit(std::move(connection)); !status.ok()) {
    LogTurnedAway(log_, LogLimit::kTogether,
                  [&] { return absl::StrCat("a connection is refused: ", status.message()); });
  }
  return 1;
}

void Acceptor::AfterFailure(int error) {
  if (error == EAGAIN || error == ECONNABORTED || error == EINTR) return;
  LogTurnedAway(log_, LogLimit::kTogether,
                [&] { return absl::StrCat("accept: ", strerror(error)); });
  if (error == EMFILE || error == ENFILE) return RefuseWithoutDescriptor();
  Pause();
}

void Acceptor::Pause() {
  pollfd stop = {.fd = stop_.get(), .events = POLLIN};
  poll(&stop, 1, kPause);
}

void Acceptor::RefuseWithoutDescriptor() {
  spare_.Reset();
  UniqueFd refused(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));
  refused.Reset();
  spare_ = OpenSpare();
}

}  // namespace svnet

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
#include "daemon/accept/caller_identity.h"
#include "daemon/accept/refusal_log.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"

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

UniqueFd OpenEvent() { return UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(int listening, LimitedLog* log,
                                                          const AdmissionRules& rules,
                                                          const ConnectionLimits& limits) {
  Events events = {.stop = OpenEvent(), .arrived = OpenEvent()};
  if (!events.stop.valid() || !events.arrived.valid()) {
    return absl::ErrnoToStatus(errno, "eventfd");
  }
  return std::unique_ptr<Acceptor>(new Acceptor(listening, log, std::move(events), rules, limits));
}

Acceptor::Acceptor(int listening, LimitedLog* log, Events events, const AdmissionRules& rules,
                   const ConnectionLimits& limits)
    : listening_(listening),
      log_(log),
      stop_(std::move(events.stop)),
      arrived_(std::move(events.arrived)),
      spare_(OpenSpare()),
      rules_(std::make_shared<const AdmissionRules>(rules)),
      counts_(limits),
      thread_([this] { Run(); }) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Stop() {
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

std::vector<Acceptor::Arrival> Acceptor::Take() {
  MutexLock lock(&mutex_);
  eventfd_t count = 0;
  eventfd_read(arrived_.get(), &count);
  return std::exchange(arrivals_, {});
}

void Acceptor::Release(const Caller& caller, const absl::Status& verdict) {
  MutexLock lock(&mutex_);
  counts_.Remove(caller, verdict);
}

void Acceptor::ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits) {
  MutexLock lock(&mutex_);
  rules_ = std::make_shared<const AdmissionRules>(rules);
  counts_.ChangeLimits(limits);
}

Acceptor::Rules Acceptor::rules() {
  MutexLock lock(&mutex_);
  return rules_;
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
  if (const absl::Status status = Admit(std::move(connection)); !status.ok()) {
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

absl::Status Acceptor::Admit(UniqueFd fd) {
  Arrival arrival = {.since = MonotonicNow()};
  SVNET_ASSIGN_OR_RETURN(arrival.peer, IdentifyCaller(fd.get()));
  arrival.fd = std::move(fd);
  // Once more only if the rules have changed meanwhile.
  while (true) {
    const Rules rules = this->rules();
    arrival.admission = svnet::Admit(arrival.peer, *rules);
    arrival.verdict = arrival.admission.verdict;
    if (!Count(&arrival)) return absl::OkStatus();
    // Only now: it costs more than all the rest.
    if (arrival.verdict.ok()) {
      arrival.peer.shares_pids = SharesPids(arrival.fd.get());
      arrival.admission.caller.shares_pids = arrival.peer.shares_pids;
    }
    if (Announce(&arrival, rules)) return absl::OkStatus();
  }
}

bool Acceptor::Count(Arrival* arrival) {
  {
    MutexLock lock(&mutex_);
    if (counts_.Add(arrival->admission, &arrival->verdict, arrival->since)) return true;
    if (!arrival->verdict.ok()) return false;
  }
  const uid_t uid = arrival->peer.uid;
  LogTurnedAway(log_, uid, [&] {
    MutexLock lock(&mutex_);
    return absl::StrCat("uid ", uid, " is turned away: there are ", counts_.ToString());
  });
  return false;
}

bool Acceptor::Announce(Arrival* arrival, const Rules& rules) {
  MutexLock lock(&mutex_);
  if (rules != rules_) {
    counts_.Remove(arrival->caller(), arrival->verdict);
    return false;
  }
  arrivals_.push_back(std::move(*arrival));
  eventfd_write(arrived_.get(), 1);
  return true;
}

}  // namespace svnet

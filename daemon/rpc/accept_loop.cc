#include "daemon/rpc/accept_loop.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/caller_identity.h"

namespace svnet {
namespace {

// What every HTTP/2 client sends first, unasked (RFC 9113, 3.4).
constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// How long a caller may take to say that, or to hear why it is refused.
constexpr absl::Duration kPatience = absl::Seconds(5);

// How many connections of a uid may wait to be told that it has too many; more are
// just closed.
constexpr uint32_t kMaxRefused = 8;

// The numbers of what is no connection.
constexpr uint64_t kListening = 0;
constexpr uint64_t kWake = 1;
constexpr uint64_t kFirstConnection = 2;

UniqueFd OpenSpare() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

AcceptLoop::AcceptLoop(UniqueFd epoll, UniqueFd spare, int listening, int wake,
                       const AdmissionRules& rules, size_t max_connections, CallerServers* servers,
                       ConnectionMetrics* metrics)
    : epoll_(std::move(epoll)),
      spare_(std::move(spare)),
      listening_(listening),
      wake_(wake),
      rules_(rules),
      max_connections_(max_connections),
      servers_(servers),
      metrics_(metrics),
      next_number_(kFirstConnection) {}

absl::StatusOr<std::unique_ptr<AcceptLoop>> AcceptLoop::Create(int listening, int wake,
                                                               const AdmissionRules& rules,
                                                               size_t max_connections,
                                                               CallerServers* servers,
                                                               ConnectionMetrics* metrics) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  std::unique_ptr<AcceptLoop> loop(new AcceptLoop(std::move(epoll), OpenSpare(), listening, wake,
                                                  rules, max_connections, servers, metrics));
  SVNET_RETURN_IF_ERROR(loop->Watch(EPOLL_CTL_ADD, listening, kListening, EPOLLIN));
  SVNET_RETURN_IF_ERROR(loop->Watch(EPOLL_CTL_ADD, wake, kWake, EPOLLIN));
  return loop;
}

absl::Status AcceptLoop::Watch(int operation, int fd, uint64_t number, uint32_t events) {
  epoll_event event = {.events = events, .data = {.u64 = number}};
  if (epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

absl::Status AcceptLoop::Run() {
  while (true) {
    SVNET_ASSIGN_OR_RETURN(const bool woken, HandleEvents(TimeToNextDeadline()));
    if (woken) return absl::OkStatus();
  }
}

void AcceptLoop::ChangeRules(const AdmissionRules& rules, size_t max_connections) {
  rules_ = rules;
  max_connections_ = max_connections;
}

absl::Status AcceptLoop::Settle() {
  SVNET_RETURN_IF_ERROR(Watch(EPOLL_CTL_DEL, listening_, kListening, 0));
  SVNET_RETURN_IF_ERROR(Watch(EPOLL_CTL_DEL, wake_, kWake, 0));
  const absl::Time end = MonotonicNow() + kSettleTime;
  for (absl::Time now = MonotonicNow(); now < end && HasConnectionSince(now - kSettleTime);
       now = MonotonicNow()) {
    SVNET_RETURN_IF_ERROR(HandleEvents(end - now).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> AcceptLoop::HandleEvents(absl::Duration timeout) {
  constexpr absl::Duration kLongest = absl::Minutes(1);
  // Rounded up, or what is due in less than a millisecond is waited for in circles.
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(std::clamp(timeout, absl::ZeroDuration(), kLongest)) + 1;
  std::array<epoll_event, 64> events;
  const int count =
      epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(milliseconds));
  if (count < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "epoll_wait");
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    const uint64_t number = events[i].data.u64;
    if (number == kWake) {
      woken = true;  // the others are told once: they must be heard all the same
    } else {
      number == kListening ? Accept() : OnEvent(number, events[i].events);
    }
  }
  CloseOverdue();
  return woken;
}

absl::Duration AcceptLoop::TimeToNextDeadline() const {
  return deadlines_.empty() ? absl::InfiniteDuration() : deadlines_.front().when - MonotonicNow();
}

bool AcceptLoop::HasConnectionSince(absl::Time time) const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [&](const auto& each) { return each.second.since >= time; });
}

void AcceptLoop::Disconnect() {
  for (const auto& [number, connection] : connections_) {
    shutdown(connection.fd.get(), SHUT_RDWR);
  }
}

void AcceptLoop::Accept() {
  while (true) {
    UniqueFd connection(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid() && (errno == ECONNABORTED || errno == EINTR)) continue;
    if (!connection.valid()) {
      if (errno == EMFILE || errno == ENFILE) RefuseWithoutDescriptor();
      if (errno != EAGAIN) spdlog::error("accept: {}", strerror(errno));
      return;
    }
    if (const absl::Status status = Admit(std::move(connection)); !status.ok()) {
      spdlog::error("a connection is refused: {}", std::string(status.message()));
    }
  }
}

void AcceptLoop::RefuseWithoutDescriptor() {
  const int error = errno;
  spare_.Reset();
  UniqueFd(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));  // and closed
  spare_ = OpenSpare();
  errno = error;
}

absl::Status AcceptLoop::Admit(UniqueFd fd) {
  SVNET_ASSIGN_OR_RETURN(const Caller peer, IdentifyCaller(fd.get()));
  const Admission admission = svnet::Admit(peer, rules_);
  const absl::Time now = MonotonicNow();
  Connection connection = {
      .fd = std::move(fd), .caller = admission.caller, .verdict = admission.verdict, .since = now};
  if (!MayKeep(admission, &connection.verdict)) return absl::OkStatus();
  const uint64_t number = next_number_++;
  // Edge-triggered: a caller who sends less than a preface wakes nobody again and again.
  SVNET_RETURN_IF_ERROR(
      Watch(EPOLL_CTL_ADD, connection.fd.get(), number, EPOLLIN | EPOLLRDHUP | EPOLLET));
  Count& count = counts_[peer.uid];
  ++(connection.verdict.ok() ? count.admitted : count.refused);
  metrics_->Opened(connection.caller, connection.verdict);
  deadlines_.push_back({.when = now + kPatience, .connection = number});
  connections_.emplace(number, std::move(connection));
  return absl::OkStatus();
}

bool AcceptLoop::MayKeep(const Admission& admission, absl::Status* verdict) const {
  const uid_t uid = admission.caller.uid;
  const auto found = counts_.find(uid);
  const Count count = found == counts_.end() ? Count() : found->second;
  if (uid != 0 && connections_.size() >= max_connections_) {
    spdlog::warn("uid {} is turned away: there are {} connections", uid, connections_.size());
    return false;
  }
  if (verdict->ok() && count.admitted >= admission.connection_limit) {
    *verdict = Error(Reason::kQuotaExceeded,
                     absl::StrCat("uid ", uid, " has ", admission.connection_limit,
                                  " connections, and may have no more: close some, or have "
                                  "`connections_per_user` raised"));
  }
  return verdict->ok() || count.refused < kMaxRefused;
}

void AcceptLoop::OnEvent(uint64_t number, uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (ended || (!found->second.served && !Begin(number, found->second))) Close(found);
}

bool AcceptLoop::Begin(uint64_t number, Connection& connection) {
  std::array<char, kPreface.size()> start;
  const ssize_t count = recv(connection.fd.get(), start.data(), start.size(), MSG_PEEK);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (absl::string_view(start.data(), count) != kPreface.substr(0, count)) return false;
  if (count < static_cast<ssize_t>(start.size())) return true;  // not yet
  UniqueFd duplicate(fcntl(connection.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return false;
  // From now on only the end counts; should it be there already, it is told again.
  if (!Watch(EPOLL_CTL_MOD, connection.fd.get(), number, EPOLLRDHUP).ok()) return false;
  const absl::Status served =
      servers_->Serve(connection.caller, connection.verdict, std::move(duplicate));
  if (!served.ok()) spdlog::error("{}", std::string(served.message()));
  connection.served = served.ok();
  return served.ok();
}

void AcceptLoop::Close(Connections::iterator found) {
  const Connection& connection = found->second;
  const auto count = counts_.find(connection.caller.uid);
  --(connection.verdict.ok() ? count->second.admitted : count->second.refused);
  if (count->second.admitted + count->second.refused == 0) counts_.erase(count);
  metrics_->Closed(connection.caller, connection.verdict);
  if (connection.served) servers_->Closed(connection.caller, connection.verdict);
  shutdown(connection.fd.get(), SHUT_RDWR);  // gRPC's duplicate sees it too
  // To close it would not take it out of the epoll set, as long as that duplicate is open.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.fd.get(), nullptr);
  connections_.erase(found);
}

void AcceptLoop::CloseOverdue() {
  const absl::Time now = MonotonicNow();
  while (!deadlines_.empty() && deadlines_.front().when <= now) {
    const Deadline deadline = deadlines_.front();
    deadlines_.pop_front();
    const auto found = connections_.find(deadline.connection);
    if (found == connections_.end()) continue;
    if (!found->second.served || !found->second.verdict.ok()) Close(found);
  }
}

}  // namespace svnet

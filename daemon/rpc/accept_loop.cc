#include "daemon/rpc/accept_loop.h"

#include <fcntl.h>
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

// How many are accepted in a row, before those that are there are looked after.
constexpr int kMaxAcceptedAtOnce = 64;

// What svnetd needs for itself: files, sockets to the kernel, gRPC's own. Some to spare.
constexpr size_t kOwnDescriptors = 128;
constexpr size_t kMaxAdministrators = 1024;

// The numbers of what is no connection.
constexpr uint64_t kListening = 0;
constexpr uint64_t kWake = 1;
constexpr uint64_t kFirstConnection = 2;

UniqueFd OpenSpare() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

ConnectionLimits ConnectionLimits::Plan(size_t descriptors, size_t users) {
  // A connection takes two: gRPC has one of its own.
  const size_t others = kOwnDescriptors + 2 * AcceptLoop::kMaxRefused;
  const size_t connections = (std::max(descriptors, 2 * others) - others) / 2;
  const size_t administrators = std::min(kMaxAdministrators, connections / 4);
  return {.users = std::min(users, connections - administrators), .administrators = administrators};
}

AcceptLoop::AcceptLoop(UniqueFd epoll, UniqueFd spare, int listening, int wake,
                       const AdmissionRules& rules, const ConnectionLimits& limits,
                       CallerServers* servers, ConnectionMetrics* metrics, LimitedLog* log)
    : epoll_(std::move(epoll)),
      spare_(std::move(spare)),
      listening_(listening),
      wake_(wake),
      rules_(rules),
      limits_(limits),
      servers_(servers),
      metrics_(metrics),
      log_(log),
      next_number_(kFirstConnection) {}

absl::StatusOr<std::unique_ptr<AcceptLoop>> AcceptLoop::Create(
    int listening, int wake, const AdmissionRules& rules, const ConnectionLimits& limits,
    CallerServers* servers, ConnectionMetrics* metrics, LimitedLog* log) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  std::unique_ptr<AcceptLoop> loop(new AcceptLoop(std::move(epoll), OpenSpare(), listening, wake,
                                                  rules, limits, servers, metrics, log));
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

size_t AcceptLoop::ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits) {
  rules_ = rules;
  limits_ = limits;
  std::map<uid_t, uint32_t> kept;
  size_t ended = 0;
  for (auto each = connections_.begin(); each != connections_.end();) {
    const auto found = each++;
    const Connection& connection = found->second;
    const Admission now = svnet::Admit(connection.peer, rules_);
    const bool goes_on =
        now.caller == connection.caller() && now.verdict == connection.admission.verdict &&
        (!connection.verdict.ok() || ++kept[connection.peer.uid] <= now.connection_limit);
    if (goes_on) continue;
    // First, so that no call of it begins any more, however long gRPC takes to see the end.
    const bool other = now.caller != connection.caller() || !now.verdict.ok();
    if (connection.server.has_value() && other) servers_->Revoke(*connection.server);
    Close(found);
    ++ended;
  }
  return ended;
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
  for (int i = 0; i < kMaxAcceptedAtOnce; ++i) {
    UniqueFd connection(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid() && (errno == ECONNABORTED || errno == EINTR)) continue;
    if (!connection.valid()) {
      if (errno == EAGAIN) return;
      const int error = errno;
      if (error == EMFILE || error == ENFILE) RefuseWithoutDescriptor();
      LogTurnedAway(LogLimit::kTogether, [&] { return absl::StrCat("accept: ", strerror(error)); });
      return;
    }
    if (const absl::Status status = Admit(std::move(connection)); !status.ok()) {
      LogTurnedAway(LogLimit::kTogether,
                    [&] { return absl::StrCat("a connection is refused: ", status.message()); });
    }
  }
}

void AcceptLoop::LogTurnedAway(uid_t uid, const std::function<std::string()>& why) {
  log_->Write(spdlog::level::warn, LogLimit::Source::kRefused, uid, [&] {
    LogLine line = {.text = why()};
    if (uid != LogLimit::kTogether) line.fields.caller = uid;
    return line;
  });
}

void AcceptLoop::RefuseWithoutDescriptor() {
  spare_.Reset();
  UniqueFd(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));  // and closed
  spare_ = OpenSpare();
}

uint32_t& AcceptLoop::Count::Of(const Connection& connection) {
  if (!connection.verdict.ok()) return refused;
  return connection.caller().administrator ? administrators : users;
}

absl::Status AcceptLoop::Admit(UniqueFd fd) {
  SVNET_ASSIGN_OR_RETURN(Caller peer, IdentifyCaller(fd.get()));
  Connection connection = {.admission = svnet::Admit(peer, rules_), .since = MonotonicNow()};
  connection.verdict = connection.admission.verdict;
  if (!MayKeep(&connection)) return absl::OkStatus();
  if (connection.verdict.ok()) peer.shares_pids = SharesPids(fd.get());
  connection.admission.caller.shares_pids = peer.shares_pids;
  connection.peer = std::move(peer);
  connection.fd = std::move(fd);
  const uint64_t number = next_number_++;
  // Edge-triggered: a caller who sends less than a preface wakes nobody again and again.
  SVNET_RETURN_IF_ERROR(
      Watch(EPOLL_CTL_ADD, connection.fd.get(), number, EPOLLIN | EPOLLRDHUP | EPOLLET));
  ++count_.Of(connection);
  ++counts_[connection.peer.uid].Of(connection);
  metrics_->Opened(connection.caller(), connection.verdict);
  deadlines_.push_back({.when = connection.since + kPatience, .connection = number});
  connections_.emplace(number, std::move(connection));
  return absl::OkStatus();
}

bool AcceptLoop::MayKeep(Connection* connection) {
  const Caller& caller = connection->caller();
  const auto found = counts_.find(caller.uid);
  const Count count = found == counts_.end() ? Count() : found->second;
  if (connection->verdict.ok() && count.admitted() >= connection->admission.connection_limit) {
    connection->verdict = TooManyConnections(connection->admission);
  }
  if (!connection->verdict.ok()) {
    return count_.refused < kMaxRefused && count.refused < kMaxRefusedOfOneUid;
  }
  if (HasRoomFor(caller)) return true;
  LogTurnedAway(caller.uid, [&] {
    return absl::StrCat("uid ", caller.uid, " is turned away: there are ", count_.users,
                        " connections of users and ", count_.administrators, " of administrators");
  });
  return false;
}

bool AcceptLoop::HasRoomFor(const Caller& caller) const {
  if (!caller.administrator) return count_.users < limits_.users;
  const size_t for_root = caller.uid == 0 ? 0 : limits_.administrators / 4;
  return count_.administrators < limits_.administrators - for_root;
}

void AcceptLoop::OnEvent(uint64_t number, uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  const bool served = found->second.server.has_value();
  if (ended || (!served && !Begin(number, found->second))) Close(found);
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
  const absl::StatusOr<CallerServers::Id> server =
      servers_->Serve(connection.caller(), connection.verdict, std::move(duplicate));
  if (server.ok()) {
    connection.server = *server;
  } else {
    LogTurnedAway(connection.peer.uid, [&] { return std::string(server.status().message()); });
  }
  return server.ok();
}

void AcceptLoop::Close(Connections::iterator found) {
  const Connection& connection = found->second;
  const auto count = counts_.find(connection.peer.uid);
  --count_.Of(connection);
  --count->second.Of(connection);
  if (count->second.admitted() + count->second.refused == 0) counts_.erase(count);
  metrics_->Closed(connection.caller(), connection.verdict);
  if (connection.server.has_value()) servers_->Closed(*connection.server);
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
    if (!found->second.server.has_value() || !found->second.verdict.ok()) Close(found);
  }
}

}  // namespace svnet

#include "daemon/accept/caller_connections.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "daemon/accept/refusal_log.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// What every HTTP/2 client sends first, unasked (RFC 9113, 3.4).
constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// How long a caller may take to say that, or to hear why it is refused.
constexpr absl::Duration kPatience = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<CallerConnections>> CallerConnections::Create(const Parts& parts) {
  std::unique_ptr<CallerConnections> connections(new CallerConnections(parts));
  SVNET_RETURN_IF_ERROR(parts.poller
                            ->Add(parts.admission->fd(), EPOLLIN,
                                  [raw = connections.get()](uint32_t) { raw->Take(); })
                            .status());
  return connections;
}

size_t CallerConnections::ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits) {
  parts_.admission->ChangeRules(rules, limits);
  Take();
  std::map<uid_t, uint32_t> kept;
  size_t ended = 0;
  for (auto each = connections_.begin(); each != connections_.end();) {
    const auto found = each++;
    const Connection& connection = found->second;
    const Admission now = Admit(connection.peer, rules);
    const bool goes_on =
        now.caller == connection.caller() && now.verdict == connection.admission.verdict &&
        (!connection.verdict.ok() || ++kept[connection.peer.uid] <= now.connection_limit);
    if (goes_on) continue;
    // First, so that no call of it begins any more, however long the gate takes to see the end.
    const bool other = now.caller != connection.caller() || !now.verdict.ok();
    if (connection.served && other) parts_.gates->Revoke(found->first);
    Close(found);
    ++ended;
  }
  return ended;
}

absl::Time CallerConnections::NextDue() const {
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.front().when;
}

bool CallerConnections::HasConnectionSince(absl::Time time) const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [&](const auto& each) { return each.second.since >= time; });
}

void CallerConnections::Disconnect() {
  for (const auto& [number, connection] : connections_) {
    shutdown(connection.fd.get(), SHUT_RDWR);
  }
}

void CallerConnections::Take() {
  for (AdmissionControl::Arrival& arrival : parts_.admission->Take()) {
    const Caller caller = arrival.caller();
    const absl::Status verdict = arrival.verdict;
    const absl::Status added = Add(std::move(arrival));
    if (added.ok()) continue;
    parts_.admission->Release(caller, verdict);
    LogTurnedAway(parts_.log, caller.uid, [&] { return std::string(added.message()); });
  }
}

absl::Status CallerConnections::Add(AdmissionControl::Arrival arrival) {
  const uint64_t number = ++last_number_;
  // Edge-triggered: a caller who sends less than a preface wakes nobody again and again.
  SVNET_ASSIGN_OR_RETURN(
      const Poller::Id watch,
      parts_.poller->Add(arrival.fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET,
                         [this, number](uint32_t events) { OnEvent(number, events); }));
  parts_.metrics->Opened(arrival.caller(), arrival.verdict);
  deadlines_.push_back({.when = arrival.since + kPatience, .connection = number});
  connections_.emplace(number, Connection{std::move(arrival), watch});
  return absl::OkStatus();
}

void CallerConnections::OnEvent(uint64_t number, uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (ended || (!found->second.served && !Begin(number, found->second))) Close(found);
}

bool CallerConnections::Begin(uint64_t number, Connection& connection) {
  std::array<char, kPreface.size()> start;
  const ssize_t count = recv(connection.fd.get(), start.data(), start.size(), MSG_PEEK);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (absl::string_view(start.data(), count) != kPreface.substr(0, count)) return false;
  if (count < static_cast<ssize_t>(start.size())) return true;  // not yet
  UniqueFd duplicate(fcntl(connection.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return false;
  // From now on only the end counts; should it be there already, it is told again.
  if (!parts_.poller->Change(connection.watch, EPOLLRDHUP).ok()) return false;
  const uid_t uid = connection.peer.uid;
  if (!connection.verdict.ok()) LogRefusal(parts_.log, uid, connection.verdict);
  const absl::Status served =
      parts_.gates->Serve(number, connection.caller(), connection.verdict, std::move(duplicate));
  connection.served = served.ok();
  if (served.ok()) return true;
  LogTurnedAway(parts_.log, uid, [&] { return std::string(served.message()); });
  return false;
}

void CallerConnections::Close(Connections::iterator found) {
  const Connection& connection = found->second;
  parts_.admission->Release(connection.caller(), connection.verdict);
  parts_.metrics->Closed(connection.caller(), connection.verdict);
  if (connection.served) parts_.gates->Closed(found->first);
  shutdown(connection.fd.get(), SHUT_RDWR);  // the gate's duplicate sees it too
  parts_.poller->Remove(connection.watch);
  connections_.erase(found);
}

void CallerConnections::Lost(uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  found->second.served = false;
  Close(found);
}

void CallerConnections::CloseOverdue() {
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

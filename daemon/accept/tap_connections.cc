#include "daemon/accept/tap_connections.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/accept/refusal_log.h"
#include "daemon/accept/tap_packets.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {
namespace {

// In one turn: as long as a CreateTap takes.
constexpr size_t kInOneTurn = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<TapConnections>> TapConnections::Create(const Parts& parts) {
  std::unique_ptr<TapConnections> connections(new TapConnections(parts));
  SVNET_RETURN_IF_ERROR(parts.poller
                            ->Add(parts.admission->fd(), EPOLLIN,
                                  [raw = connections.get()](uint32_t) { raw->Take(); })
                            .status());
  return connections;
}

size_t TapConnections::ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits) {
  const AdmissionRules own = WithFewerConnections(rules, kMostOfOneUid);
  parts_.admission->ChangeRules(own, limits);
  Take();
  size_t ended = 0;
  for (auto each = connections_.begin(); each != connections_.end();) {
    const auto found = each++;
    const Connection& connection = found->second;
    const Admission now = Admit(connection.peer, own);
    const bool goes_on = connection.untaken > 0 || (now.caller == connection.caller() &&
                                                    now.verdict == connection.admission.verdict);
    if (goes_on) continue;
    Close(found);
    ++ended;
  }
  return ended;
}

void TapConnections::Take() {
  for (AdmissionControl::Arrival& arrival : parts_.admission->Take()) {
    const Caller caller = arrival.caller();
    const absl::Status verdict = arrival.verdict;
    const absl::Status added = Add(std::move(arrival));
    if (added.ok()) continue;
    parts_.admission->Release(caller, verdict);
    LogTurnedAway(parts_.log, caller.uid, [&] { return std::string(added.message()); });
  }
}

bool TapConnections::HasUnanswered() const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const auto& each) { return each.second.untaken == 0; });
}

absl::Status TapConnections::Add(AdmissionControl::Arrival arrival) {
  const uint64_t number = ++last_number_;
  SVNET_ASSIGN_OR_RETURN(
      const Poller::Id watch,
      parts_.poller->Add(arrival.fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET,
                         [this, number](uint32_t events) { OnEvent(number, events); }));
  parts_.metrics->Opened(arrival.caller(), arrival.verdict);
  deadlines_.push_back({.when = arrival.since + kPatience, .connection = number});
  connections_.emplace(number, Connection{std::move(arrival), watch});
  return absl::OkStatus();
}

void TapConnections::OnEvent(uint64_t number, uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const Connection& connection = found->second;
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (ended || (connection.untaken > 0 && HasTakenAll(connection.fd))) return Close(found);
  if (!connection.asked) Read(found);
}

void TapConnections::Read(Connections::iterator found) {
  Connection& connection = found->second;
  absl::StatusOr<std::optional<std::string>> request = ReceiveTapRequest(connection.fd);
  if (absl::IsAborted(request.status())) return Close(found);
  if (request.ok() && !request->has_value()) return;
  if (!connection.verdict.ok()) {
    LogRefusal(parts_.log, connection.peer.uid, connection.verdict);
    return Answer(found, RefusalOfAnybody(connection.verdict));
  }
  if (!request.ok()) return Answer(found, request.status());
  connection.asked = true;
  connection.request = **std::move(request);
  lines_[connection.peer.uid].push_back(found->first);
}

void TapConnections::Tick() {
  CloseOverdue();
  if (lines_.empty()) return;
  // One turn for each, and next time it is somebody else who comes first.
  auto next = lines_.upper_bound(last_served_);
  for (size_t turns = lines_.size(); turns > 0 && !lines_.empty(); --turns) {
    if (next == lines_.end()) next = lines_.begin();
    last_served_ = next->first;
    Serve(next->second);
    next = next->second.empty() ? lines_.erase(next) : std::next(next);
  }
}

void TapConnections::Serve(std::deque<uint64_t>& line) {
  // Who has asked and hung up takes no turn, or the line would grow with each who does.
  while (!line.empty() && !connections_.contains(line.front())) line.pop_front();
  if (!line.empty() && GoOn(connections_.find(line.front()))) line.pop_front();
}

bool TapConnections::GoOn(Connections::iterator found) {
  Connection& connection = found->second;
  const bool is_first = connection.opened.tap == 0;
  // How many there will be is not known yet.
  if (is_first && in_hand_ + kMaxQueues > kMostInHand) return false;
  const absl::Status status = OpenSome(connection);
  if (is_first) in_hand_ += connection.opened.granted;
  if (status.ok() && !connection.opened.is_complete()) return false;
  Answer(found, status);
  return true;
}

absl::Status TapConnections::OpenSome(Connection& connection) {
  // Before anything is opened, it may be one.
  const size_t more = std::max<size_t>(connection.opened.granted, 1);
  if (const absl::Status status = untaken_.CheckRoomFor(connection.peer.uid, more); !status.ok()) {
    LogRefusal(parts_.log, connection.peer.uid, status);
    return status;
  }
  return parts_.runner->OpenTap(
      {.caller = connection.caller(), .request = connection.request, .since = connection.since},
      kInOneTurn, &connection.opened);
}

void TapConnections::Answer(Connections::iterator found, const absl::Status& status) {
  Connection& connection = found->second;
  const size_t count = connection.opened.queues.size();
  const absl::Status sent = SendTapResponse(connection.fd, status, connection.opened.queues);
  if (!sent.ok()) {
    LogTurnedAway(parts_.log, connection.peer.uid, [&] {
      return absl::StrCat("uid ", connection.peer.uid,
                          " did not get the queues of its TAP: ", sent.message());
    });
  }
  if (!sent.ok() || !status.ok()) return Close(found);
  in_hand_ -= connection.opened.granted;
  connection.opened = {};
  connection.untaken = count;
  untaken_.Add(connection.peer.uid, count);
  // Its end is told again, and from now on what the caller takes.
  const uint32_t events = EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (!parts_.poller->Change(connection.watch, events).ok()) Close(found);
}

void TapConnections::Close(Connections::iterator found) {
  const Connection& connection = found->second;
  untaken_.Remove(connection.peer.uid, connection.untaken);
  in_hand_ -= connection.opened.granted;
  parts_.admission->Release(connection.caller(), connection.verdict);
  parts_.metrics->Closed(connection.caller(), connection.verdict);
  parts_.poller->Remove(connection.watch);
  connections_.erase(found);
}

absl::Time TapConnections::NextDue() const {
  if (!lines_.empty()) return absl::InfinitePast();
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.front().when;
}

void TapConnections::CloseOverdue() {
  const absl::Time now = MonotonicNow();
  while (!deadlines_.empty() && deadlines_.front().when <= now) {
    const auto found = connections_.find(deadlines_.front().connection);
    deadlines_.pop_front();
    if (found != connections_.end() && !found->second.asked) Close(found);
  }
}

}  // namespace svnet

#include "daemon/accept/gates.h"

#include <algorithm>

#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"

namespace svnet {
Gates::Gates(Parts parts)
    : parts_(std::move(parts)),
      supply_({.services = &parts_.services,
               .maker = parts_.maker,
               .metrics = parts_.metrics,
               .clock = parts_.clock,
               .on_end =
                   [this](GateNumber number, GateLink::End end) {
                     reaper_.End(number, end == GateLink::End::kDied ? Why::kDied : Why::kProtocol);
                   }},
              &table_),
      reaper_({.table = &table_,
               .supply = &supply_,
               .metrics = parts_.metrics,
               .log = parts_.log,
               .on_ended = [this](const GateEntry& gate) { OnEnded(gate); }}) {}

Gates::~Gates() = default;

absl::Status Gates::Serve(uint64_t connection, const Caller& caller, const absl::Status& verdict,
                          UniqueFd fd) {
  return Assign({.connection = connection,
                 .caller = caller,
                 .verdict = verdict,
                 .fd = std::move(fd),
                 .until = absl::InfinitePast()});
}

absl::Status Gates::Assign(Waiting waiting) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<GateNumber> number,
                         FindOrMake(waiting.caller, waiting.verdict, &waiting.until));
  if (!number.has_value()) {
    waiting_.push_back(std::move(waiting));
    return absl::OkStatus();
  }
  SVNET_RETURN_IF_ERROR(FaultPoint("gate.hand_over"));
  GateEntry& gate = table_.at(*number);
  gate.connections.insert(waiting.connection);
  ++gate.taken;
  by_connection_[waiting.connection] = *number;
  const auto caller =
      gate.kind == Kind::kOwn ? gate.caller : std::make_shared<const Caller>(waiting.caller);
  gate.link->HandOver(waiting.connection, caller, waiting.verdict, std::move(waiting.fd));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<GateNumber>> Gates::FindOrMake(const Caller& caller,
                                                            const absl::Status& verdict,
                                                            absl::Time* until) {
  if (!verdict.ok()) return supply_.FindOrMakeCommon(Kind::kRefused, until);
  if (const auto own = table_.FindOwn(caller)) return own;
  const GateTable::Room room = table_.RoomFor(caller);
  if (!room.is_there) return supply_.FindOrMakeCommon(Kind::kShared, until);
  if (room.in_place_of.has_value()) reaper_.EndNow(*room.in_place_of, Why::kIdle);
  return supply_.MakeOwn(caller, until);
}

absl::Status Gates::ServeMetrics(UniqueFd fd) {
  absl::Time until;
  SVNET_ASSIGN_OR_RETURN(const std::optional<GateNumber> number,
                         supply_.FindOrMakeCommon(Kind::kMetrics, &until));
  if (!number.has_value()) return absl::UnavailableError("the gate for metrics has just ended");
  GateEntry& gate = table_.at(*number);
  gate.idle_since = parts_.clock();
  gate.link->HandOver(++last_reader_, nullptr, absl::OkStatus(), std::move(fd));
  return absl::OkStatus();
}

void Gates::Closed(uint64_t connection) {
  waiting_.remove_if([&](const Waiting& each) { return each.connection == connection; });
  const auto found = by_connection_.find(connection);
  if (found == by_connection_.end()) return;
  GateEntry& gate = table_.at(found->second);
  gate.link->Forget(connection);
  gate.connections.erase(connection);
  if (gate.connections.empty()) gate.idle_since = parts_.clock();
  by_connection_.erase(found);
}

void Gates::Revoke(uint64_t connection) {
  const auto found = by_connection_.find(connection);
  if (found == by_connection_.end()) return;
  GateEntry& gate = table_.at(found->second);
  gate.link->Forget(connection);
  if (gate.kind != Kind::kOwn) return;
  gate.link->Stop();
  reaper_.End(found->second, Why::kRevoked);
}

void Gates::OnNews() {
  const WakeList::News news = parts_.services.wakes->Take();
  for (const WakeList::Watch& watch : news.watches) {
    if (GateEntry* gate = table_.Find(watch.gate)) gate->link->Wake(watch.call);
  }
  if (!news.resume) return;
  for (auto& [number, gate] : table_) gate.link->Resume(draining_);
}

void Gates::Drain(const absl::Status& why) {
  draining_ = true;
  supply_.EndSpares();
  for (auto& [number, gate] : table_) {
    if (gate.kind == Kind::kMetrics) continue;
    gate.link->Drain(why);
    gate.link->Resume(true);
  }
  parts_.services.runner->EndWatches(why);
}

bool Gates::AreDrained() const {
  return std::all_of(table_.begin(), table_.end(), [](const auto& each) {
    return each.second.connections.empty() || each.second.link->is_drained();
  });
}

absl::Time Gates::last_heard() const {
  absl::Time last = absl::InfinitePast();
  for (const auto& [number, gate] : table_) last = std::max(last, gate.link->last_heard());
  return last;
}

absl::Time Gates::NextDue() const {
  absl::Time due = std::min(supply_.NextDue(), reaper_.NextDue());
  for (const Waiting& each : waiting_) due = std::min(due, each.until);
  return due;
}

void Gates::Tick() {
  const absl::Time now = parts_.clock();
  reaper_.Tick(now);
  AssignWhatIsDue(now);
  supply_.Tick(now);
}

void Gates::AssignWhatIsDue(absl::Time now) {
  std::list<Waiting> due;
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    const auto found = each++;
    if (found->until <= now) due.splice(due.end(), waiting_, found);
  }
  for (Waiting& each : due) {
    const uint64_t connection = each.connection;
    if (!Assign(std::move(each)).ok()) parts_.on_lost(connection);
  }
}

void Gates::OnEnded(const GateEntry& gate) {
  for (const uint64_t connection : gate.connections) {
    by_connection_.erase(connection);
    parts_.on_lost(connection);
  }
}

}  // namespace svnet

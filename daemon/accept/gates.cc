#include "daemon/accept/gates.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// That a spare one ends is nobody's fault, and it is not made anew at once.
constexpr absl::Duration kSpareAgain = absl::Seconds(1);

}  // namespace

Gates::Gates(Parts parts) : parts_(std::move(parts)), spare_due_(parts_.clock()) {}

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
  if (!verdict.ok()) return FindOrMakeCommon(Kind::kRefused, until);
  if (const auto own = table_.FindOwn(caller)) return own;
  const GateTable::Room room = table_.RoomFor(caller);
  if (!room.is_there) return FindOrMakeCommon(Kind::kShared, until);
  if (room.in_place_of.has_value()) EndNow(*room.in_place_of, Why::kIdle);
  return MakeOwn(caller, until);
}

absl::StatusOr<std::optional<GateNumber>> Gates::MakeOwn(const Caller& caller, absl::Time* until) {
  const absl::Time now = parts_.clock();
  if ((*until = delays_.NotBefore(caller.uid, now)) > now) return std::nullopt;
  std::optional<GateNumber> number = table_.FindSpare();
  if (number.has_value()) {
    spare_due_ = now + kSpareAfter;
  } else {
    SVNET_ASSIGN_OR_RETURN(number, Make(Kind::kSpare));
  }
  table_.Give(*number, caller);
  return number;
}

absl::StatusOr<std::optional<GateNumber>> Gates::FindOrMakeCommon(Kind kind, absl::Time* until) {
  if (const auto found = table_.FindCommon(kind)) return found;
  const absl::Time now = parts_.clock();
  if ((*until = delays_.NotBefore(DelayedAs(kind), now)) > now) return std::nullopt;
  return Make(kind);
}

GateMaker::Role Gates::RoleOf(Kind kind) {
  switch (kind) {
    case Kind::kShared:
      return GateMaker::Role::kSharedCalls;
    case Kind::kRefused:
      return GateMaker::Role::kRefusedCalls;
    case Kind::kMetrics:
      return GateMaker::Role::kMetrics;
    case Kind::kSpare:
    case Kind::kOwn:
      break;
  }
  return GateMaker::Role::kCalls;
}

absl::StatusOr<GateNumber> Gates::Make(Kind kind) {
  SVNET_ASSIGN_OR_RETURN(auto ends, Channel::Pair());
  const GateNumber number = ++last_number_;
  const auto on_end = [this, number](GateLink::End end) {
    End(number, end == GateLink::End::kDied ? Why::kDied : Why::kProtocol);
  };
  auto link = std::make_unique<GateLink>(number, kind == Kind::kMetrics, std::move(ends.first),
                                         &parts_.services, on_end);
  SVNET_RETURN_IF_ERROR(link->Start());
  SVNET_RETURN_IF_ERROR(parts_.maker->Make(RoleOf(kind), number, std::move(ends.second)));
  table_.Add(number, {.kind = kind, .link = std::move(link), .idle_since = parts_.clock()});
  parts_.metrics->Made();
  return number;
}

absl::Status Gates::ServeMetrics(UniqueFd fd) {
  absl::Time until;
  SVNET_ASSIGN_OR_RETURN(const std::optional<GateNumber> number,
                         FindOrMakeCommon(Kind::kMetrics, &until));
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
  End(found->second, Why::kRevoked);
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
  absl::Time due = std::min(kill_due_, draining_ ? absl::InfiniteFuture() : spare_due_);
  for (const auto& [number, gate] : table_) {
    if (IsChecked(gate)) due = std::min(due, gate.link->CheckDue());
    if (gate.IsIdle()) due = std::min(due, gate.idle_since + kIdle);
  }
  for (const Waiting& each : waiting_) due = std::min(due, each.until);
  return ending_.empty() ? due : absl::InfinitePast();
}

void Gates::Tick() {
  const absl::Time now = parts_.clock();
  EndWhatIsDue(now);
  AssignWhatIsDue(now);
  KeepASpare(now);
  KillAgain(now);
}

void Gates::EndWhatIsDue(absl::Time now) {
  for (const auto& [number, gate] : table_) {
    if (IsChecked(gate) && gate.link->IsStuck(now)) End(number, Why::kStuck);
    if (gate.IsIdle() && gate.idle_since + kIdle <= now) End(number, Why::kIdle);
  }
  // To end one may find another of no use.
  while (!ending_.empty()) {
    const Ending ending = ending_.back();
    ending_.pop_back();
    EndNow(ending.gate, ending.why);
  }
}

bool Gates::IsChecked(const GateEntry& gate) {
  return gate.kind != Kind::kMetrics && !gate.connections.empty();
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

void Gates::KeepASpare(absl::Time now) {
  if (draining_ || now < spare_due_) return;
  // One that cannot be made now is made when somebody needs it, who is then told why it is not.
  spare_due_ = Make(Kind::kSpare).ok() ? absl::InfiniteFuture() : now + kSpareAgain;
}

void Gates::End(GateNumber number, Why why) {
  GateEntry& gate = table_.at(number);
  if (gate.is_ending) return;
  Retire(gate, why);
  ending_.push_back({number, why});
}

void Gates::Retire(GateEntry& gate, Why why) {
  table_.Retire(&gate);
  if (gate.kind == Kind::kSpare) spare_due_ = parts_.clock() + kSpareAgain;
  if (why != Why::kDied && why != Why::kProtocol && why != Why::kStuck) return;
  // At once, so that who comes in the same turn waits, too.
  if (gate.kind != Kind::kSpare) {
    delays_.Died(gate.kind == Kind::kOwn ? gate.caller->uid : DelayedAs(gate.kind), parts_.clock());
  }
  LogEnd(gate, why);
}

void Gates::EndNow(GateNumber number, Why why) {
  GateEntry* const found = table_.Find(number);
  if (found == nullptr) return;
  if (!found->is_ending) Retire(*found, why);
  const GateEntry gate = table_.Remove(number);
  Kill(number);
  parts_.metrics->Ended(why);
  for (const uint64_t connection : gate.connections) {
    by_connection_.erase(connection);
    parts_.on_lost(connection);
  }
}

void Gates::Kill(GateNumber number) {
  if (parts_.maker->Kill(number)) return;
  unkilled_.push_back(number);
  kill_due_ = parts_.clock() + kKillAgain;
}

void Gates::KillAgain(absl::Time now) {
  if (now < kill_due_) return;
  kill_due_ = absl::InfiniteFuture();
  for (const GateNumber number : std::exchange(unkilled_, {})) Kill(number);
}

uid_t Gates::DelayedAs(Kind kind) {
  // No caller has them.
  return static_cast<uid_t>(-1) - static_cast<uid_t>(kind);
}

void Gates::LogEnd(const GateEntry& gate, Why why) {
  const bool own = gate.kind == Kind::kOwn;
  const uid_t uid = own ? gate.caller->uid : LogLimit::kTogether;
  const auto source = own ? LogLimit::Source::kUser : LogLimit::Source::kRefused;
  parts_.log->Write(spdlog::level::warn, source, uid, [&] {
    LogLine line = {.text = absl::StrCat(
                        "the gate of ", own ? absl::StrCat("uid ", uid) : "several", " has ended (",
                        why, "), and with it ", gate.connections.size(), " connections")};
    if (own) line.fields.caller = uid;
    return line;
  });
}

}  // namespace svnet

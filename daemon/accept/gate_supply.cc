#include "daemon/accept/gate_supply.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/wire/channel.h"

namespace svnet {
namespace {

// That a spare one ends is nobody's fault, and it is not made anew at once.
constexpr absl::Duration kSpareAgain = absl::Seconds(1);

}  // namespace

GateSupply::GateSupply(Parts parts, GateTable* table)
    : parts_(std::move(parts)), table_(table), spare_due_(parts_.clock()) {}

absl::StatusOr<std::optional<GateNumber>> GateSupply::MakeOwn(const Caller& caller,
                                                              absl::Time* until) {
  const absl::Time now = parts_.clock();
  *until = delays_.NotBefore(caller.uid, now);
  if (*until > now) return std::nullopt;
  std::optional<GateNumber> number = table_->FindSpare();
  if (number.has_value()) {
    spare_due_ = now + kSpareAfter;
  } else {
    SVNET_ASSIGN_OR_RETURN(number, Make(Kind::kSpare));
  }
  table_->Give(*number, caller);
  return number;
}

absl::StatusOr<std::optional<GateNumber>> GateSupply::FindOrMakeCommon(Kind kind,
                                                                       absl::Time* until) {
  if (const auto found = table_->FindCommon(kind)) return found;
  const absl::Time now = parts_.clock();
  *until = delays_.NotBefore(DelayedAs(kind), now);
  if (*until > now) return std::nullopt;
  return Make(kind);
}

GateMaker::Role GateSupply::RoleOf(Kind kind) {
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

absl::StatusOr<GateNumber> GateSupply::Make(Kind kind) {
  SVNET_ASSIGN_OR_RETURN(auto ends, Channel::Pair());
  const GateNumber number = ++last_number_;
  const auto on_end = [this, number](GateLink::End end) { parts_.on_end(number, end); };
  auto link = std::make_unique<GateLink>(number, kind == Kind::kMetrics, std::move(ends.first),
                                         parts_.services, on_end);
  SVNET_RETURN_IF_ERROR(link->Start());
  SVNET_RETURN_IF_ERROR(parts_.maker->Make(RoleOf(kind), number, std::move(ends.second)));
  table_->Add(number, {.kind = kind, .link = std::move(link), .idle_since = parts_.clock()});
  parts_.metrics->Made();
  return number;
}

void GateSupply::NoteEnd(const GateEntry& gate, bool by_its_fault) {
  const absl::Time now = parts_.clock();
  if (gate.kind == Kind::kSpare) {
    spare_due_ = now + kSpareAgain;
  } else if (by_its_fault) {
    delays_.Died(gate.kind == Kind::kOwn ? gate.caller->uid : DelayedAs(gate.kind), now);
  }
}

void GateSupply::EndSpares() { makes_spares_ = false; }

absl::Time GateSupply::NextDue() const {
  return std::min(kill_due_, makes_spares_ ? spare_due_ : absl::InfiniteFuture());
}

void GateSupply::Tick(absl::Time now) {
  KeepASpare(now);
  KillAgain(now);
}

void GateSupply::KeepASpare(absl::Time now) {
  if (!makes_spares_ || now < spare_due_) return;
  // One that cannot be made now is made when somebody needs it, who is then told why it is not.
  spare_due_ = Make(Kind::kSpare).ok() ? absl::InfiniteFuture() : now + kSpareAgain;
}

void GateSupply::Kill(GateNumber number) {
  if (parts_.maker->Kill(number)) return;
  unkilled_.push_back(number);
  kill_due_ = parts_.clock() + kKillAgain;
}

void GateSupply::KillAgain(absl::Time now) {
  if (now < kill_due_) return;
  kill_due_ = absl::InfiniteFuture();
  for (const GateNumber number : std::exchange(unkilled_, {})) Kill(number);
}

uid_t GateSupply::DelayedAs(Kind kind) {
  // No caller has them.
  return static_cast<uid_t>(-1) - static_cast<uid_t>(kind);
}

}  // namespace svnet

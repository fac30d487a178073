#include "client/wait.h"

#include <unistd.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/follow.h"
#include "client/json.h"
#include "client/text.h"

namespace svnet::client {
namespace {

const char* NameOf(LeaseState state) {
  switch (state) {
    case LeaseState::kAttached:
      return "attached";
    case LeaseState::kDetached:
      return "detached";
    case LeaseState::kRemoved:
      return "removed";
  }
  return "";
}

// The leases that the name may mean, as the events so far have them.
class Candidates {
 public:
  explicit Candidates(LeaseName name) : name_(std::move(name)) {}

  void Take(const v1::TapEvent& event) {
    if (event.sequence() == 1) {  // of a new stream
      taps_.clear();
      complete_ = false;
    }
    if (event.type() == v1::TAP_EVENT_TYPE_SNAPSHOT_END) complete_ = true;
    if (!event.has_tap() || !IsMeant(event.tap())) return;
    if (event.type() == v1::TAP_EVENT_TYPE_REMOVED) {
      taps_.erase(event.tap().owner_uid());
    } else {
      taps_[event.tap().owner_uid()] = event.tap();
    }
  }

  // Not before all leases are known.
  bool complete() const { return complete_; }

  // The caller's own comes first.
  Result<std::optional<v1::Tap>> Choose() const {
    if (taps_.empty()) return std::optional<v1::Tap>();
    if (const auto own = taps_.find(geteuid()); own != taps_.end())
      return std::optional(own->second);
    if (taps_.size() == 1) return std::optional(taps_.begin()->second);
    std::vector<uint32_t> owners;
    for (const auto& [uid, tap] : taps_) owners.push_back(uid);
    return SeveralOwners(name_, owners);
  }

 private:
  bool IsMeant(const v1::Tap& tap) const {
    if (!name_.tap.empty()) return tap.tap_name() == name_.tap;
    return tap.vm_id() == name_.vm && tap.iface_id() == name_.iface &&
           tap.owner_uid() == name_.owner.value_or(tap.owner_uid());
  }

  LeaseName name_;
  std::map<uint32_t, v1::Tap> taps_;  // by owner
  bool complete_ = false;
};

bool IsIn(LeaseState state, const std::optional<v1::Tap>& tap) {
  if (state == LeaseState::kRemoved || !tap.has_value()) {
    return state == LeaseState::kRemoved && !tap.has_value();
  }
  return tap->attached() == (state == LeaseState::kAttached);
}

Failure TookTooLong(const WaitRun& wait, absl::Duration timeout) {
  return {.exit_code = ExitCode::kRefused,
          .code = "DEADLINE_EXCEEDED",
          .reason = "",
          .message = absl::StrCat(Describe(wait.which), " was not ", NameOf(*wait.state),
                                  " within ", absl::ToInt64Seconds(timeout), " s"),
          .hint = "--timeout SECONDS waits longer"};
}

Outcome Render(const WaitRun& wait, const std::optional<v1::Tap>& tap, Format format) {
  if (format == Format::kPeople) {
    return absl::StrCat(Printable(Describe(wait.which)), " is ", NameOf(*wait.state), "\n");
  }
  if (!tap.has_value()) return "{\n \"removed\": true\n}\n";
  return ShowJson(*tap);
}

}  // namespace

Outcome Wait(absl::FunctionRef<Result<Connection>()> open, const WaitRun& wait,
             absl::Duration timeout, Format format,
             absl::FunctionRef<void(const std::string&)> say) {
  Candidates candidates(wait.which);
  Result<std::optional<v1::Tap>> chosen;
  const FollowOptions options = {
      .request = {}, .patience = timeout, .deadline = absl::Now() + timeout};
  const std::optional<Failure> failure = Follow(
      open, options,
      [&](const v1::TapEvent& event) {
        candidates.Take(event);
        if (!candidates.complete()) return true;
        chosen = candidates.Choose();
        const auto* tap = std::get_if<std::optional<v1::Tap>>(&chosen);
        return tap != nullptr && !IsIn(*wait.state, *tap);
      },
      say);
  if (failure.has_value()) {
    return failure->code == "DEADLINE_EXCEEDED" ? TookTooLong(wait, timeout) : *failure;
  }
  if (const auto* ambiguous = std::get_if<Failure>(&chosen)) return *ambiguous;
  return Render(wait, std::get<std::optional<v1::Tap>>(chosen), format);
}

}  // namespace svnet::client

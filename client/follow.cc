#include "client/follow.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace svnet::client {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
// Each try starts an svnetd that systemd activates by its socket, so they become rarer.
constexpr absl::Duration kLongestPause = absl::Seconds(2);

Failure StreamEnded() {
  return {.exit_code = ExitCode::kNoDaemon,
          .code = "UNAVAILABLE",
          .reason = "",
          .message = "svnetd has ended the stream of events: it is stopping or restarting",
          .hint = "the same command again starts with the leases that exist then"};
}

// The end of one stream.
struct Ended {
  // Whether an event came: svnetd serves this caller.
  bool served = false;
  // Unset: the visitor wanted no more.
  std::optional<Failure> failure;
};

Ended WatchOnce(absl::FunctionRef<Result<Connection>()> open, const FollowOptions& options,
                absl::FunctionRef<bool(const v1::TapEvent&)> visit) {
  Ended ended;
  Result<Connection> svnetd = open();
  ended.failure = FailureOf(svnetd);
  if (ended.failure.has_value()) return ended;
  bool wanted = true;
  ended.failure = std::get<Connection>(svnetd).Watch(
      options.request,
      [&](const v1::TapEvent& event) {
        ended.served = true;
        wanted = visit(event);
        return wanted;
      },
      options.deadline);
  if (wanted && !ended.failure.has_value()) ended.failure = StreamEnded();
  return ended;
}

}  // namespace

std::optional<Failure> Follow(absl::FunctionRef<Result<Connection>()> open,
                              const FollowOptions& options,
                              absl::FunctionRef<bool(const v1::TapEvent&)> visit,
                              absl::FunctionRef<void(const std::string&)> say) {
  absl::Time give_up = absl::InfinitePast();
  bool lost = false;
  const auto visit_and_say = [&](const v1::TapEvent& event) {
    if (std::exchange(lost, false)) say("connected again: the leases that exist now follow");
    return visit(event);
  };
  for (absl::Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    const Ended ended = WatchOnce(open, options, visit_and_say);
    if (!ended.failure.has_value() || ended.failure->exit_code != ExitCode::kNoDaemon) {
      return ended.failure;
    }
    if (ended.served && options.patience > absl::ZeroDuration()) {
      say(absl::StrCat(ended.failure->message, "; connecting again"));
      give_up = std::min(absl::Now() + options.patience, options.deadline);
      pause = kFirstPause;
      lost = true;
    }
    if (absl::Now() + pause >= give_up) return ended.failure;
    absl::SleepFor(pause);
  }
}

}  // namespace svnet::client

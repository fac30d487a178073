#include "client/watch.h"

#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/follow.h"
#include "client/json.h"
#include "client/list.h"
#include "client/output.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

// An earlier svnetd does not say when it was.
v1::TapEvent WithTime(v1::TapEvent event) {
  if (!event.has_time()) event.mutable_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
  return event;
}

absl::StatusOr<std::string> RenderLine(const v1::TapEvent& event, Format format) {
  if (format == Format::kJson) return ToJsonLine(WithTime(event));
  // The snapshot's end is for programs.
  if (event.type() == v1::TAP_EVENT_TYPE_SNAPSHOT_END) return "";
  return RenderEvent(WithTime(event));
}

// The leases as the events so far have them.
class LiveList {
 public:
  explicit LiveList(const ListLeases& list) : list_(list) {}

  // Whether there is a list to show.
  bool Take(const v1::TapEvent& event) {
    if (event.sequence() == 1) Restart();
    if (event.type() == v1::TAP_EVENT_TYPE_SNAPSHOT_END) complete_ = true;
    if (event.type() == v1::TAP_EVENT_TYPE_REMOVED) {
      taps_.erase(event.tap().tap_name());
    } else if (event.has_tap()) {
      taps_[event.tap().tap_name()] = event.tap();
    }
    return complete_;
  }

  Outcome Render() const {
    std::vector<v1::Tap> taps;
    for (const auto& [name, tap] : taps_) taps.push_back(tap);
    return RenderList(Selected(std::move(taps), list_), list_);
  }

 private:
  // A new stream, after svnetd has restarted.
  void Restart() {
    taps_.clear();
    complete_ = false;
  }

  ListLeases list_;
  std::map<std::string, v1::Tap> taps_;
  bool complete_ = false;
};

absl::StatusOr<std::string> TextOf(const Outcome& outcome) {
  if (const auto* text = std::get_if<std::string>(&outcome)) return *text;
  return absl::InternalError(std::get<Failure>(outcome).message);
}

// What is printed for an event; empty: nothing.
class Printout {
 public:
  Printout(const WatchRun& watch, Format format, std::string erase)
      : format_(format), erase_(std::move(erase)) {
    if (!watch.list.has_value()) return;
    list_.emplace(*watch.list);
    if (watch.list->format == ListFormat::kYaml) separator_ = "---\n";
  }

  absl::StatusOr<std::string> Of(const v1::TapEvent& event) {
    if (!list_.has_value()) return RenderLine(event, format_);
    if (!list_->Take(event)) return "";
    SVNET_ASSIGN_OR_RETURN(std::string text, TextOf(list_->Render()));
    if (text == shown_) return "";
    const bool first = std::exchange(shown_, text).empty();
    return absl::StrCat(erase_, first || !erase_.empty() ? "" : separator_, text);
  }

 private:
  Format format_;
  std::string erase_;
  // Between two lists that both stay.
  std::string separator_ = "\n";
  std::optional<LiveList> list_;
  std::string shown_;
};

Failure CannotPrint(const absl::Status& status) {
  return {.exit_code = ExitCode::kRefused,
          .code = "INTERNAL",
          .reason = "",
          .message = absl::StrCat("cannot print an event: ", status.message())};
}

absl::Status PrintEvent(const v1::TapEvent& event, Printout& printout,
                        absl::FunctionRef<absl::Status(const std::string&)> print) {
  SVNET_ASSIGN_OR_RETURN(const std::string text, printout.Of(event));
  return text.empty() ? absl::OkStatus() : print(text);
}

}  // namespace

Outcome Watch(const WatchRun& watch, Format format, absl::Duration patience,
              const WatchStreams& streams) {
  Printout printout(watch, format, streams.erase);
  absl::Status printed;
  const FollowOptions options = {.request = watch.request,
                                 .patience = watch.reconnect ? patience : absl::ZeroDuration()};
  const std::optional<Failure> failure = Follow(
      streams.open, options,
      [&](const v1::TapEvent& event) {
        printed = PrintEvent(event, printout, streams.print);
        return printed.ok();
      },
      streams.say);
  if (failure.has_value()) return *failure;
  if (absl::IsCancelled(printed)) return "";
  return CannotPrint(printed);
}

}  // namespace svnet::client

#include "client/watch.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/json.h"
#include "client/output.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

absl::Status PrintEvent(const v1::TapEvent& event, Format format,
                        absl::FunctionRef<absl::Status(const std::string&)> print) {
  if (format == Format::kPeople) {
    if (event.type() == v1::TAP_EVENT_TYPE_SNAPSHOT_END) return absl::OkStatus();
    return print(RenderEvent(event, absl::Now()));
  }
  SVNET_ASSIGN_OR_RETURN(const std::string line, ToJsonLine(event));
  return print(line);
}

Failure CannotPrint(const absl::Status& status) {
  return {.exit_code = ExitCode::kRefused,
          .code = "INTERNAL",
          .reason = "",
          .message = absl::StrCat("cannot print an event: ", status.message())};
}

Failure StreamEnded() {
  return {.exit_code = ExitCode::kNoDaemon,
          .code = "UNAVAILABLE",
          .reason = "",
          .message = "svnetd has ended the stream of events: it is stopping or restarting",
          .hint = "the same command again starts with the leases that stand then"};
}

}  // namespace

Failure Watch(Connection& svnetd, const v1::WatchTapsRequest& request, Format format,
              absl::FunctionRef<absl::Status(const std::string&)> print) {
  absl::Status printed;
  const std::optional<Failure> failure = svnetd.Watch(request, [&](const v1::TapEvent& event) {
    printed = PrintEvent(event, format, print);
    return printed.ok();
  });
  if (!printed.ok()) return CannotPrint(printed);
  return failure.value_or(StreamEnded());
}

}  // namespace svnet::client

#include "daemon/log/event_log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/log/log_fields.h"

namespace svnet {
namespace {

std::string What(TapEvent::Type type) {
  switch (type) {
    case TapEvent::Type::kRepaired:
      return "Repaired";
    case TapEvent::Type::kRemoved:
      return "Ended";
    case TapEvent::Type::kAdded:
      return "Added";
    case TapEvent::Type::kAttached:
      return "Attached";
    case TapEvent::Type::kDetached:
      return "Detached";
    case TapEvent::Type::kUpdated:
      return "Updated";
    case TapEvent::Type::kSnapshotEnd:
      break;
    case TapEvent::Type::kNoted:
      return "Noted";
    case TapEvent::Type::kFailed:
      return "Failed";
    case TapEvent::Type::kCondition:
      return "Condition";
  }
  return "";
}

LogLine LineOf(const TapEvent& event) {
  LogLine line = {.text = What(event.type), .fields = {.network = NetworkOf(event).text()}};
  // Who has one network need not read its name in each line.
  if (NetworkOf(event) != NetworkName()) {
    absl::StrAppend(&line.text, " network=", line.fields.network);
  }
  if (event.lease.has_value()) {
    absl::StrAppend(
        &line.text, " tap=", event.lease->spec.tap.text(), " vm=", event.lease->spec.key.vm.text(),
        " iface=", event.lease->spec.key.iface.text(), " ip=", event.lease->spec.ip.ToString(),
        " owner=", event.lease->spec.key.owner);
    line.fields = FieldsOf(*event.lease);
  }
  absl::StrAppend(&line.text, ": ", event.message);
  return line;
}

spdlog::level::level_enum LevelOf(TapEvent::Type type) {
  switch (type) {
    case TapEvent::Type::kFailed:
      return spdlog::level::err;
    case TapEvent::Type::kCondition:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

void LogEvent(const TapEvent& event, LimitedLog* log) {
  const uid_t owner = event.lease.has_value() ? event.lease->spec.key.owner : LogLimit::kTogether;
  log->Write(LevelOf(event.type), LogLimit::Source::kChange, owner, [&] { return LineOf(event); });
}

}  // namespace svnet

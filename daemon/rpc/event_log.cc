#include "daemon/rpc/event_log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/rpc/log_fields.h"

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
    case TapEvent::Type::kFailed:
      return "Failed";
  }
  return "";
}

}  // namespace

void LogEvent(const TapEvent& event) {
  std::string line = What(event.type);
  if (event.lease.has_value()) {
    absl::StrAppend(&line, " tap=", event.lease->tap.text(), " vm=", event.lease->key.vm.text(),
                    " iface=", event.lease->key.iface.text(), " ip=", event.lease->ip.ToString(),
                    " owner=", event.lease->key.owner);
  }
  const LogFields fields = event.lease.has_value() ? FieldsOf(*event.lease) : LogFields();
  const bool failed = event.type == TapEvent::Type::kFailed;
  WriteLine(failed ? spdlog::level::err : spdlog::level::info,
            absl::StrCat(line, ": ", event.message), fields);
}

}  // namespace svnet

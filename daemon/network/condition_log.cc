#include "daemon/network/condition_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/network/event_sink.h"

namespace svnet {

bool ConditionLog::TakeDue(absl::Time now) {
  if (now < due_) return false;
  due_ = now + kInterval;
  return true;
}

void ConditionLog::Note(const std::vector<Condition>& now) {
  std::map<std::string, Messages> messages;
  for (const Condition& each : now) messages[each.type].insert(each.message);
  const std::map<std::string, Messages> before = std::exchange(known_, std::move(messages));
  for (const auto& [type, known] : before) {
    if (!known_.contains(type)) Publish(absl::StrCat(type, " is over"));
  }
  for (const Condition& each : now) {
    const auto known = before.find(each.type);
    const bool is_known = known != before.end();
    // Where only the words have changed, a count perhaps, it is the same.
    if (is_known && known->second.size() >= known_[each.type].size()) continue;
    if (is_known && known->second.contains(each.message)) continue;
    Publish(absl::StrCat(each.type, ": ", each.message,
                         each.remedy.empty() ? "" : absl::StrCat(" (", each.remedy, ")")));
  }
}

void ConditionLog::Publish(const std::string& what) {
  events_->Publish(
      {.type = TapEvent::Type::kCondition, .lease = std::nullopt, .message = what, .repaired = {}});
}

}  // namespace svnet

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

void ConditionLog::Note(const std::vector<Condition>& now, const std::set<NetworkName>& unread) {
  std::map<Kind, Messages> messages;
  for (const auto& [kind, known] : known_) {
    if (unread.contains(kind.network)) messages.emplace(kind, known);
  }
  for (const Condition& each : now) messages[KindOf(each)].insert(each.message);
  const std::map<Kind, Messages> before = std::exchange(known_, std::move(messages));
  for (const auto& [kind, known] : before) {
    if (!known_.contains(kind)) Publish(kind.network, absl::StrCat(kind.type, " is over"));
  }
  for (const Condition& each : now) {
    const Kind kind = KindOf(each);
    const auto known = before.find(kind);
    const bool is_known = known != before.end();
    // Where only the words have changed, a count perhaps, it is the same.
    if (is_known && known->second.size() >= known_[kind].size()) continue;
    if (is_known && known->second.contains(each.message)) continue;
    Publish(each.network,
            absl::StrCat(each.type, ": ", each.message,
                         each.remedy.empty() ? "" : absl::StrCat(" (", each.remedy, ")")));
  }
}

void ConditionLog::Publish(const NetworkName& network, const std::string& what) {
  events_->Publish({.type = TapEvent::Type::kCondition,
                    .lease = std::nullopt,
                    .message = what,
                    .repaired = {},
                    .network = network});
}

}  // namespace svnet

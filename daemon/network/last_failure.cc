#include "daemon/network/last_failure.h"

#include "absl/strings/str_cat.h"

namespace svnet {

void LastFailure::Note(const absl::Status& made) {
  const std::optional<Reason> reason = ReasonOf(made);
  const bool failed = reason == Reason::kBridgeSetupFailed || reason == Reason::kTapCreateFailed;
  if (made.ok() || failed) reason_ = reason;
  if (failed) message_ = std::string(made.message());
}

void LastFailure::AddConditions(std::vector<Condition>* conditions) const {
  if (!reason_.has_value()) return;
  constexpr char kForAll[] = "the last CreateTap failed";
  conditions->push_back({.type = "CREATE_FAILED",
                         .message = absl::StrCat(kForAll, ": ", message_),
                         .remedy = "remove the cause; the next CreateTap that succeeds ends this",
                         .for_all = kForAll});
}

}  // namespace svnet

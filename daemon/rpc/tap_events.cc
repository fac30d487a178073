#include "daemon/rpc/tap_events.h"

#include "daemon/rpc/conversions.h"

namespace svnet {

std::optional<absl::StatusOr<std::string>> TapEvents::Take() {
  const std::optional<absl::StatusOr<TapEvent>> next = watch_->Take();
  if (!next.has_value()) return std::nullopt;
  if (!next->ok()) return absl::StatusOr<std::string>(next->status());
  return absl::StatusOr<std::string>(ToProto(**next, prefix_of_).SerializeAsString());
}

}  // namespace svnet

#include "daemon/rpc/tap_events.h"

#include "daemon/rpc/conversions.h"

namespace svnet {

std::optional<absl::StatusOr<grpc::ByteBuffer>> TapEvents::Take() {
  const std::optional<absl::StatusOr<TapEvent>> next = watch_->Take();
  if (!next.has_value()) return std::nullopt;
  if (!next->ok()) return absl::StatusOr<grpc::ByteBuffer>(next->status());
  return absl::StatusOr<grpc::ByteBuffer>(ToBytes(ToProto(**next, prefix_)));
}

}  // namespace svnet

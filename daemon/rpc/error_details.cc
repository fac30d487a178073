#include "daemon/rpc/error_details.h"

#include <string>

#include "daemon/base/error.h"
#include "google/rpc/error_details.pb.h"

namespace svnet {

WireStatus ToWireStatus(const absl::Status& status) {
  WireStatus wire = {.code = static_cast<uint8_t>(status.code()),
                     .text = std::string(status.message())};
  if (status.ok()) return wire;
  // Nobody's decision: svnetd is on its way out, the caller has gone, or health checking has its
  // own rules.
  const bool plain =
      absl::IsUnavailable(status) || absl::IsCancelled(status) || absl::IsNotFound(status);
  if (plain && !ReasonOf(status).has_value()) {
    return wire;
  }
  const Reason reason = ReasonOf(status).value_or(Reason::kBridgeSetupFailed);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain("svnet");
  if (const absl::string_view code = AncestorCode(reason); !code.empty()) {
    (*info.mutable_metadata())["ancestor_code"] = std::string(code);
  }
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(wire.text);
  details.add_details()->PackFrom(info);
  wire.details = details.SerializeAsString();
  return wire;
}

google::rpc::Status ToProtoStatus(const absl::Status& status) {
  const WireStatus wire = ToWireStatus(status);
  google::rpc::Status message;
  if (!wire.details.empty() && message.ParseFromString(wire.details)) return message;
  message.set_code(wire.code);
  message.set_message(wire.text);
  return message;
}

}  // namespace svnet

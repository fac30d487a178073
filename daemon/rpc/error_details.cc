#include "daemon/rpc/error_details.h"

#include <string>

#include "daemon/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace svnet {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // Nobody's decision: svnetd is on its way out, or the caller has gone.
  if ((absl::IsUnavailable(status) || absl::IsCancelled(status)) && !ReasonOf(status).has_value()) {
    return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
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
  details.set_message(std::string(status.message()));
  details.add_details()->PackFrom(info);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(),
                      details.SerializeAsString());
}

}  // namespace svnet

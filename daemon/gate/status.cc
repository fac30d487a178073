#include "daemon/gate/status.h"

#include "daemon/rpc/error_details.h"

namespace svnet {

grpc::Status ToGrpc(const WireStatus& status) {
  return {static_cast<grpc::StatusCode>(status.code), status.text, status.details};
}

grpc::Status ToGrpc(const absl::Status& status) { return ToGrpc(ToWireStatus(status)); }

}  // namespace svnet

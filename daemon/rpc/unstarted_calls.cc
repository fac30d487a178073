#include "daemon/rpc/unstarted_calls.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/network_status.h"
#include "daemon/rpc/conversions.h"
#include "daemon/rpc/network_calls.h"

namespace svnet {

absl::StatusOr<std::string> UnstartedCalls::Answer(Method method) const {
  switch (method) {
    case Method::kGetNetwork:
      return Describe().SerializeAsString();
    case Method::kListNetworks: {
      v1::ListNetworksResponse response;
      *response.add_networks() = Describe();
      return response.SerializeAsString();
    }
    case Method::kGetMetrics:
      return GetMetrics();
    default:
      return Refuse();
  }
}

absl::Status UnstartedCalls::Refuse() const {
  const std::string text =
      absl::StrCat("svnetd has not started its network yet: ", network_->why.message(),
                   "; it tries again by itself");
  const std::optional<Reason> reason = ReasonOf(network_->why);
  return reason.has_value() ? Error(*reason, text) : absl::UnavailableError(text);
}

v1::GetNetworkResponse UnstartedCalls::Describe() const {
  NetworkStatus status;
  board_->AppendTo(&status.conditions);
  const Authorizer authorizer(caller_);
  status.conditions = authorizer.Filter(status.conditions);
  v1::GetNetworkResponse response =
      ToProto(status, network_->settings, authorizer.Filter(board_->settings()));
  response.set_gates(metrics_->gates().count());
  return response;
}

absl::StatusOr<std::string> UnstartedCalls::GetMetrics() const {
  SVNET_RETURN_IF_ERROR(CheckMayReadMetrics(caller_));
  v1::GetMetricsResponse response;
  response.set_text(metrics_->Render(Refuse()));
  return response.SerializeAsString();
}

}  // namespace svnet

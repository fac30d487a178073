#include "daemon/rpc/unstarted_calls.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/rpc/conversions.h"
#include "daemon/rpc/network_calls.h"
#include "daemon/rpc/parse_request.h"

namespace svnet {

MeasuresOfNetworks MeasuresOf(const Unstarted& unstarted) {
  MeasuresOfNetworks all;
  for (const NetworkSettings& each : unstarted.networks) all.emplace(each.name, unstarted.why);
  return all;
}

absl::StatusOr<std::string> UnstartedCalls::Answer(Method method,
                                                   const std::string& request) const {
  switch (method) {
    case Method::kGetNetwork:
      return GetNetwork(request);
    case Method::kListNetworks: {
      v1::ListNetworksResponse response;
      for (const NetworkSettings& each : unstarted_->networks) {
        if (Authorizer(caller_).MayUse(each)) *response.add_networks() = Describe(each);
      }
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
      absl::StrCat("svnetd has not started its network yet: ", unstarted_->why.message(),
                   "; it tries again by itself");
  const std::optional<Reason> reason = ReasonOf(unstarted_->why);
  return reason.has_value() ? Error(*reason, text) : absl::UnavailableError(text);
}

absl::StatusOr<std::string> UnstartedCalls::GetNetwork(const std::string& bytes) const {
  SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<v1::GetNetworkRequest>(bytes));
  SVNET_ASSIGN_OR_RETURN(const NetworkName name, ParseNetwork(request.network()));
  for (const NetworkSettings& each : unstarted_->networks) {
    if (each.name == name && Authorizer(caller_).MayUse(each)) {
      return Describe(each).SerializeAsString();
    }
  }
  return NetworkNotFound(name);
}

v1::GetNetworkResponse UnstartedCalls::Describe(const NetworkSettings& network) const {
  NetworkStatus status;
  board_->AppendTo(&status.conditions);
  const Authorizer authorizer(caller_);
  status.conditions = authorizer.Filter(status.conditions);
  v1::GetNetworkResponse response = ToProto(status, network, authorizer.Filter(board_->settings()));
  response.set_gates(metrics_->gates().count());
  return response;
}

absl::StatusOr<std::string> UnstartedCalls::GetMetrics() const {
  SVNET_RETURN_IF_ERROR(CheckMayReadMetrics(caller_));
  v1::GetMetricsResponse response;
  response.set_text(metrics_->Render(MeasuresOf(*unstarted_)));
  return response.SerializeAsString();
}

}  // namespace svnet

#include "daemon/rpc/network_calls.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/link_name.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/rpc/conversions.h"

namespace svnet {
namespace {

constexpr size_t kMaxLogged = 64;  // bytes of one field

// " vm=vm1"; nothing if the field is unset. It is as the caller sent it, before any
// check: what is no plain name is escaped, cut and quoted, and so cannot pass for
// another field or another line; `field` gets only what is one.
void LogField(LogLine* log, absl::string_view name, absl::string_view value, std::string* field) {
  if (value.empty()) return;
  if (IsPlainName(value, kMaxLogged)) {
    absl::StrAppend(&log->text, " ", name, "=", value);
    *field = std::string(value);
  } else {
    absl::StrAppend(&log->text, " ", name, "=\"", absl::CHexEscape(value.substr(0, kMaxLogged)),
                    "\"", value.size() > kMaxLogged ? "..." : "");
  }
}

template <typename Request>
void LogIds(LogLine* log, const Request& request) {
  LogField(log, "vm", request.vm_id(), &log->fields.vm);
  LogField(log, "iface", request.iface_id(), &log->fields.iface);
}

template <typename Request>
void LogSelector(LogLine* log, const Request& request) {
  LogIds(log, request);
  LogField(log, "tap", request.tap_name(), &log->fields.tap);
}

}  // namespace

absl::Status CheckMayReadMetrics(const Caller& caller) {
  if (caller.administrator) return absl::OkStatus();
  return Error(
      Reason::kPermissionDenied,
      "metrics show the calls and leases of all callers, and are for administrators: root, "
      "and the members of `admin_groups`");
}

// What is svnetd's own is shown once, with the default network.
MeasuresOfNetworks NetworkCalls::Measure(NetworkApi& api, const StatusBoard& board) {
  MeasuresOfNetworks measures = api.Measure();
  absl::StatusOr<NetworkMeasures>& shown = measures.at(NetworkName());
  if (shown.ok()) board.AppendTo(&shown->status.conditions);
  return measures;
}

absl::StatusOr<v1::CreateTapResponse> NetworkCalls::CreateTap(const v1::CreateTapRequest& request,
                                                              LogLine* log) {
  LogIds(log, request);
  SVNET_ASSIGN_OR_RETURN(const TapRequest tap, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const Lease lease, api_->CreateTap(caller_, tap, &log->changed));
  log->fields = FieldsOf(lease);
  absl::StrAppend(&log->text, " tap=", lease.spec.tap.text(), " ip=", lease.spec.ip.ToString(),
                  " mac=", lease.spec.mac.ToString(), " owner=", lease.spec.key.owner);
  v1::CreateTapResponse response;
  *response.mutable_tap() = ToProto(lease, api_->PrefixOf(lease));
  response.set_created(log->changed);
  return response;
}

absl::StatusOr<v1::GetTapResponse> NetworkCalls::GetTap(const v1::GetTapRequest& request,
                                                        LogLine* log) {
  LogSelector(log, request);
  SVNET_ASSIGN_OR_RETURN(const LeaseSelector selector, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const Lease lease, api_->GetTap(caller_, selector));
  v1::GetTapResponse response;
  *response.mutable_tap() = ToProto(lease, api_->PrefixOf(lease));
  return response;
}

absl::StatusOr<v1::UpdateTapResponse> NetworkCalls::UpdateTap(const v1::UpdateTapRequest& request,
                                                              LogLine* log) {
  LogSelector(log, request);
  SVNET_ASSIGN_OR_RETURN(const UpdateRequest update, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const Lease lease, api_->UpdateTap(caller_, update));
  log->changed = true;
  log->fields = FieldsOf(lease);
  absl::StrAppend(&log->text, " updated=", lease.spec.tap.text(), " owner=", lease.spec.key.owner,
                  " generation=", lease.spec.generation,
                  " lifetime=", FormatLifetime(lease.spec.lifetime));
  v1::UpdateTapResponse response;
  *response.mutable_tap() = ToProto(lease, api_->PrefixOf(lease));
  return response;
}

absl::StatusOr<v1::RemoveTapResponse> NetworkCalls::RemoveTap(const v1::RemoveTapRequest& request,
                                                              LogLine* log) {
  LogSelector(log, request);
  SVNET_ASSIGN_OR_RETURN(const LeaseSelector selector, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const std::optional<Lease> lease, api_->RemoveTap(caller_, selector));
  if (lease.has_value()) {
    log->fields = FieldsOf(*lease);
    log->changed = true;
    absl::StrAppend(&log->text, " removed=", lease->spec.tap.text(),
                    " ip=", lease->spec.ip.ToString(), " owner=", lease->spec.key.owner);
  } else {
    absl::StrAppend(&log->text, " removed=nothing");
  }
  v1::RemoveTapResponse response;
  response.set_removed(lease.has_value());
  return response;
}

absl::Status NetworkCalls::OpenTap(const v1::OpenTapRequest& request, size_t most,
                                   OpenedTap* opened, LogLine* log) {
  LogSelector(log, request);
  SVNET_ASSIGN_OR_RETURN(const LeaseSelector selector, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const Lease lease, api_->OpenQueues(caller_, selector, most, opened));
  log->changed = true;
  log->fields = FieldsOf(lease);
  absl::StrAppend(&log->text, " opened=", lease.spec.tap.text(), " queues=", lease.spec.queues,
                  " owner=", lease.spec.key.owner);
  return absl::OkStatus();
}

absl::StatusOr<v1::GetBootArgsResponse> NetworkCalls::GetBootArgs(
    const v1::GetBootArgsRequest& request, LogLine* log) {
  LogSelector(log, request);
  SVNET_ASSIGN_OR_RETURN(const BootArgsRequest boot_args, FromProto(request));
  v1::GetBootArgsResponse response;
  SVNET_ASSIGN_OR_RETURN(*response.mutable_boot_args(), api_->GetBootArgs(caller_, boot_args));
  return response;
}

absl::StatusOr<std::unique_ptr<Cleanup>> NetworkCalls::BeginCleanup(
    const v1::CleanupRequest& request) const {
  SVNET_ASSIGN_OR_RETURN(const CleanupRequest cleanup, FromProto(request));
  return api_->BeginCleanup(caller_, cleanup);
}

absl::StatusOr<v1::CleanupResponse> NetworkCalls::EndCleanup(
    const Cleanup& cleanup, const absl::StatusOr<CleanupResult>& result, LogLine* log) {
  absl::StrAppend(&log->text, " scope=", cleanup.is_of_network() ? "network" : "caller");
  SVNET_RETURN_IF_ERROR(result.status());
  log->changed = result->taps_removed > 0 || result->bridge_removed || result->nat_removed;
  absl::StrAppend(&log->text, " taps_removed=", result->taps_removed);
  return ToProto(*result);
}

absl::StatusOr<v1::ListTapsResponse> NetworkCalls::ListTaps(const v1::ListTapsRequest& request,
                                                            LogLine* /*log*/) {
  SVNET_ASSIGN_OR_RETURN(const ListRequest list, FromProto(request));
  SVNET_ASSIGN_OR_RETURN(const LeasePage page, api_->ListTaps(caller_, list));
  return ToProto(page, [&](const Lease& lease) { return api_->PrefixOf(lease); });
}

absl::StatusOr<v1::GetNetworkResponse> NetworkCalls::GetNetwork(
    const v1::GetNetworkRequest& request, LogLine* /*log*/) {
  SVNET_ASSIGN_OR_RETURN(const NetworkName network, ParseNetwork(request.network()));
  return Describe(network);
}

absl::StatusOr<v1::ListNetworksResponse> NetworkCalls::ListNetworks(
    const v1::ListNetworksRequest& /*request*/, LogLine* /*log*/) {
  v1::ListNetworksResponse response;
  for (const NetworkName& network : api_->ListNetworks(caller_)) {
    SVNET_ASSIGN_OR_RETURN(*response.add_networks(), Describe(network));
  }
  return response;
}

absl::StatusOr<v1::GetNetworkResponse> NetworkCalls::Describe(const NetworkName& network) {
  SVNET_ASSIGN_OR_RETURN(NetworkStatus status, api_->GetNetwork(caller_, network));
  board_->AppendTo(&status.conditions);
  const Authorizer authorizer(caller_);
  status.conditions = authorizer.Filter(status.conditions);
  v1::GetNetworkResponse response =
      ToProto(status, api_->SettingsOf(network), authorizer.Filter(board_->settings()));
  *response.mutable_quota() = ToProto(status.held, caller_);
  response.set_gates(metrics_->gates().count());
  return response;
}

absl::StatusOr<v1::GetMetricsResponse> NetworkCalls::GetMetrics(
    const v1::GetMetricsRequest& /*request*/, LogLine* /*log*/) {
  SVNET_RETURN_IF_ERROR(CheckMayReadMetrics(caller_));
  v1::GetMetricsResponse response;
  // Measured first: what svnetd repairs on the way is counted.
  const MeasuresOfNetworks measures = Measure(*api_, *board_);
  response.set_text(metrics_->Render(measures));
  return response;
}

absl::StatusOr<std::shared_ptr<Watch>> NetworkCalls::WatchTaps(const v1::WatchTapsRequest& request,
                                                               std::function<void()> wake) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<NetworkName> network,
                         ParseNetworkFilter(request.network()));
  return api_->WatchTaps(caller_, network, std::move(wake));
}

}  // namespace svnet

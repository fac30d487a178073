// Protobuf messages <-> checked values. Every byte of a caller's is checked here, or
// in the Parse functions that this calls. All pure.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/network_name.h"
#include "daemon/base/setting.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_status.h"
#include "daemon/network/requests.h"
#include "daemon/network/tap_event.h"
#include "daemon/segment/network_settings.h"
#include "svnet/v1/network.pb.h"

namespace svnet {

absl::StatusOr<TapRequest> FromProto(const v1::CreateTapRequest& request);
absl::StatusOr<LeaseSelector> FromProto(const v1::RemoveTapRequest& request);
absl::StatusOr<BootArgsRequest> FromProto(const v1::GetBootArgsRequest& request);
absl::StatusOr<LeaseSelector> FromProto(const v1::GetTapRequest& request);
absl::StatusOr<LeaseSelector> FromProto(const v1::OpenTapRequest& request);
absl::StatusOr<UpdateRequest> FromProto(const v1::UpdateTapRequest& request);
absl::StatusOr<CleanupRequest> FromProto(const v1::CleanupRequest& request);
// The network "default" if `name` is empty.
absl::StatusOr<NetworkName> ParseNetwork(absl::string_view name);
// nullopt, for all networks, if `name` is empty.
absl::StatusOr<std::optional<NetworkName>> ParseNetworkFilter(absl::string_view name);

absl::StatusOr<ListRequest> FromProto(const v1::ListTapsRequest& request);

v1::Tap ToProto(const Lease& lease, const Ipv4Prefix& prefix);
// Ends a page at kMaxPageBytes.
v1::CleanupResponse ToProto(const CleanupResult& result);
// `prefix_of`: of the network that a lease is on.
v1::ListTapsResponse ToProto(const LeasePage& page,
                             const std::function<Ipv4Prefix(const Lease&)>& prefix_of);
v1::TapEvent ToProto(const TapEvent& event,
                     const std::function<Ipv4Prefix(const Lease&)>& prefix_of);
// `told`: the settings that the caller may see.
v1::GetNetworkResponse ToProto(const NetworkStatus& status, const NetworkSettings& settings,
                               const std::vector<Setting>& told);
v1::GetNetworkResponse::Quota ToProto(const Holdings& holdings, const Caller& caller);

}  // namespace svnet

// The keys of a network: how the values are set and shown.
#pragma once

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/config/accounts.h"
#include "daemon/config/network_config.h"

namespace svnet::network_keys {

// In the order of the values that they mean.
inline constexpr std::array<absl::string_view, 2> kKinds = {"bridge", "routed"};
inline constexpr std::array<absl::string_view, 3> kIsolations = {"none", "owner", "all"};
inline constexpr std::array<absl::string_view, 2> kHostAccesses = {"deny", "allow"};
inline constexpr std::array<absl::string_view, 2> kLocalAccesses = {"all", "owner"};

// See KeyAccess.
absl::Status SetBridge(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetSubnet(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetMtu(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetGatewayMac(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetKind(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetIsolation(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetHostAccess(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetLocalAccess(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetHostPorts(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetBlockedDestinations(NetworkConfig* network, absl::string_view text,
                                    const Accounts&);
absl::Status SetPeers(NetworkConfig* network, absl::string_view text, const Accounts&);
absl::Status SetAllowUsers(NetworkConfig* network, absl::string_view text,
                           const Accounts& accounts);
absl::Status SetAllowGroups(NetworkConfig* network, absl::string_view text,
                            const Accounts& accounts);
std::string ShowBridge(const NetworkConfig& network);
std::string ShowSubnet(const NetworkConfig& network);
std::string ShowHostPorts(const NetworkConfig& network);
std::string ShowBlockedDestinations(const NetworkConfig& network);
std::string ShowGatewayMac(const NetworkConfig& network);
std::string ShowPeers(const NetworkConfig& network);

}  // namespace svnet::network_keys

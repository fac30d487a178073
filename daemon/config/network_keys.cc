#include "daemon/config/network_keys.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/key_values.h"
#include "daemon/lease/names.h"

namespace svnet::network_keys {
namespace {

constexpr uint32_t kMinMtu = 576;    // RFC 791: every host must accept that
constexpr uint32_t kMaxMtu = 65521;  // a TAP's own maximum

// Addresses that no link of a host can have: "this network", loopback, multicast and reserved ones
// (RFC 6890).
bool IsUnusable(const Ipv4Prefix& prefix) {
  const auto overlaps = [&](uint32_t network, int length) {
    return prefix.Overlaps(Ipv4Prefix::Containing(Ipv4Address(network), length));
  };
  return overlaps(0x00000000, 8) || overlaps(0x7f000000, 8) || overlaps(0xe0000000, 3);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('/', 1));
  uint32_t port = 0;
  const bool tcp = parts.first == "tcp";
  if ((tcp || parts.first == "udp") && absl::SimpleAtoi(parts.second, &port) && port >= 1 &&
      port <= 65535) {
    return HostPort{.protocol = tcp ? HostPort::Protocol::kTcp : HostPort::Protocol::kUdp,
                    .port = static_cast<uint16_t>(port)};
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is not a port like \"udp/53\" or \"tcp/443\""));
}

}  // namespace

absl::Status SetBridge(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(network->bridge, LinkName::Parse(text));
  return absl::OkStatus();
}

absl::Status SetSubnet(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Prefix prefix, Ipv4Prefix::Parse(text));
  if (prefix.length() < 8 || prefix.length() > 30) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text), " is not a /8 to /30: it needs room for a gateway and a guest"));
  }
  if (IsUnusable(prefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text),
                     " contains addresses that no host can have: use a private prefix, in "
                     "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"));
  }
  network->subnet = prefix;
  return absl::OkStatus();
}

absl::Status SetMtu(NetworkConfig* network, absl::string_view text, const Accounts&) {
  uint32_t mtu = 0;
  if (text == "auto") {
    network->mtu = std::nullopt;
  } else if (absl::SimpleAtoi(text, &mtu) && mtu >= kMinMtu && mtu <= kMaxMtu) {
    network->mtu = mtu;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is neither \"auto\" nor ",
                                                   kMinMtu, " to ", kMaxMtu, " (bytes)"));
  }
  return absl::OkStatus();
}

absl::Status SetGatewayMac(NetworkConfig* network, absl::string_view text, const Accounts&) {
  network->gateway_mac.reset();
  if (text == "auto") return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, MacAddress::Parse(text));
  if (!mac.IsUnicast()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text),
                     " is not the MAC of one station: its first octet must be even, "
                     "like 02, and not all octets 00"));
  }
  if (mac == kTapMac) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text), " is the MAC of all TAPs on bridges themselves"));
  }
  network->gateway_mac = mac;
  return absl::OkStatus();
}

absl::Status SetKind(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kKinds));
  network->kind = static_cast<NetworkKind>(word);
  return absl::OkStatus();
}

absl::Status SetIsolation(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kIsolations));
  network->isolation = static_cast<Isolation>(word);
  return absl::OkStatus();
}

absl::Status SetHostAccess(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kHostAccesses));
  network->host_access = word == 1;
  return absl::OkStatus();
}

absl::Status SetLocalAccess(NetworkConfig* network, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kLocalAccesses));
  network->local_access = static_cast<LocalAccess>(word);
  return absl::OkStatus();
}

absl::Status SetHostPorts(NetworkConfig* network, absl::string_view text, const Accounts&) {
  network->host_ports.clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const HostPort port, ParseHostPort(item));
    network->host_ports.push_back(port);
  }
  return absl::OkStatus();
}

absl::Status SetBlockedDestinations(NetworkConfig* network, absl::string_view text,
                                    const Accounts&) {
  network->blocked_destinations.clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const Ipv4Prefix prefix, Ipv4Prefix::Parse(item));
    network->blocked_destinations.push_back(prefix);
  }
  return absl::OkStatus();
}

absl::Status SetPeers(NetworkConfig* network, absl::string_view text, const Accounts&) {
  network->peers.clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(NetworkName name, ParseNetworkName(item));
    network->peers.insert(std::move(name));
  }
  return absl::OkStatus();
}

absl::Status SetAllowUsers(NetworkConfig* network, absl::string_view text,
                           const Accounts& accounts) {
  return svnet::SetUsers(&network->users, text, accounts);
}

absl::Status SetAllowGroups(NetworkConfig* network, absl::string_view text,
                            const Accounts& accounts) {
  return svnet::SetGroups(&network->groups, text, accounts);
}

std::string ShowBridge(const NetworkConfig& network) { return network.bridge.text(); }

std::string ShowSubnet(const NetworkConfig& network) { return network.subnet.ToString(); }

std::string ShowHostPorts(const NetworkConfig& network) {
  return absl::StrJoin(network.host_ports, ",", [](std::string* out, const HostPort& port) {
    const bool tcp = port.protocol == HostPort::Protocol::kTcp;
    absl::StrAppend(out, tcp ? "tcp/" : "udp/", port.port);
  });
}

std::string ShowBlockedDestinations(const NetworkConfig& network) {
  return absl::StrJoin(
      network.blocked_destinations, ",",
      [](std::string* out, const Ipv4Prefix& prefix) { *out += prefix.ToString(); });
}

std::string ShowGatewayMac(const NetworkConfig& network) {
  return network.gateway_mac.has_value() ? network.gateway_mac->ToString() : "auto";
}

std::string ShowPeers(const NetworkConfig& network) {
  return absl::StrJoin(network.peers, ",",
                       [](std::string* out, const NetworkName& name) { *out += name.text(); });
}

}  // namespace svnet::network_keys

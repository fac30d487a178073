// The input of the checks, read once, so that all checks describe the same moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/doctor/host.h"
#include "client/failure.h"
#include "daemon/address/host_network.h"
#include "daemon/base/ipv4.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// svnetd's answers.
struct Answers {
  std::string socket;
  // Why svnetd did not answer.
  std::optional<Failure> failure;
  // Those that the caller may use.
  std::vector<v1::GetNetworkResponse> networks;
  // The caller's leases on all of them; all leases for administrators.
  std::vector<v1::Tap> taps;
};

struct Observed {
  const Host& host;
  Answers svnetd;
  std::vector<HostLink> links;
  std::vector<HostAddress> addresses;
  std::vector<HostRoute> routes;
  // The same facts in svnetd's own types.
  HostNetwork network;
  // The error, if they could not be read.
  absl::Status netlink;
  absl::StatusOr<std::vector<FilterChain>> nft;
  absl::StatusOr<std::vector<FilterChain>> legacy;
  // What is wrong with svnetd's file. NotFound: there is none.
  absl::Status configuration;
  // The networks to examine. If svnetd does not answer: what it takes without a file, unless a
  // network was asked for.
  std::vector<v1::GetNetworkResponse> examined;

  // The network that is looked at: what is checked for each network is about this one.
  v1::GetNetworkResponse subject;
  std::string bridge;
  Ipv4Prefix prefix;

  bool IsRouted() const { return subject.kind() == v1::NETWORK_KIND_ROUTED; }
};

// `only`: the name of the network to examine; empty: all of them. Looks at the first.
Observed Observe(const Host& host, Answers svnetd, const std::string& only = "");

void LookAt(const v1::GetNetworkResponse& network, Observed& observed);

// "default" also from an svnetd that knows no other.
std::string NameOf(const v1::GetNetworkResponse& network);

// What the names of the chains and counters begin with that svnetd's tables have for the network
// that is looked at alone.
std::string OwnPrefix(const Observed& observed);

// Whether the lease is on the network that is looked at.
bool IsOnSubject(const Observed& observed, const v1::Tap& tap);

// The names of the bridges of all networks, the default one's first: svnetd's tables, which all
// networks share, are named after it.
std::vector<std::string> Bridges(const Observed& observed);
bool IsBridge(const Observed& observed, const HostLink& link);
bool AnyBridgeExists(const Observed& observed);

// nullptr: none.
const HostLink* FindLink(const Observed& observed, const std::string& name);
const HostLink* FindLink(const Observed& observed, int ifindex);

// Whether it is a network's bridge, or has an alias of svnetd's and is no port of another bridge,
// which belongs to another svnetd.
bool IsOurs(const Observed& observed, const HostLink& link);

// The links of FindUplinks.
std::vector<const HostLink*> Uplinks(const Observed& observed);

// A setting that is a number; an error if the file does not exist or does not contain one.
absl::StatusOr<int64_t> ReadNumber(const Host& host, const std::string& path);

}  // namespace svnet::client

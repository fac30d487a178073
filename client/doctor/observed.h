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
  v1::GetNetworkResponse network;
  // The caller's leases; all leases for administrators.
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
  // As svnetd says, or its defaults if it does not answer.
  std::string bridge;
  Ipv4Prefix prefix;

  // As svnetd says.
  bool IsRouted() const { return svnetd.network.kind() == v1::NETWORK_KIND_ROUTED; }
};

Observed Observe(const Host& host, Answers svnetd);

// nullptr: none.
const HostLink* FindLink(const Observed& observed, const std::string& name);
const HostLink* FindLink(const Observed& observed, int ifindex);

// Whether it is the bridge, or has an alias of svnetd's and is no port of another bridge, which
// belongs to another svnetd.
bool IsOurs(const Observed& observed, const HostLink& link);

// The links of FindUplinks.
std::vector<const HostLink*> Uplinks(const Observed& observed);

// A setting that is a number; an error if the file does not exist or does not contain one.
absl::StatusOr<int64_t> ReadNumber(const Host& host, const std::string& path);

}  // namespace svnet::client

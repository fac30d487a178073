// What the checks go by: gathered once, so that they all speak of the same moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/doctor/host.h"
#include "client/failure.h"
#include "daemon/base/ipv4.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// What svnetd says.
struct Answers {
  std::string socket;
  // Why it says nothing.
  std::optional<Failure> failure;
  v1::GetNetworkResponse network;
  // The caller's leases; everybody's, if the caller administers.
  std::vector<v1::Tap> taps;
};

struct Observed {
  const Host& host;
  Answers svnetd;
  std::vector<HostLink> links;
  std::vector<HostAddress> addresses;
  std::vector<HostRoute> routes;
  // Why there are none, if they could not be read.
  absl::Status netlink;
  absl::StatusOr<std::vector<FilterChain>> nft;
  absl::StatusOr<std::vector<FilterChain>> legacy;
  // svnetd's, or its defaults if it does not answer.
  std::string bridge;
  Ipv4Prefix prefix;
};

Observed Observe(const Host& host, Answers svnetd);

// nullptr if there is none.
const HostLink* FindLink(const Observed& observed, const std::string& name);
const HostLink* FindLink(const Observed& observed, int ifindex);

// The links that default routes lead to, the preferred one first; each once.
std::vector<const HostLink*> Uplinks(const Observed& observed);

// A setting that is a number; an error if there is no such file or it holds none.
absl::StatusOr<int64_t> ReadNumber(const Host& host, const std::string& path);

}  // namespace svnet::client

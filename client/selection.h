// Which lease a command means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

inline constexpr char kDefaultIface[] = "eth0";

// A lease: by VM and interface, or by its TAP.
struct LeaseName {
  std::string vm;
  std::string iface = kDefaultIface;
  // Instead of both.
  std::string tap;
  // Unset: the caller's. An administrator who has none means the only one that it sees.
  std::optional<uint32_t> owner;
  // Of a lease that was not found: the interfaces that the VM has.
  std::vector<std::string> other_ifaces;
};

// "vm1 eth0", "vm1 eth0 of alice", or the TAP's name.
std::string Describe(const LeaseName& name);

// "vm1 has eth1: --iface eth1"; empty: the VM has no other interface.
std::string SuggestIface(const LeaseName& name);

// As the command line names them: several VMs, or one TAP.
struct LeaseNames {
  std::vector<std::string> vms;
  std::string iface = kDefaultIface;
  std::string tap;
  std::optional<uint32_t> owner;
};

std::vector<LeaseName> EachOf(const LeaseNames& names);

// The only owner that has such a lease, of those that the caller sees; nullopt: none has, and
// `name` gets the interfaces that the VM has. A Failure that names the owners if there are several.
Result<std::optional<uint32_t>> FindOwner(Connection& svnetd, LeaseName& name);

Failure SeveralOwners(const LeaseName& name, const std::vector<uint32_t>& owners);

// TAP_NOT_FOUND, in svnetctl's words.
Failure NoSuchLease(const LeaseName& name);

template <typename Request>
void SetName(const LeaseName& name, Request& request) {
  if (!name.tap.empty()) return request.set_tap_name(name.tap);
  request.set_vm_id(name.vm);
  request.set_iface_id(name.iface);
  if (name.owner.has_value()) request.set_owner_uid(*name.owner);
}

// Whether svnetd says that there is no such lease.
template <typename Response>
bool IsMissing(const Result<Response>& answer) {
  const auto* failure = std::get_if<Failure>(&answer);
  return failure != nullptr && failure->reason == "TAP_NOT_FOUND";
}
inline bool IsMissing(const Result<v1::RemoveTapResponse>& answer) {
  const auto* response = std::get_if<v1::RemoveTapResponse>(&answer);
  return response != nullptr && !response->removed();
}

// Calls `method` for that lease. svnetd takes a name without an owner for one of the caller's: if
// the caller has no such lease, but sees one of another owner, it is that one, and `name` gets its
// owner.
template <typename Request, typename Response>
Result<Response> CallForLease(Connection& svnetd, LeaseName& name,
                              grpc::Status (Connection::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&, Response*),
                              Request request) {
  SetName(name, request);
  Result<Response> answer = svnetd.Call(method, request);
  if (!IsMissing(answer) || !name.tap.empty() || name.owner.has_value()) return answer;
  const Result<std::optional<uint32_t>> owner = FindOwner(svnetd, name);
  if (const auto* failure = std::get_if<Failure>(&owner)) return *failure;
  if (!std::get<std::optional<uint32_t>>(owner).has_value()) return answer;
  name.owner = std::get<std::optional<uint32_t>>(owner);
  SetName(name, request);
  return svnetd.Call(method, request);
}

}  // namespace svnet::client

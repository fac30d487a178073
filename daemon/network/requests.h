// What callers ask of networks, as checked values (proto/svnet/v1/network.proto).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/boot_args.h"
#include "daemon/lease/lease.h"

namespace svnet {

struct TapRequest {
  std::optional<NetworkName> network = {};  // nullopt: the default one, or where the lease is
  VmId vm;
  IfaceId iface;
  std::optional<Ipv4Address> ip;
  std::optional<MacAddress> mac;  // unicast
  std::optional<uid_t> owner;     // nullopt: the caller
  std::optional<gid_t> group;
  int queues = 1;     // pairs, 1 to 256
  Lifetime lifetime;  // BoundToProcess: its pid counts
  // What else is asked for (FormatSpecText); empty: nothing.
  std::string spec_text = {};
};

// A lease by its ids; owner nullopt: the caller's.
struct LeaseIds {
  std::optional<uid_t> owner;
  VmId vm;
  IfaceId iface;
};
using LeaseSelector = std::variant<LinkName, LeaseIds>;

struct BootArgsRequest {
  LeaseSelector lease;
  LinkName guest_interface;
  HostName hostname;
  std::vector<Ipv4Address> dns_servers;  // at most two
};

// What UpdateTap changes; what is unset stays.
struct UpdateRequest {
  LeaseSelector lease;
  std::optional<Lifetime> lifetime = {};  // BoundToProcess: its pid counts
  std::optional<uint64_t> if_generation = {};
  std::optional<std::string> spec_text = {};  // as in TapRequest; empty: nothing more is granted
};

struct ListRequest {
  size_t limit;                             // of leases
  std::optional<LinkName> after = {};       // only TAPs whose name comes after this one
  std::optional<NetworkName> network = {};  // only leases on it
  std::optional<VmId> vm = {};              // only leases of it
};

enum class CleanupScope { kCaller, kNetwork };

struct CleanupRequest {
  CleanupScope scope = CleanupScope::kCaller;
  std::optional<NetworkName> network = {};  // nullopt: all networks
};

struct CleanupResult {
  uint32_t taps_removed = 0;
  bool bridge_removed = false;
  bool nat_removed = false;

  CleanupResult& operator+=(const CleanupResult& other) {
    taps_removed += other.taps_removed;
    bridge_removed |= other.bridge_removed;
    nat_removed |= other.nat_removed;
    return *this;
  }
};

struct LeasePage {
  std::vector<Lease> leases;  // by TAP name
  bool more = false;          // there are others after these
};

}  // namespace svnet

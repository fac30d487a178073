// What a TAP's ifalias says: what was granted to its lease. Only root can write it, and
// every local user can read it (`ip link`).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease.h"
#include "daemon/lease/lifetime.h"

namespace svnet {

// The name of the one network that there is.
inline constexpr absl::string_view kDefaultNetwork = "default";

struct Alias {
  VmId vm;
  IfaceId iface;
  Ipv4Address ip;
  MacAddress mac;  // the guest's
  int queues = 1;  // 1 to kMaxQueues
  uid_t owner = 0;
  std::optional<gid_t> group;
  Lifetime lifetime;
  int64_t create_time = 0;  // Unix seconds
  uint32_t generation = 1;  // from 1

  friend bool operator==(const Alias&, const Alias&) = default;
};

// "svnet2 n=default v=vm1 i=eth0 a=ac1e0002 m=0229a32f41c8 q=1 o=rs t=tro8w0 e=1", in one line
// of at most 255 bytes (IFALIASZ less the NUL): network, vm, iface, address, MAC, queues,
// owner, [g= group], [l= lifetime, unless it is persistent: pPID:START or dMILLISECONDS],
// create time, generation. Numbers are in base 36, but for the address and the MAC.
std::string FormatAlias(const Alias& alias);

// The alias of a lease's TAP.
Alias AliasOf(const Lease& lease);

// Exactly what FormatAlias makes, and nothing that only resembles it.
// InvalidArgument says what is wrong.
absl::StatusOr<Alias> ParseAlias(absl::string_view text);

// Whether it is, or was meant to be, an alias that a svnetd of this or a later version wrote
// for a TAP of the network `default`. Which bridge that network has, the alias does not say.
bool IsAlias(absl::string_view text);

}  // namespace svnet

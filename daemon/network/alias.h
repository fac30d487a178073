// What a TAP's ifalias says: the part of a lease that the kernel does not keep of
// itself. Visible in `ip link`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/network/ids.h"
#include "daemon/network/lease.h"
#include "daemon/network/lifetime.h"

namespace svnet {

struct Alias {
  LinkName bridge;  // whose network the TAP is of
  VmId vm;
  IfaceId iface;
  Ipv4Address ip;
  MacAddress mac;
  int queues = 1;  // 1 to 256
  Lifetime lifetime;

  friend bool operator==(const Alias&, const Alias&) = default;
};

// "svnet1 bridge=svbr0 vm=vm1 iface=eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 queues=1
// lifetime=persistent", in one line of at most 255 bytes (IFALIASZ less the NUL).
std::string FormatAlias(const Alias& alias);

// The alias of a lease's TAP.
Alias AliasOf(const Lease& lease, const LinkName& bridge);

// Exactly what FormatAlias makes, and nothing that only resembles it.
// InvalidArgument says what is wrong.
absl::StatusOr<Alias> ParseAlias(absl::string_view text);

// Whether it is, or was meant to be, the alias of a TAP of this bridge's network, of
// whatever version of svnetd.
bool IsAliasOf(absl::string_view text, const LinkName& bridge);

}  // namespace svnet

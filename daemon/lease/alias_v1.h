// The alias that svnetd wrote before `svnet2`: read once, at the first start after an
// upgrade, which writes the new one. Owner and group were not in it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lifetime.h"

namespace svnet {

// The first word.
inline constexpr absl::string_view kAliasV1Version = "svnet1";

struct AliasV1 {
  LinkName bridge;  // whose network the TAP is of
  VmId vm;
  IfaceId iface;
  Ipv4Address ip;
  MacAddress mac;
  int queues = 1;  // 1 to kMaxQueues
  Lifetime lifetime;

  friend bool operator==(const AliasV1&, const AliasV1&) = default;
};

// "svnet1 bridge=svbr0 vm=vm1 iface=eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 queues=1
// lifetime=persistent". Exactly what that version made, and nothing that only resembles it.
// InvalidArgument says what is wrong.
absl::StatusOr<AliasV1> ParseAliasV1(absl::string_view text);

// Whether it is, or was meant to be, such an alias of a TAP of this bridge's network.
bool IsAliasV1(absl::string_view text, const LinkName& bridge);

}  // namespace svnet

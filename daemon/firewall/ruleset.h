// The rules as text, for nft(8) or libnftables. All pure; nothing but typed values is
// ever rendered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/guest_access.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/table_name.h"
#include "daemon/firewall/firewall.h"
#include "daemon/firewall/nft_socket.h"

namespace svnet {

struct RulesetSpec {
  LinkName bridge;
  Ipv4Prefix prefix;
  // IFLA_GROUP of TAPs whose guests are served. Those of the group that follows are
  // cut off.
  uint32_t link_group = 0;
  // Whether guests may open connections to the host itself; if not, then only to
  // host_ports (and ping it).
  bool host_access = true;
  std::vector<HostPort> host_ports;
  // What guests may not reach, wherever it is.
  std::vector<Ipv4Prefix> blocked_destinations;
  // How many connections a guest may have open at once, and all guests of one owner
  // together; 0: any number. nullopt: a share of what the kernel tracks, which Apply knows;
  // in the text, any number.
  uint32_t guest_connections = 0;
  std::optional<uint32_t> owner_connections = 0;
  OtherForwarding others = OtherForwarding::kAsItIs;
  LocalAccess local_access = LocalAccess::kAll;
  std::vector<uint32_t> admin_gids;  // whose processes are administrators' for kOwner
};

// The families of svnetd's tables (TableName): `inet`, `bridge`, `arp`.
const std::vector<std::string>& TableFamilies();

// Replaces those tables, whole.
std::string RenderRuleset(const RulesetSpec& spec, const GuestBridge& bridge,
                          const std::vector<Binding>& bindings);

// The chain that stands in the table of the family inet if other forwarding is closed.
inline constexpr char kForwardOthersChain[] = "forward_others";

// Deletes that chain, which must be there.
std::string RenderOpening(const LinkName& bridge);

// Deletes them, if they are there.
std::string RenderRemoval(const LinkName& bridge);

// What a binding adds to the sets: the same as RenderRuleset does.
std::vector<NftElement> ElementsOf(const Binding& binding, LocalAccess local_access);

}  // namespace svnet

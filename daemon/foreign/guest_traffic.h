// Whose packets other programs' firewalls have to let through.
#pragma once

#include <optional>
#include <string>

#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_kind.h"

namespace svnet {

// All TAPs' names, as iptables writes it: those that svnetd makes up begin like that.
inline constexpr char kTapNames[] = "sv+";

// The packets of one network's guests, as the host's forward hook sees them.
struct GuestTraffic {
  NetworkKind kind;
  LinkName bridge;
  Ipv4Prefix prefix;

  // What tells them from others' packets: the links that they come by and go by, as in FilterRule,
  // and their addresses. The bridge does so alone. A routed network's TAPs are known by the start
  // of their names only, which is no proof: not every link that is called so is this network's.
  std::string Links() const { return kind == NetworkKind::kBridge ? bridge.text() : kTapNames; }
  std::optional<Ipv4Prefix> Addresses() const {
    return kind == NetworkKind::kBridge ? std::nullopt : std::make_optional(prefix);
  }

  friend bool operator==(const GuestTraffic&, const GuestTraffic&) = default;
};

}  // namespace svnet

// The link by which the host reaches the internet.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// Ordinary addresses, one in each half of the internet: VPNs take both halves, and leave the
// default route alone. Nothing is ever sent to them, only asked which way it would go.
inline constexpr std::array<Ipv4Address, 2> kInternet = {Ipv4Address(0x40000001),   // 64.0.0.1
                                                         Ipv4Address(0xc8000001)};  // 200.0.0.1

// The largest MTU that a TAP takes, bytes (drivers/net/tun.c).
inline constexpr uint32_t kMaxTapMtu = 65521;

struct Uplink {
  Ifindex ifindex = 0;
  std::string name;
  // What fits through it, bytes: the link's MTU or the route's, and at most kMaxTapMtu.
  uint32_t mtu = 0;

  friend bool operator==(const Uplink&, const Uplink&) = default;
};

// As the kernel would send the host's own packets now. nullopt: the host reaches no internet.
absl::StatusOr<std::optional<Uplink>> FindUplink(Kernel* kernel);

}  // namespace svnet

// The kernel settings that svnetd reads and writes, and no others.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/link_name.h"

namespace svnet {

// net.ipv4.ip_forward.
absl::StatusOr<bool> IsIpv4Forwarding();

// net.ipv4.ip_forward = 1. Written only if it is not so yet, because writing it
// resets other settings (Documentation/networking/ip-sysctl.rst).
absl::Status EnableIpv4Forwarding();

// net.ipv4.ip_forward = 0, in the same way.
absl::Status DisableIpv4Forwarding();

// net.ipv4.conf.all.arp_ignore is not 0.
absl::StatusOr<bool> IsArpIgnored();

// net.ipv6.conf.<link>.disable_ipv6 = 1. OK where the link has no IPv6. Written only if it is not
// so yet: in a container /proc/sys may be read-only, and all be set before. True if it was written.
absl::StatusOr<bool> DisableIpv6(const LinkName& link);

}  // namespace svnet

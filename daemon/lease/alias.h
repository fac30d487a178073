// A LeaseSpec as the text in a TAP's ifalias. Only root can write it, and every local user can
// read it (`ip link`).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {

// "svnet2 n=default v=vm1 i=eth0 a=ac1e0002 m=0229a32f41c8 q=1 o=rs t=tro8w0 e=1", in one line
// of at most 255 bytes (IFALIASZ less the NUL): network, vm, iface, address, MAC, queues,
// owner, [g= group], [l= lifetime, unless it is persistent: pPID:START or dMILLISECONDS],
// create time, generation, [s= digest of a text in the store]. Numbers are in base 36, but for the
// address and the MAC.
std::string FormatAlias(const LeaseSpec& spec);

// What the alias of a TAP of that name says. Exactly what FormatAlias makes, and nothing that
// only resembles it. InvalidArgument says what is wrong.
absl::StatusOr<LeaseSpec> ParseAlias(const LinkName& tap, absl::string_view text);

// Whether it is, or was meant to be, an alias that a svnetd of this or a later version wrote
// for a TAP of a network. Which bridge that network has, the alias does not say.
bool IsAlias(absl::string_view text);
// The same, for a TAP of that network.
bool IsAliasOf(absl::string_view text, const NetworkName& network);

// The digest of the text that an alias of any network names, whether or not the alias can be
// parsed; empty: none.
absl::string_view TextDigestIn(absl::string_view alias);

}  // namespace svnet

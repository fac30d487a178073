// What a network has in the kernel, counted.
#pragma once

#include <string>

#include "daemon/base/network_kind.h"

namespace svnet::testing {

struct KernelCount {
  int taps = 0;        // all of svnetd's names
  int dying = 0;       // of those
  int elements = 0;    // of the set `macs`
  int neighbours = 0;  // permanent
  int places = 0;      // static entries of the forwarding database
  int routes = 0;      // to guests

  friend bool operator==(const KernelCount&, const KernelCount&) = default;
};
std::ostream& operator<<(std::ostream& out, const KernelCount& count);

// That of svbr0, in the calling thread's network namespace.
KernelCount CountKernel();
// What `leases` leases come to on a network of that kind.
KernelCount CountOfLeases(int leases, NetworkKind kind = NetworkKind::kBridge);
// CountKernel when nothing is dying any more: waits for that, with a deadline.
KernelCount CountSettledKernel();

}  // namespace svnet::testing

#include "tests/system/kernel_count.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

std::ostream& operator<<(std::ostream& out, const KernelCount& count) {
  return out << count.taps << " TAPs (" << count.dying << " dying), " << count.elements
             << " elements, " << count.neighbours << " neighbours, " << count.places << " places";
}

KernelCount CountKernel() {
  // Whatever is not there counts as none.
  std::istringstream counts(Shell(
      R"(
links=$(ip -o link show type tun)  # once: one may go between two looks
grep -c . <<<"$links" || true
grep -Ec ' group [0-9]*[13579] ' <<<"$links" || true  # that of the dying is odd
(nft -n list set bridge )" +
      RulesTable() + R"( macs 2>/dev/null | sed -n '/elements/,$p' | grep -o ' \. ' || true) | wc -l
(ip neighbour show dev svbr0 nud permanent 2>/dev/null || true) | wc -l
(bridge fdb show br svbr0 2>/dev/null || true) | grep -c sticky || true)"));
  KernelCount count;
  counts >> count.taps >> count.dying >> count.elements >> count.neighbours >> count.places;
  return count;
}

KernelCount CountOfLeases(int leases) {
  return {.taps = leases, .dying = 0, .elements = leases, .neighbours = leases, .places = leases};
}

KernelCount CountSettledKernel() {
  KernelCount count;
  EXPECT_TRUE(Eventually([&] {
    count = CountKernel();
    return count.dying == 0;
  })) << count;
  return count;
}

}  // namespace svnet::testing

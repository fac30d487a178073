#include "tests/system/kernel_count.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/lease/names.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

// A function of the shell that passes on the groups of retired TAPs, of either kind of network.
std::string IsRetired() {
  const LinkName bridge = LinkName::Parse("svbr0").value();
  std::string condition;
  for (const uint32_t group : {DeriveLinkGroup(bridge), DeriveRoutedGroup(bridge)}) {
    absl::StrAppend(&condition, condition.empty() ? "" : " || ", "(", RetiredGroupOf(group),
                    " <= $1 && $1 < ", RetiredGroupOf(group) + kRetiredGroups, ")");
  }
  return absl::StrCat("is_retired() { awk '", condition, "'; }\n");
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const KernelCount& count) {
  return out << count.taps << " TAPs (" << count.dying << " dying), " << count.elements
             << " elements, " << count.neighbours << " neighbours, " << count.places << " places, "
             << count.routes << " routes";
}

KernelCount CountKernel() {
  // Whatever is not there counts as none.
  std::istringstream counts(Shell(
      IsRetired() + R"(
links=$(ip -o link show type tun)  # once: one may go between two looks
grep -c . <<<"$links" || true
sed -n 's/.* group \([0-9]*\) .*/\1/p' <<<"$links" | is_retired | wc -l
(nft -n list set bridge )" +
      RulesTable() + R"( macs 2>/dev/null | sed -n '/elements/,$p' | grep -o ' \. ' || true) | wc -l
(ip neighbour show nud permanent 2>/dev/null || true) | wc -l
(bridge fdb show br svbr0 2>/dev/null || true) | grep -c sticky || true
ip route show proto 115 | wc -l)"));
  KernelCount count;
  counts >> count.taps >> count.dying >> count.elements >> count.neighbours >> count.places >>
      count.routes;
  return count;
}

KernelCount CountOfLeases(int leases, NetworkKind kind) {
  if (kind == NetworkKind::kRouted) {
    return {.taps = leases, .neighbours = leases, .routes = leases};
  }
  return {.taps = leases, .elements = leases, .neighbours = leases, .places = leases};
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

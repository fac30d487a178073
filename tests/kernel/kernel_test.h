// What the tests on the real kernel share.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

// A TAP's own.
inline constexpr MacAddress kOwnMac({0xc2, 9, 9, 9, 9, 9});

// Each test has a network namespace of its own.
class KernelTest : public ::testing::Test {
 protected:
  KernelTest() {
    EnterFreshNetworkNamespace();
    auto kernel = NetlinkKernel::Open({Spec().prefix});
    if (!kernel.ok()) ADD_FAILURE() << kernel.status();
    kernel_ = *std::move(kernel);
    auto reaper = NetlinkReaper::Open();
    if (!reaper.ok()) ADD_FAILURE() << reaper.status();
    reaper_ = *std::move(reaper);
  }

  NetlinkKernel& kernel() { return *kernel_; }
  NetlinkReaper& reaper() { return *reaper_; }

  static BridgeSpec Spec() {
    return {.name = LinkName::Parse("svbr0").value(),
            .mac = MacAddress({0xc2, 1, 2, 3, 4, 5}),
            .mtu = 1400,
            .gateway = Ipv4Address(0x0a090001),
            .prefix = Ipv4Prefix::Parse("10.9.0.0/24").value()};
  }

 private:
  std::unique_ptr<NetlinkKernel> kernel_;
  std::unique_ptr<NetlinkReaper> reaper_;
};

// The exit code of a child.
inline int WaitFor(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace svnet::testing

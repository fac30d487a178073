// What the system tests share: svnetd in a network namespace of the test's own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/sandbox/sandbox.h"
#include "tests/system/client.h"
#include "tests/system/clones.h"
#include "tests/system/daemon.h"
#include "tests/system/kinds.h"
#include "tests/test_run.h"

namespace svnet::testing {

// Two unprivileged uids, which need no entry in /etc/passwd.
inline constexpr uid_t kAlice = 1000;
inline constexpr uid_t kBob = 1001;

// The group of the socket in these tests, and a member.
inline constexpr gid_t kSocketGroup = 65534;  // nogroup
inline const char kSocketGroupFlag[] = "--socket-group=nogroup";

inline constexpr RunAs kRoot = {.uid = 0, .gid = 0, .groups = {}};
inline RunAs Member(uid_t uid) { return {.uid = uid, .gid = uid, .groups = {kSocketGroup}}; }

// While it lives, svnetd starts as on a kernel without persistent tables: others can flush
// its rules and change them, and the tables are called svnet-svbr0.
class OlderKernel {
 public:
  OlderKernel() { setenv("SVNET_FAULT", "rules.probe:1:unsupported", 1); }
  ~OlderKernel() { unsetenv("SVNET_FAULT"); }
  OlderKernel(const OlderKernel&) = delete;
  OlderKernel& operator=(const OlderKernel&) = delete;
};

class SystemTest : public ::testing::Test {
 protected:
  SystemTest() { EnterFreshNetworkNamespace(); }

  const std::string& folder() const { return folder_.path(); }

  // Those that MustCreateGuest makes, and Start serves.
  virtual Guests guests() const { return {NetworkKind::kBridge}; }
  NetworkKind network_kind() const { return guests().kind; }
  bool IsRouted() const { return guests().AreRouted(); }

  // With the socket open to Member()s.
  Daemon Start(std::vector<std::string> flags = {}, const std::string& config = "") {
    flags.insert(flags.begin(), kSocketGroupFlag);
    if (network_kind() != NetworkKind::kBridge) flags.push_back(KindFlag(network_kind()));
    return Daemon(folder(), flags, config);
  }

  v1::Tap MustCreateGuest(Client& owner, const std::string& vm) const {
    return guests().clones ? owner.MustCreate(CloneRequest(vm)) : owner.MustCreate(vm);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace svnet::testing

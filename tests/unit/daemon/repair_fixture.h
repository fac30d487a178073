// A network over a kernel in memory with a lease of each of two owners, of which something is
// changed.
#pragma once

#include <string>

#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {

class RepairFixture : public NetworkRegistryTest {
 protected:
  explicit RepairFixture(NetworkKind kind = NetworkKind::kBridge) {
    settings_.kind = kind;
    MustCreate(kAlice, "vm1");
    MustCreate(kBob, "vm2");
    before_ = Picture();
  }

  // HandleEvents puts it right, and says so in these words.
  void ExpectRepaired(const std::string& words) {
    EXPECT_NE(Picture(), before_) << words;
    log_.clear();
    registry().HandleEvents();
    EXPECT_EQ(Picture(), before_) << words;
    EXPECT_THAT(log_, ::testing::ElementsAre(::testing::HasSubstr(words)));
    log_.clear();
    registry().HandleEvents();
    EXPECT_THAT(log_, ::testing::IsEmpty());
  }
  // alice's.
  Link* Tap() { return kernel_.Find("svvm1eth0"); }

  std::string before_;
};

}  // namespace svnet

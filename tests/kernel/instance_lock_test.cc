// InstanceLock on the real kernel.
#include "daemon/firewall/instance_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Shell;

LinkName Name(absl::string_view text) { return LinkName::Parse(text).value(); }

bool IsHeld(absl::string_view bridge) {
  return absl::IsAlreadyExists(LockInstance(Name(bridge)).status());
}

class InstanceLockTest : public ::testing::Test {
 protected:
  InstanceLockTest() { testing::EnterFreshNetworkNamespace(); }
};

TEST_F(InstanceLockTest, ABridgeHasOneHolderInANamespace) {
  {
    const auto first = LockInstance(Name("svbr0"));
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_TRUE(first->has_value());
    EXPECT_TRUE(IsHeld("svbr0"));
    EXPECT_TRUE(IsHeld("svbr0"));
    EXPECT_FALSE(IsHeld("svbr1"));
    EXPECT_FALSE(IsHeld("lock-svbr0"));
    testing::EnterFreshNetworkNamespace();
    EXPECT_FALSE(IsHeld("svbr0"));
  }
  EXPECT_FALSE(IsHeld("svbr0"));
}

TEST_F(InstanceLockTest, GoesWithItsHolderAndLeavesNothing) {
  const std::string before = Shell("nft list ruleset");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    const auto lock = LockInstance(Name("svbr0"));
    if (!lock.ok() || !lock->has_value() || write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  close(ready[1]);
  char c;
  ASSERT_EQ(read(ready[0], &c, 1), 1);
  close(ready[0]);
  EXPECT_TRUE(IsHeld("svbr0"));
  kill(holder, SIGKILL);
  ASSERT_EQ(waitpid(holder, nullptr, 0), holder);
  EXPECT_FALSE(IsHeld("svbr0"));
  EXPECT_EQ(Shell("nft list ruleset"), before);
}

TEST_F(InstanceLockTest, OtherProgramsCannotTakeItAway) {
  const auto lock = LockInstance(Name("svbr0"));
  ASSERT_TRUE(lock.ok() && lock->has_value());
  Shell("nft add table inet theirs");
  Shell("nft flush ruleset");
  EXPECT_THAT(Shell("nft list ruleset"), Not(HasSubstr("theirs")));
  EXPECT_TRUE(IsHeld("svbr0"));
  EXPECT_NE(testing::ShellExitCode("nft delete table inet svnetd-lock-svbr0"), 0);
  EXPECT_NE(testing::ShellExitCode("nft add chain inet svnetd-lock-svbr0 c"), 0);
  // What a program saved with the lock in it, and loads again.
  Shell("nft list ruleset | (nft -f - || true)");
  EXPECT_TRUE(IsHeld("svbr0"));
}

// nft has had trouble with tables that have a flag.
TEST_F(InstanceLockTest, OthersCanReadTheRulesetWithItInIt) {
  const auto lock = LockInstance(Name("svbr0"));
  ASSERT_TRUE(lock.ok() && lock->has_value());
  Shell("nft add table inet theirs");
  for (const char* list : {"ruleset", "tables"}) {
    EXPECT_THAT(Shell(absl::StrCat("nft -j list ", list, " | python3 -m json.tool")),
                HasSubstr("\"theirs\""));
    EXPECT_THAT(Shell(absl::StrCat("nft list ", list)), HasSubstr("table inet theirs"));
  }
}

TEST_F(InstanceLockTest, ATableOfThatNameWithoutAnOwnerIsReplaced) {
  Shell("nft add table inet svnetd-lock-svbr0");
  Shell("nft add chain inet svnetd-lock-svbr0 c");
  const auto lock = LockInstance(Name("svbr0"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(lock->has_value());
  EXPECT_TRUE(IsHeld("svbr0"));
}

TEST_F(InstanceLockTest, AProcessWithoutCapabilitiesCannotTakeIt) {
  const pid_t squatter = fork();
  if (squatter == 0) {
    if (setuid(1234) != 0) _exit(9);
    const auto lock = LockInstance(Name("svbr0"));
    _exit(absl::IsPermissionDenied(lock.status()) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(squatter, &status, 0), squatter);
  EXPECT_EQ(status, 0);
  const auto lock = LockInstance(Name("svbr0"));
  EXPECT_TRUE(lock.ok() && lock->has_value());
}

}  // namespace
}  // namespace svnet

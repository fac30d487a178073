// Opening the queues of a lease's TAP, over a kernel in memory.
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

class OpenQueuesTest : public NetworkRegistryTest {
 protected:
  OpenQueuesTest() { EXPECT_TRUE(Start().ok()); }

  absl::Status Open(const Caller& caller, const Lease& lease) {
    opened_ = {};
    return api().OpenQueues(caller, lease.spec.tap, 8, &opened_).status();
  }

  OpenedTap opened_;
};

TEST_F(OpenQueuesTest, OpensAQueueForTheOwnerAndForAdministrators) {
  const Lease lease = Create(kAlice, "vm1").value();
  for (const Caller& each : {kAlice, kRoot}) {
    EXPECT_TRUE(Open(each, lease).ok());
    EXPECT_TRUE(opened_.is_complete());
    EXPECT_EQ(opened_.queues.size(), 1u);
  }
  EXPECT_EQ(ReasonIn(Open(kBob, lease)), "TAP_NOT_FOUND");
  EXPECT_EQ(opened_.tap, 0);
}

TEST_F(OpenQueuesTest, SaysWhatTheKernelRefuses) {
  const Lease lease = Create(kAlice, "vm1").value();
  for (const char* step : {"OpenQueue", "ResetQueueSettings"}) {
    SCOPED_TRACE(step);
    faults_.FailNext(step, absl::InternalError("refused"));
    const absl::Status status = Open(kAlice, lease);
    EXPECT_EQ(ReasonIn(status), "TAP_CREATE_FAILED");
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("cannot open svvm1eth0"));
    EXPECT_TRUE(opened_.queues.empty());
    faults_.Heal();
  }
  EXPECT_TRUE(Open(kAlice, lease).ok());
}

// Between two of its turns the lease has ended, and another has the name.
TEST_F(OpenQueuesTest, DoesNotGoOnWithAnotherTapOfThatName) {
  const Lease lease = Create(kAlice, "vm1").value();
  opened_.tap = lease.state.ifindex + 1;
  opened_.granted = 2;
  EXPECT_EQ(ReasonIn(api().OpenQueues(kAlice, lease.spec.tap, 8, &opened_).status()),
            "TAP_NOT_FOUND");
}

}  // namespace
}  // namespace svnet

// Whether svnetd answers, asked as its watchdog asks it.
#include "daemon/accept/watchdog.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "daemon/accept/watchdog_probe.h"
#include "daemon/base/clock.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(20);

class WatchdogTest : public SystemTest {};

TEST_F(WatchdogTest, SvnetdAnswersAsOftenAsItIsAsked) {
  Daemon svnetd = Start();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Probe(svnetd.socket(), kLimit), absl::OkStatus()) << i;
}

TEST_F(WatchdogTest, ASvnetdThatDoesNotServeIsAlive) {
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  kill(svnetd.pid(), SIGSTOP);
  Shell("ip link delete svbr0; ip link add svbr0 type veth peer name other");
  kill(svnetd.pid(), SIGCONT);
  EXPECT_EQ(Probe(svnetd.socket(), kLimit), absl::OkStatus());
}

TEST_F(WatchdogTest, AStoppedSvnetdDoesNotAnswerInTime) {
  constexpr absl::Duration kShort = absl::Milliseconds(200);
  Daemon svnetd = Start();
  kill(svnetd.pid(), SIGSTOP);
  const absl::Time begin = MonotonicNow();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Probe(svnetd.socket(), kShort)));
  EXPECT_GE(MonotonicNow() - begin, kShort);
  kill(svnetd.pid(), SIGCONT);
  EXPECT_EQ(Probe(svnetd.socket(), kLimit), absl::OkStatus());
}

TEST_F(WatchdogTest, ASvnetdThatHasEndedIsNoAnswer) {
  Daemon svnetd = Start();
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
  EXPECT_FALSE(Probe(svnetd.socket(), kLimit).ok());
}

TEST_F(WatchdogTest, TheAnswerIsReported) {
  Daemon svnetd = Start();
  const UniqueFd called(eventfd(0, EFD_CLOEXEC));
  const auto watchdog =
      Watchdog::Start(svnetd.socket(), kLimit, [&] { eventfd_write(called.get(), 1); }).value();
  for (int i = 0; i < 10; ++i) {
    watchdog->Ask();
    pollfd wait = {.fd = called.get(), .events = POLLIN};
    ASSERT_EQ(poll(&wait, 1, absl::ToInt64Milliseconds(kLimit)), 1);
    eventfd_t times = 0;
    eventfd_read(called.get(), &times);
    EXPECT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace svnet::testing

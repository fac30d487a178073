// Nothing of a guest's comes to the next one that has its address.
#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

class ReuseTest : public OnEachKind<SystemTest> {
 protected:
  // A network of one guest: the next one has the same address.
  Daemon StartSmall() { return Start({"--subnet=10.9.9.4/30"}); }

  static constexpr Ipv4Address kInternet = Ipv4Address(0xcb007101);
  // From the internet, to the port that the NAT has for the guest's flow.
  static void SendBack(const Internet& internet, int port, const std::string& text) {
    internet.Shell(absl::StrCat(
        "python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "s.bind((\\\"203.0.113.1\\\", 7777)); s.sendto(b\\\"",
        text, "\\\", (\\\"203.0.113.2\\\", ", port, "))\""));
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, ReuseTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(ReuseTest, AnEarlierGuestsFlowIsNotForTheNext) {
  const Internet internet;
  Daemon svnetd = StartSmall();
  Client alice(svnetd.socket(), Member(kAlice));
  {
    const TapGuest first(alice.MustCreate("vm1"));
    first.Send(first.gateway_mac(), kIpv4Type,
               Udp({.from = first.ip(), .to = kInternet, .to_port = 7777}, "out"));
    SendBack(internet, 40000, "to-the-first");
    ASSERT_TRUE(first.WaitFor("to-the-first"));
  }
  ASSERT_TRUE(alice.MustRemove("svvm1eth0"));
  const v1::Tap tap = alice.MustCreate("vm2");
  ASSERT_EQ(tap.guest_ip(), "10.9.9.6");
  const TapGuest second(tap);
  SendBack(internet, 40000, "to-the-first-again");
  // What comes after it has come: then so would it have.
  second.Send(
      second.gateway_mac(), kIpv4Type,
      Udp({.from = second.ip(), .to = kInternet, .from_port = 40001, .to_port = 7777}, "out"));
  SendBack(internet, 40001, "to-the-second");
  bool stale = false;
  bool fresh = false;
  EXPECT_TRUE(Eventually([&] {
    for (const Frame& frame : second.Receive()) {
      stale |= frame.find("to-the-first-again") != Frame::npos;
      fresh |= frame.find("to-the-second") != Frame::npos;
    }
    return fresh;
  }));
  EXPECT_FALSE(stale);
}

// A pool that is empty while TAPs are dying makes CreateTap wait for them.
TEST_P(ReuseTest, AnEmptyPoolIsWaitedForWhileATapIsDying) {
  Daemon svnetd = StartSmall();
  Client alice(svnetd.socket(), Member(kAlice));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(alice.MustCreate("vm1").guest_ip(), "10.9.9.6");
    EXPECT_EQ(ReasonOf(alice.Create("vm2").status), "ADDRESS_POOL_EXHAUSTED");
    EXPECT_TRUE(alice.MustRemove("svvm1eth0"));
  }
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(0));
}

}  // namespace
}  // namespace svnet::testing

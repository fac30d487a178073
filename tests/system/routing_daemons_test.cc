// Routing daemons that read and write the kernel's main table, beside the routes of a routed
// network.
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/three_guests.h"
#include "tests/system/unpacked.h"

namespace svnet::testing {
namespace {

using ::testing::IsEmpty;

// What each has: a route of its own to 198.51.100.0/24 in its files, and to 198.51.101.0/24 after
// `reconfigure`.
struct RoutingDaemon {
  std::string name;
  std::string files;                  // makes them
  std::vector<std::string> programs;  // in the order in which they start
  std::string learned;                // shows what it has learned from the kernel
  std::string reconfigure;

  friend std::ostream& operator<<(std::ostream& out, const RoutingDaemon& each) {
    return out << each.name;
  }
};

const std::vector<RoutingDaemon> kRoutingDaemons = {
    {.name = "Bird",
     .files = "echo 'router id 203.0.113.2; protocol device {} protocol direct { ipv4; }"
              "  protocol kernel { learn; ipv4 { import all; export all; }; }"
              "  protocol static { ipv4; route 198.51.100.0/24 via 203.0.113.1; }' >/run/bird.conf",
     .programs = {"bird -f -c /run/bird.conf -s /run/bird.ctl"},
     .learned = "birdc -s /run/bird.ctl show route protocol kernel1",
     .reconfigure =
         "echo 'protocol static { ipv4; route 198.51.101.0/24 via 203.0.113.1; }' >>/run/bird.conf;"
         "birdc -s /run/bird.ctl configure; birdc -s /run/bird.ctl restart kernel1"},
    {.name = "Frr",
     .files = "mkdir /run/frr; echo frrvty:x:999:root >>/etc/group; touch /run/zebra.conf;"
              "echo 'ip route 198.51.100.0/24 203.0.113.1' >/run/static.conf",
     .programs = {"/usr/lib/frr/zebra -u root -g root -P 0 -f /run/zebra.conf",
                  "/usr/lib/frr/staticd -u root -g root -P 0 -f /run/static.conf"},
     .learned = "vtysh -d zebra -c 'show ip route kernel'",
     .reconfigure = "vtysh -c 'configure terminal' -c 'ip route 198.51.101.0/24 203.0.113.1'"},
};

// A guest that pings what is outside, one ping after the other.
class Pings {
 public:
  explicit Pings(const TapGuest& guest) {
    thread_ = std::thread([this, &guest] {
      while (!stop_) ++(guest.Pings(Ip("203.0.113.1")) ? answered_ : lost_);
    });
  }
  ~Pings() {
    stop_ = true;
    thread_.join();
  }
  Pings(const Pings&) = delete;
  Pings& operator=(const Pings&) = delete;

  // How many have been lost, once another two are answered or lost.
  int CountLost() const {
    const int before = answered_ + lost_;
    EXPECT_TRUE(Eventually([&] { return answered_ + lost_ >= before + 2; }));
    return lost_;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> answered_ = 0;
  std::atomic<int> lost_ = 0;
  std::thread thread_;
};

class RoutingDaemonsTest : public ThreeGuestsTest,
                           public ::testing::WithParamInterface<RoutingDaemon> {
 protected:
  Guests guests() const override { return {NetworkKind::kRouted}; }

  static std::string GuestEntries() {
    return Shell("ip route show proto 115; ip neighbour show proto 115");
  }
  static void WaitUntilLearned(const std::string& address) {
    WaitUntil(absl::StrCat(GetParam().learned, " | grep -F ", address, "/32"));
  }
  static void WaitUntilForgotten(const std::string& address) {
    WaitUntil(
        absl::StrCat("routes=$(", GetParam().learned, "); ! grep -F ", address, "/32 <<<$routes"));
  }
  static void WaitUntilRouted(const std::string& prefix) {
    WaitUntil(absl::StrCat("ip route show ", prefix, " | grep via"));
  }
  std::string CountRepairs() {
    return Shell(
        absl::StrCat(kSvnetctl, " --socket ", svnetd().socket(),
                     " metrics | awk '/^svnet_repairs_total/ { n += $2 } END { print n }'"));
  }
};
INSTANTIATE_TEST_SUITE_P(Daemons, RoutingDaemonsTest, ::testing::ValuesIn(kRoutingDaemons),
                         [](const auto& daemon) { return daemon.param.name; });

TEST_P(RoutingDaemonsTest, LearnTheRoutesToGuestsAndLeaveThemAlone) {
  const Internet internet;
  const Unpacked unpacked("routing");
  Begin();
  const std::string entries = GuestEntries();
  {
    const Pings pings(alice1());
    Shell(GetParam().files);
    std::vector<std::unique_ptr<Program>> programs;
    for (const std::string& program : GetParam().programs) {
      programs.push_back(std::make_unique<Program>(program, absl::StrCat(programs.size())));
      for (const char* guest : {"172.30.0.2", "172.30.0.3", "172.30.0.4"}) WaitUntilLearned(guest);
    }
    WaitUntilRouted("198.51.100.0/24");
    EXPECT_EQ(pings.CountLost(), 0);

    // What they have learned goes with the lease.
    EXPECT_EQ(alice().MustCreate("vm4").guest_ip(), "172.30.0.5");
    WaitUntilLearned("172.30.0.5");
    alice().MustRemove("svvm4eth0");
    WaitUntilForgotten("172.30.0.5");
    EXPECT_TRUE(Eventually([&] { return GuestEntries() == entries; })) << GuestEntries();
    EXPECT_EQ(Shell("ip route show 172.30.0.5"), "");

    Shell(GetParam().reconfigure);
    WaitUntilRouted("198.51.101.0/24");
    EXPECT_EQ(pings.CountLost(), 0);

    while (!programs.empty()) programs.pop_back();
    EXPECT_EQ(Shell("ip route show to root 198.51.100.0/23"), "");
    EXPECT_EQ(pings.CountLost(), 0);
  }
  EXPECT_EQ(GuestEntries(), entries);
  EXPECT_EQ(CountRepairs(), "0\n");
  EXPECT_THAT(alice().MustGetNetwork().conditions(), IsEmpty());
}

}  // namespace
}  // namespace svnet::testing

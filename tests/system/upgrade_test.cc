// An upgrade from 0.1.0, and the way back, which is not supported while there are leases. What that
// version left is a fixture: aliases that begin with svnet1 (and TAPs with MACs of the kernel's
// choice), and its rules, tests/vectors/ruleset-0.1.0.nft.
#include <signal.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "daemon/lease/names.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/real_guest.h"
#include "tests/system/spec_files.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/user_process.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Links, addresses and routes, but for when leases were made: svnet1 had no room for that.
std::string LinkPicture() {
  const std::string picture = NetworkPicture();
  std::string text;
  for (const absl::string_view word :
       absl::StrSplit(picture.substr(0, picture.find("\ntable ")), ' ')) {
    if (!absl::StartsWith(word, "t=")) absl::StrAppend(&text, word, " ");
  }
  return text;
}

class UpgradeTest : public SystemTest {
 protected:
  // Has a TAP be as 0.1.0 left it.
  void MakeOld(const v1::Tap& tap, const std::string& lifetime, int queues = 1) {
    Shell(absl::StrCat("ip link set ", tap.tap_name(), " address ea:00:00:00:01:0", ++macs_,
                       " alias 'svnet1 bridge=svbr0 vm=", tap.vm_id(), " iface=", tap.iface_id(),
                       " ip=", tap.guest_ip(), " mac=", tap.mac(), " queues=", queues,
                       " lifetime=", lifetime, "'"));
  }

  // Replaces all rules by those of 0.1.0, with these guests.
  void LoadOldRules(const std::vector<v1::Tap>& guests) {
    std::ifstream file(SVNET_SOURCE "/tests/vectors/ruleset-0.1.0.nft");
    std::ostringstream rules;
    rules << file.rdbuf();
    const uint32_t group = DeriveLinkGroup(LinkName::Parse("svbr0").value());
    const std::string mac =
        Shell("ip link show svbr0 | sed -n 's/.*link.ether \\([0-9a-f:]*\\).*/\\1/p'");
    std::string text =
        absl::StrReplaceAll(rules.str(), {{"BRIDGE_MAC", absl::StripAsciiWhitespace(mac)},
                                          {"GROUP", absl::StrCat(group)},
                                          {"RETIRED", absl::StrCat(RetiredGroupOf(group))}});
    for (const v1::Tap& tap : guests) {
      const std::string link = absl::StrCat("\"", tap.tap_name(), "\"");
      const std::string add = "add element bridge svnet-svbr0 ";
      absl::StrAppend(&text, add, "macs { ", link, " . ", tap.mac(), " }\n", add, "addresses { ",
                      link, " . ", tap.mac(), " . ", tap.guest_ip(), " }\n", add, "zone_of { ",
                      link, " : ", tap.owner_uid(), " }\n", add, "zones { ", link, " . ",
                      tap.owner_uid(), " }\n");
    }
    std::ofstream(folder() + "/old.nft") << text;
    Shell("nft flush ruleset; nft -f " + folder() + "/old.nft");
  }

  static v1::CreateTapRequest Request(const std::string& vm, int queues = 1) {
    v1::CreateTapRequest request;
    request.set_vm_id(vm);
    request.set_iface_id("eth0");
    request.set_queues(static_cast<uint32_t>(queues));
    return request;
  }

 private:
  int macs_ = 0;
};

TEST_F(UpgradeTest, TakesOverLeasesOfEveryLifetimeAndTheOldRules) {
  UserProcess supervisor(kAlice);
  std::vector<v1::Tap> before;
  std::string picture;
  std::optional<TapGuest> guest;
  std::optional<TapGuest> detaching;
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    Client bob(svnetd.socket(), Member(kBob));
    before.push_back(alice.Create(Request("vm1")).tap);
    before.push_back(bob.Create(Request("vm2", 2)).tap);
    v1::CreateTapRequest request = Request("vm3");
    request.mutable_lifetime()->mutable_until_detached()->mutable_grace()->set_nanos(100'000'000);
    before.push_back(bob.Create(request).tap);
    request = Request("vm4");
    request.mutable_lifetime()->mutable_process()->set_pid(supervisor.pid());
    before.push_back(alice.Create(request).tap);
    guest.emplace(before[0]);
    detaching.emplace(before[2]);
    picture = LinkPicture();
    svnetd.Stop(SIGKILL);
  }
  MakeOld(before[0], "persistent");
  MakeOld(before[1], "persistent", 2);
  MakeOld(before[2], "detached:100");
  MakeOld(before[3], absl::StrCat("process:", supervisor.pid(), ":", supervisor.start_time()));
  LoadOldRules(before);
  EXPECT_TRUE(guest->Pings(guest->gateway())) << "the old rules let it through";
  Daemon svnetd = Start();
  Client root(svnetd.socket(), 0);
  const std::vector<v1::Tap> after = root.MustList();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    v1::Tap expected = before[i];
    *expected.mutable_create_time() = after[i].create_time();
    expected.set_attached(i == 0 || i == 2);
    EXPECT_EQ(after[i].ShortDebugString(), expected.ShortDebugString());
    const std::string link = Shell("ip link show " + after[i].tap_name());
    EXPECT_THAT(link, HasSubstr("alias svnet2 n=default v=" + after[i].vm_id()));
    EXPECT_THAT(link, HasSubstr("link/ether c2:73:76:6e:65:74"));
  }
  EXPECT_EQ(LinkPicture(), picture);
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(4));
  EXPECT_THAT(root.MustGetNetwork().conditions(), IsEmpty());
  EXPECT_TRUE(guest->Pings(guest->gateway()));
  // Every lifetime goes on.
  Watcher watcher(root);
  supervisor.End();
  watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, before[3].tap_name());
  detaching.reset();
  watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, before[2].tap_name());
  EXPECT_EQ(root.MustList().size(), 2u);
  // No address was forgotten or is given twice.
  EXPECT_EQ(Client(svnetd.socket(), Member(kAlice)).MustCreate("vm5").guest_ip(), "172.30.0.6");
}

// Each dies between two steps of the first start; the next one goes on.
TEST_F(UpgradeTest, AFirstStartThatIsKilledIsRepeated) {
  std::vector<v1::Tap> before;
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    before = {alice.MustCreate("vm1"), alice.MustCreate("vm2")};
    svnetd.Stop(SIGKILL);
  }
  for (const v1::Tap& tap : before) MakeOld(tap, "persistent");
  LoadOldRules(before);
  const TapGuest guest(before[0]);
  for (const char* point : {"rules.apply:1", "neighbour.set:1", "tap.describe:1", "tap.pin:1"}) {
    Daemon svnetd(folder(), {kSocketGroupFlag}, "",
                  {"env", absl::StrCat("SVNET_FAULT=", point, ":die")});
    svnetd.Stop(SIGKILL);
  }
  Daemon svnetd = Start();
  Client root(svnetd.socket(), 0);
  EXPECT_EQ(root.MustList().size(), 2u);
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(2));
  EXPECT_THAT(root.MustGetNetwork().conditions(), IsEmpty());
  EXPECT_TRUE(guest.Pings(guest.gateway()));
}

// A real guest pings the internet every 10 ms meanwhile.
class RealGuestUpgradeTest : public UpgradeTest,
                             public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Guests, RealGuestUpgradeTest, ::testing::Values("uml", "qemu"),
                         [](const auto& each) { return each.param; });

TEST_P(RealGuestUpgradeTest, NoReplyIsLost) {
  const Internet internet;
  v1::Tap tap;
  {
    Daemon svnetd = Start();
    tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
    svnetd.Stop(SIGKILL);
  }
  MakeOld(tap, "persistent");
  LoadOldRules({tap});
  // The first may wait for the guest's port and for ARP.
  std::ofstream(folder() + "/script") << "ping -c 1 -w 20 203.0.113.1 >/dev/null && "
                                         "ping -i 0.01 -c 600 -w 60 203.0.113.1 | tail -n 3";
  const std::string interface = GetParam() == "uml" ? "vec0" : "eth0";
  Exited guest;
  std::thread booting([&] {
    guest = Boot(
        Member(kAlice),
        {.kind = GetParam(),
         .tap = tap.tap_name(),
         .mac = tap.mac(),
         .boot_args = absl::StrCat("ip=172.30.0.2::172.30.0.1:255.255.255.0::", interface, ":off"),
         .script = folder() + "/script"});
  });
  // Until the second pings.
  EXPECT_EQ(ShellExitCode("timeout 50 sh -c "
                          "'until [ $(grep -c icmp /proc/net/nf_conntrack) -ge 2 ]; do :; done'"),
            0);
  Daemon svnetd = Start();
  EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 1u);
  EXPECT_THAT(AliasOf(tap.tap_name()), StartsWith("svnet2 "));
  booting.join();
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr("600 packets transmitted, 600 packets received, 0% packet"));
}

// How 0.1.0 knew its TAPs (daemon/network/alias.cc, IsAliasOf).
bool IsTapOfVersion010(const std::string& alias) {
  const std::vector<std::string> fields = absl::StrSplit(alias, absl::MaxSplits(' ', 2));
  return fields.size() >= 2 && absl::StartsWith(fields[0], "svnet") && fields[1] == "bridge=svbr0";
}

// It takes no TAP over, so its rules have no guests: they are cut off, and not open to others. The
// way forward again gives them back what they had.
TEST_F(UpgradeTest, TheOldVersionCutsOffTheGuestsOfThisOne) {
  v1::Tap tap;
  std::optional<TapGuest> guest;
  {
    Daemon svnetd = Start();
    tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
    guest.emplace(tap);
    EXPECT_TRUE(guest->Pings(guest->gateway()));
    svnetd.Stop(SIGTERM);
  }
  ASSERT_FALSE(IsTapOfVersion010(AliasOf(tap.tap_name())));
  ASSERT_TRUE(IsTapOfVersion010("svnet1 bridge=svbr0 vm=vm1"));
  LoadOldRules({});
  EXPECT_FALSE(guest->Pings(guest->gateway(), absl::Milliseconds(200)));
  EXPECT_GT(Counter("bridge", "foreign_mac"), 0);
  Daemon svnetd = Start();
  EXPECT_TRUE(guest->Pings(guest->gateway()));
  EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 1u);
  EXPECT_THAT(Client(svnetd.socket(), 0).MustGetNetwork().conditions(), IsEmpty());
}

}  // namespace
}  // namespace svnet::testing

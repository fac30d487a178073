// Real guests, started by an unprivileged uid: User Mode Linux, and QEMU under
// emulation.
#include <signal.h>

#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/network_kind.h"
#include "tests/sandbox/internet.h"
#include "tests/system/real_guest.h"
#include "tests/system/several_networks.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

struct Kind {
  std::string name;
  std::string interface;  // inside the guest
  NetworkKind network;

  std::string Describe() const { return name + (network == NetworkKind::kRouted ? "_routed" : ""); }
  friend std::ostream& operator<<(std::ostream& out, const Kind& each) {
    return out << each.Describe();
  }
};

class RealGuestTest : public SystemTest, public ::testing::WithParamInterface<Kind> {
 protected:
  static bool IsRouted() { return GetParam().network == NetworkKind::kRouted; }
  static std::string KindFlag() { return IsRouted() ? "--kind=routed" : "--kind=bridge"; }

  // Boots a guest on the caller's TAP, as kAlice, with `second` as its second interface; its
  // answer.
  Exited Boot(Client& alice, const v1::Tap& tap, const std::string& script,
              const v1::Tap& second = {}) {
    v1::GetBootArgsRequest request;
    request.set_tap_name(tap.tap_name());
    request.set_guest_interface(GetParam().interface);
    grpc::ClientContext context;
    v1::GetBootArgsResponse response;
    EXPECT_TRUE(alice.stub().GetBootArgs(&context, request, &response).ok());
    std::ofstream(folder() + "/script") << script;
    return testing::Boot(
        Member(kAlice),
        {.kind = GetParam().name,
         .tap = tap.tap_name(),
         .mac = tap.mac(),
         .boot_args = response.boot_args(),
         .script = folder() + "/script",
         .settings = {absl::StrCat("GUEST_SECOND=", second.tap_name(), " ", second.mac())}});
  }
};
INSTANTIATE_TEST_SUITE_P(Guests, RealGuestTest,
                         ::testing::Values(Kind{"uml", "vec0", NetworkKind::kBridge},
                                           Kind{"qemu", "eth0", NetworkKind::kBridge},
                                           Kind{"uml", "vec0", NetworkKind::kRouted},
                                           Kind{"qemu", "eth0", NetworkKind::kRouted}),
                         [](const auto& each) { return each.param.Describe(); });

TEST_P(RealGuestTest, AnswersToItsMacAndBootArgsAndReachesTheInternetThroughTheNat) {
  const Internet internet(/*mtu=*/1400);
  // The other direction: without the NAT nothing can come back.
  ASSERT_NE(internet.ShellExitCode("ping -c 1 -w 2 172.30.0.1"), 0);
  Daemon svnetd = Start({KindFlag()});
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  const Exited guest =
      Boot(alice, tap, "ping -c 2 -w 20 172.30.0.1 && ping -c 2 -w 20 203.0.113.1");
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr("interface " + GetParam().interface + "\n"));
  EXPECT_THAT(guest.out, HasSubstr("mac " + tap.mac() + "\n"));
  EXPECT_THAT(guest.out, HasSubstr("ip 172.30.0.2/24\n"));
  EXPECT_THAT(guest.out, HasSubstr("gateway 172.30.0.1\n"));
  EXPECT_EQ(tap.mtu(), 1400u);
}

// What a guest changes inside itself gets it nowhere, and no further than that.
TEST_P(RealGuestTest, WithAnotherMacOrAddressIsCutOffUntilItHasItsOwnAgain) {
  Daemon svnetd = Start({KindFlag()});
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  const Exited guest = Boot(alice, tap, R"(
set -e
reach() { ping -c 1 -W "$1" -w 20 -I "$2" 172.30.0.1 >/dev/null; }
change_mac() {
  ip link set dev "$interface" down
  ip link set dev "$interface" address "$1"
  ip link set dev "$interface" up
}
mac=$(cat /sys/class/net/"$interface"/address)
reach 20 172.30.0.2 && echo "as it was given: reached"
ip address add 172.30.0.77/24 dev "$interface"
reach 2 172.30.0.77 || echo "another address: cut off"
change_mac 02:66:66:66:66:66
reach 2 172.30.0.2 || echo "another MAC: cut off"
change_mac "$mac"
reach 20 172.30.0.2 && echo "its own again: reached"
)");
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr("as it was given: reached\n"
                                   "another address: cut off\n"
                                   "another MAC: cut off\n"
                                   "its own again: reached\n"));
  // Nobody answers a MAC that is not the lease's.
  if (IsRouted()) return;
  EXPECT_GT(Counter("bridge", "foreign_mac"), 0);
  // A guest asks for the gateway's MAC first, in the name of that address.
  EXPECT_GT(Counter("bridge", "foreign_arp") + Counter("bridge", "foreign_address"), 0);
}

// What docs/networks.md says that a guest must be told of its second interface.
TEST_P(RealGuestTest, WithTwoInterfacesOnTwoNetworksReachesTheOutsideByEach) {
  const Internet internet;
  Daemon svnetd = Start({KindFlag()}, ConfigOf({}));
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap first = alice.MustCreate(On(kDefault, "vm1", "eth0"));
  const v1::Tap second = alice.MustCreate(On(IsRouted() ? kRed : kBlue, "vm1", "eth1"));
  const Exited guest = Boot(alice, first,
                            absl::StrCat("first=", first.guest_ip(), " second=", second.guest_ip(),
                                         " gateway=", second.gateway_ip(), R"(
eth1=${interface%0}1
set -e
reach() { ping -c 1 -w "$1" -I "$2" "$3" >/dev/null; }
ip link set dev "$eth1" up
ip address add "$second/24" dev "$eth1"
reach 20 "$second" "$gateway" && echo "the second gateway: reached"
reach 2 "$second" 203.0.113.1 || echo "the outside without a rule: not reached"
ip route add default via "$gateway" dev "$eth1" table 101
ip rule add from "$second" table 101
for source in "$first" "$second"; do
  reach 20 "$source" 203.0.113.1 && echo "the outside from $source: reached"
done
)"),
                            second);
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr(absl::StrCat("the second gateway: reached\n"
                                                "the outside without a rule: not reached\n"
                                                "the outside from ",
                                                first.guest_ip(), ": reached\nthe outside from ",
                                                second.guest_ip(), ": reached\n")));
}

// The same guest on the same TAP, with another svnetd.
TEST_P(RealGuestTest, BootsAgainAfterARestartOfSvnetd) {
  const Internet internet;
  v1::Tap tap;
  {
    Daemon svnetd = Start({KindFlag()});
    Client alice(svnetd.socket(), Member(kAlice));
    tap = alice.MustCreate("vm1");
    svnetd.Stop(SIGKILL);
  }
  Daemon svnetd = Start({KindFlag()});
  Client alice(svnetd.socket(), Member(kAlice));
  const Exited guest = Boot(alice, tap, "ping -c 1 -w 20 203.0.113.1");
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
}

// A guest pings the internet every 10 ms meanwhile.
TEST_P(RealGuestTest, NoReplyIsLostWhileSvnetdIsRestartedAndKilled) {
  const Internet internet;
  std::optional<Daemon> svnetd;
  const auto start = [&] {
    svnetd.emplace(folder(), std::vector<std::string>{kSocketGroupFlag, KindFlag()});
    ASSERT_TRUE(svnetd->running()) << svnetd->log();
  };
  start();
  Client alice(svnetd->socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  Exited guest;
  std::thread booting(
      [&] { guest = Boot(alice, tap, "ping -i 0.01 -c 1000 -w 60 203.0.113.1 | tail -n 3"); });
  // Until it pings.
  EXPECT_EQ(
      ShellExitCode("timeout 50 sh -c 'until grep -q icmp /proc/net/nf_conntrack; do :; done'"), 0);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(svnetd->Stop(i % 2 == 0 ? SIGTERM : SIGKILL), i % 2 == 0 ? 0 : -1);
    start();
  }
  EXPECT_EQ(Client(svnetd->socket(), Member(kAlice)).MustList().size(), 1u);
  booting.join();
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr("1000 packets transmitted, 1000 packets received, 0% packet"));
}

// As a person would do it: what svnetctl prints, pasted. With a CPU for each queue, of which a
// guest uses no more than that.
class RealGuestPrintedTest : public SystemTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Guests, RealGuestPrintedTest, ::testing::Values(1, 2));

TEST_P(RealGuestPrintedTest, QemuBootsFromWhatSvnetctlPrints) {
  const Internet internet(/*mtu=*/1400);
  Daemon svnetd = Start();
  std::ofstream(folder() + "/script")
      << "ping -c 1 -w 20 203.0.113.1 && ls -d /sys/class/net/eth0/queues/rx-*\n";
  const std::string svnetctl = absl::StrCat(kSvnetctl, " --socket ", svnetd.socket());
  const Exited guest = RunProgramAs(
      Member(kAlice),
      {"bash", "-c",
       absl::StrCat("export GUEST_NETWORK=\"-smp ", GetParam(), " $(", svnetctl,
                    " create vm1 --format qemu --queues ", GetParam(), ")\" && eval $(", svnetctl,
                    " show vm1 --format env) && ",
                    SVNET_SOURCE "/tests/guests/run.sh qemu " SVNET_SOURCE "/build/guests "
                                 "$SVNET_TAP $SVNET_MAC \"$(",
                    svnetctl, " boot-args vm1)\" ", folder(), "/script")});
  EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
  EXPECT_THAT(guest.out, HasSubstr("mac 02:29:a3:2f:41:c8\nmtu 1400\nip 172.30.0.2/24\n"));
  EXPECT_EQ(absl::StrContains(guest.out, "rx-1"), GetParam() > 1) << guest.out;
}

}  // namespace
}  // namespace svnet::testing

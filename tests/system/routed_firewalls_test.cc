// Real rules of Docker, ufw and firewalld, and real packets of guests whose TAPs are no ports of a
// bridge: what svnetd finds, says and adds for a routed network.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/foreign/nft_foreign_firewalls.h"
#include "tests/sandbox/internet.h"
#include "tests/system/foreign_firewall.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Ipv4Address kInternet = Ipv4Address(0xcb007101);

// The links, routes and addresses of a routed network: the gateway's address is on a bridge without
// ports, and each guest is behind a TAP that has no address.
class RoutedNetwork {
 public:
  RoutedNetwork() {
    Shell(
        "sysctl -qw net.ipv4.ip_forward=1;"
        "ip link add svbr0 type bridge; ip link set svbr0 up;"
        "ip address add 172.30.0.1/24 dev svbr0;"
        "nft 'add table ip probe; add chain ip probe nat { type nat hook postrouting priority "
        "srcnat; }; add rule ip probe nat ip saddr 172.30.0.0/24 oifname up0 masquerade;"
        "add counter ip probe out; add chain ip probe post { type filter hook postrouting priority "
        "300; }; add rule ip probe post oifname up0 udp dport 7777 counter name out'");
  }

  v1::Tap AddGuest(int number) {
    const std::string name = absl::StrCat("svvm", number, "eth0");
    const std::string mac = absl::StrCat("02:00:00:00:00:0", number);
    const std::string ip = absl::StrCat("172.30.0.", 1 + number);
    Shell(absl::StrCat("ip tuntap add ", name, " mode tap; ip link set ", name,
                       " up; sysctl -qw net.ipv4.conf.", name, ".proxy_arp=1 net.ipv4.neigh.", name,
                       ".proxy_delay=0; ip route add ", ip, " dev ", name,
                       " src 172.30.0.1; ip neighbour add ", ip, " lladdr ", mac, " dev ", name,
                       " nud permanent"));
    v1::Tap tap;
    tap.set_tap_name(name);
    tap.set_mac(mac);
    tap.set_guest_ip(ip);
    tap.set_gateway_ip("172.30.0.1");
    return tap;
  }
};

// What an svnetd has for other programs' firewalls.
class Coexistence {
 public:
  Coexistence(NetworkKind kind, bool manage)
      : foreign_(NftForeignFirewalls::Open(LinkName::Parse("svbr0").value()).value()),
        reconciler_({{.guests = {.kind = kind,
                                 .bridge = LinkName::Parse("svbr0").value(),
                                 .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value()},
                      .uplink = ""}},
                    manage, foreign_.get(), MonotonicNow) {
    reconciler_.NetworkUp(NetworkName(), "up0");
    reconciler_.RunOnce();
  }

  // After the rules have changed.
  void RunAgain() {
    reconciler_.MarkDirty();
    if (reconciler_.WaitForWork()) reconciler_.RunOnce();
  }
  void Withdraw() { EXPECT_TRUE(reconciler_.Withdraw(NetworkName()).ok()); }
  std::string Conditions() {
    return absl::StrJoin(reconciler_.KnownConditions(), "\n",
                         [](std::string* out, const Condition& each) {
                           absl::StrAppend(out, each.type, ": ", each.message, " | ", each.remedy);
                         });
  }

 private:
  const std::unique_ptr<NftForeignFirewalls> foreign_;
  ForeignFirewallReconciler reconciler_;
};

class RoutedFirewallTest : public SystemTest,
                           public ::testing::WithParamInterface<ForeignFirewall> {
 protected:
  RoutedFirewallTest()
      : installed_(GetParam().install()),
        guest_(network_.AddGuest(1)),
        other_guest_(network_.AddGuest(2)) {}

  // Whether a datagram leaves the host, and the answer reaches the guest: an ICMP error with the
  // datagram in it. A firewall that rejects it sends such an error, too.
  bool GetsOut() {
    const int before = CountOut();
    const std::string text = SendTo(kInternet);
    return CountOut() > before && guest_.WaitFor(text, kPatience);
  }
  bool GetsToAnotherGuest() { return other_guest_.WaitFor(SendTo(other_guest_.ip()), kPatience); }
  static std::string Rules() { return Shell(GetParam().rules); }
  static void Settle() {
    if (!GetParam().settle.empty()) Shell(GetParam().settle);
  }

 private:
  // Nothing is in the way but the kernel and a veth pair; only what is dropped takes so long.
  static constexpr absl::Duration kPatience = absl::Seconds(2);

  static int CountOut() {
    return std::stoi(
        Shell("nft list counter ip probe out | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'"));
  }

  // Sends a datagram, and returns what is in it.
  std::string SendTo(Ipv4Address to) {
    const std::string text = absl::StrCat("datagram ", ++datagrams_);
    guest_.Send(guest_.gateway_mac(), kIpv4Type,
                Udp({.from = guest_.ip(), .to = to, .to_port = 7777}, text));
    return text;
  }

  Internet internet_;
  RoutedNetwork network_;
  const std::shared_ptr<void> installed_;
  const TapGuest guest_;
  const TapGuest other_guest_;
  int datagrams_ = 0;
};
INSTANTIATE_TEST_SUITE_P(All, RoutedFirewallTest, ::testing::ValuesIn(ForeignFirewalls()),
                         [](const auto& each) { return each.param.name; });

TEST_P(RoutedFirewallTest, IsReportedWithWhatHelps) {
  const std::string before = Rules();
  Coexistence coexistence(NetworkKind::kRouted, false);
  EXPECT_FALSE(GetsOut());
  EXPECT_THAT(
      coexistence.Conditions(),
      AllOf(HasSubstr(absl::StrCat("FOREIGN_FIREWALL: ", GetParam().blocks)),
            HasSubstr("manage_foreign_firewalls = true"), HasSubstr(GetParam().routed.remedy)));
  EXPECT_EQ(Rules(), before);
  const std::string remedy = CommandIn(coexistence.Conditions());
  EXPECT_EQ(ShellExitCode(remedy), 0) << remedy;
  EXPECT_TRUE(GetsOut()) << remedy;
  EXPECT_TRUE(GetsToAnotherGuest()) << remedy;
  coexistence.RunAgain();
  EXPECT_EQ(coexistence.Conditions(), "");
}

TEST_P(RoutedFirewallTest, LetsManagedGuestsOutAgainAfterAReloadAndUntilWithdrawal) {
  Settle();
  const std::string before = Rules();
  Coexistence coexistence(NetworkKind::kRouted, true);
  EXPECT_TRUE(GetsOut()) << Rules();
  EXPECT_TRUE(GetsToAnotherGuest());
  EXPECT_EQ(coexistence.Conditions(), "");
  EXPECT_THAT(Rules(), HasSubstr(GetParam().routed.accept));
  const std::string managed = Rules();
  for (const std::string& reload : GetParam().reload) {
    Shell(reload);
    coexistence.RunAgain();
    EXPECT_TRUE(GetsOut()) << reload;
    EXPECT_EQ(coexistence.Conditions(), "");
    EXPECT_EQ(Rules(), managed) << reload;
  }
  coexistence.Withdraw();
  Settle();
  EXPECT_EQ(Rules(), before);
}

// The network was a bridge, and the rules of then are still there.
TEST_P(RoutedFirewallTest, GetsRulesByAddressInsteadOfThoseForTheBridge) {
  Settle();
  const std::string before = Rules();
  const Coexistence earlier(NetworkKind::kBridge, true);
  EXPECT_THAT(Rules(), HasSubstr(GetParam().bridge.accept));
  EXPECT_FALSE(GetsOut());
  Coexistence coexistence(NetworkKind::kRouted, true);
  EXPECT_TRUE(GetsOut());
  EXPECT_EQ(coexistence.Conditions(), "");
  EXPECT_THAT(Rules(),
              AllOf(HasSubstr(GetParam().routed.accept), Not(HasSubstr(GetParam().bridge.accept))));
  coexistence.Withdraw();
  Settle();
  EXPECT_EQ(Rules(), before);
}

}  // namespace
}  // namespace svnet::testing

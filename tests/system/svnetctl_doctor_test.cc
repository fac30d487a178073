// The doctor, with real troubles: each is made, found, and ended by the command that the
// doctor prints. What cannot be made here (another kernel, systemd, a full table of the
// whole host) tests/unit/client/doctor_test.cc has at the Host boundary.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/sandbox/internet.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

constexpr RunAs kRoot = {.uid = 0, .gid = 0, .groups = {}};

struct Finding {
  std::string level;
  std::string message;
  std::string fix;
};

class DoctorTest : public SystemTest {
 protected:
  DoctorTest() : svnetd_(Start()) {
    Shell("[[ ! -e /proc/sys/net/bridge ]] || sysctl -qw net.bridge.bridge-nf-call-iptables=0");
    Client(svnetd_.socket(), Member(kAlice)).MustCreate("vm1");
  }

  Exited Doctor(const RunAs& who, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {kSvnetctl, "--socket", svnetd_.socket(), "doctor"});
    return RunProgramAs(who, arguments);
  }

  // The check's worst finding.
  Finding Find(const std::string& check, const RunAs& who = kRoot) {
    const Exited exited = Doctor(who, {check, "--json"});
    google::protobuf::Struct json;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(exited.out, &json).ok())
        << exited.out << exited.err;
    Finding found;
    for (const auto& each : json.fields().at("findings").list_value().values()) {
      const auto& fields = each.struct_value().fields();
      const std::string level = fields.at("level").string_value();
      if (!found.level.empty() && level == "ok") continue;
      found = {level, fields.at("message").string_value(), fields.at("fix").string_value()};
    }
    EXPECT_EQ(exited.code, found.level == "problem" ? 1 : 0) << exited.out;
    return found;
  }

  // A fix as it is typed here: with what the doctor cannot know, and svnetctl's place.
  std::string Typed(const std::string& fix) {
    return absl::StrReplaceAll(
        fix, {{"ROUTER", "203.0.113.1"},
              {"svnetctl ", absl::StrCat(kSvnetctl, " --socket ", svnetd_.socket(), " ")}});
  }

  // `trouble` makes it ill, what the doctor prints makes it well.
  void ExpectFoundAndFixed(const std::string& check, const std::string& level,
                           const std::string& trouble) {
    EXPECT_EQ(Find(check).level, "ok") << check << ": " << Find(check).message;
    Shell(trouble);
    const Finding found = Find(check);
    EXPECT_EQ(found.level, level) << check << ": " << found.message;
    EXPECT_EQ(ShellExitCode(Typed(found.fix)), 0) << found.fix;
    EXPECT_EQ(Find(check).level, "ok") << check << ": " << found.fix << ": " << Find(check).message;
  }

  // Whether a guest's ping gets out and back, by real packets.
  bool GuestGetsOut() {
    return absl::StrContains(Doctor(kRoot, {"version", "--packet-test"}).out,
                             "ping to 203.0.113.1 is answered");
  }

  Internet internet_;
  Daemon svnetd_;
};

TEST_F(DoctorTest, FindsNoProblemWhereThereIsNone) {
  const Exited root = Doctor(kRoot, {});
  EXPECT_EQ(root.code, 0) << root.out;
  EXPECT_THAT(root.out, HasSubstr(", 0 problems\n"));
  const Exited alice = Doctor(Member(kAlice), {});
  EXPECT_EQ(alice.code, 0) << alice.out;
  EXPECT_THAT(alice.out, HasSubstr("docker             needs root"));
  EXPECT_EQ(alice.out.find('\x1b'), std::string::npos);
}

TEST_F(DoctorTest, SpeaksAsAGuestAndLeavesNothing) {
  const Exited exited = Doctor(kRoot, {"version", "--packet-test"});
  EXPECT_EQ(exited.code, 0) << exited.out;
  for (const char* text :
       {"the gateway answers ARP", "ping to 203.0.113.1 is answered", "a foreign MAC is stopped",
        "a foreign address is stopped", "ARP for a foreign address is stopped"}) {
    EXPECT_THAT(exited.out, HasSubstr(text));
  }
  EXPECT_EQ(Client(svnetd_.socket(), kRoot).MustList().size(), 1);
  const Exited alice = Doctor(Member(kAlice), {"version", "--packet-test"});
  EXPECT_EQ(alice.code, 0) << alice.out;
  EXPECT_THAT(alice.out, HasSubstr("needs root, who may read svnetd's counters"));
}

TEST_F(DoctorTest, PacketTestSeesWhatDoesNotGetOut) {
  const Exited nobody = Doctor(kRoot, {"version", "--packet-test", "--target", "203.0.113.77"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.out, HasSubstr("ping to 203.0.113.77 is not answered"));
}

TEST_F(DoctorTest, Devices) {
  ExpectFoundAndFixed("tun-device", "problem", "rm /dev/net/tun");
  Shell("chmod 0600 /dev/net/tun");
  EXPECT_EQ(Find("tun-access", Member(kAlice)).level, "problem");
  Shell(Find("tun-access", Member(kAlice)).fix);
  EXPECT_EQ(Find("tun-access", Member(kAlice)).level, "ok");
}

TEST_F(DoctorTest, Namespaces) {
  const std::string doctor = absl::StrCat(kSvnetctl, " --socket ", svnetd_.socket(), " doctor ");
  EXPECT_THAT(Shell(absl::StrCat("unshare --user --map-root-user ", doctor, "user-namespace")),
              HasSubstr("warning"));
  EXPECT_THAT(Shell(absl::StrCat("unshare --pid --fork --mount-proc ", doctor, "pid-namespace")),
              HasSubstr("warning"));
  EXPECT_THAT(Shell(absl::StrCat("unshare --net ", doctor, "network-namespace")),
              HasSubstr("warning"));
  EXPECT_EQ(Find("network-namespace").level, "ok");
}

TEST_F(DoctorTest, SocketAndAnswer) {
  const RunAs stranger = {.uid = kBob, .gid = kBob, .groups = {}};
  EXPECT_THAT(Find("socket-group", stranger).fix, HasSubstr("usermod -aG nogroup"));
  EXPECT_EQ(Find("socket-group", Member(kBob)).level, "ok");
  EXPECT_THAT(Find("answer", stranger).message, HasSubstr("not allowed to open"));
  svnetd_.Stop(SIGKILL);
  EXPECT_THAT(Find("answer").message, HasSubstr("nobody listens"));
  EXPECT_EQ(Find("addresses").level, "notChecked");
  Shell(absl::StrCat("rm ", svnetd_.socket()));
  EXPECT_EQ(Find("socket").fix, "systemctl start svnetd");
  Shell(absl::StrCat("touch ", svnetd_.socket()));
  EXPECT_THAT(Find("socket").message, HasSubstr("is no socket"));
  Shell(absl::StrCat("rm ", svnetd_.socket()));
  const Daemon again = Start();
  EXPECT_EQ(Find("socket").level, "ok");
  EXPECT_EQ(Find("answer").level, "ok");
  EXPECT_EQ(Find("version").level, "ok");
}

// Without svnetd, which may put right what is made wrong here.
TEST_F(DoctorTest, BridgeAndRoutes) {
  svnetd_.Stop(SIGTERM);
  ExpectFoundAndFixed("bridge-up", "problem", "ip link set svbr0 down");
  ExpectFoundAndFixed("bridge-address", "problem", "ip address flush dev svbr0");
  ExpectFoundAndFixed("default-route", "warning", "ip route delete default");
  ExpectFoundAndFixed("mtu", "warning", "ip link set up0 mtu 1400");
}

TEST_F(DoctorTest, Uplink) {
  // A link that is down loses its routes, and so is no uplink any more; one whose other
  // end is gone keeps them.
  EXPECT_EQ(Find("uplink-up").level, "ok");
  internet_.Shell("ip link set down0 down");
  EXPECT_THAT(Find("uplink-up").message, HasSubstr("no carrier"));
  internet_.Shell("ip link set down0 up");
  EXPECT_EQ(Find("uplink-up").level, "ok");
}

TEST_F(DoctorTest, Forwarding) {
  svnetd_.Stop(SIGTERM);
  ExpectFoundAndFixed("forwarding", "problem", "sysctl -qw net.ipv4.ip_forward=0");
  ExpectFoundAndFixed("link-forwarding", "problem", "sysctl -qw net.ipv4.conf.svbr0.forwarding=0");
  ExpectFoundAndFixed("bridge-netfilter", "warning",
                      "sysctl -qw net.bridge.bridge-nf-call-iptables=1");
  ExpectFoundAndFixed("reverse-path", "warning",
                      "ip link add up1 type veth peer name down1; ip link set up1 up;"
                      "ip address add 198.51.100.2/24 dev up1;"
                      "ip route add default via 198.51.100.1 metric 9;"
                      "sysctl -qw net.ipv4.conf.up1.rp_filter=1");
}

// Over the test's own mounts: the host's files are not touched.
TEST_F(DoctorTest, ForwardingThatAFileTurnsOff) {
  Shell("mount -t tmpfs none /etc/sysctl.d");
  ExpectFoundAndFixed(
      "forwarding-kept", "warning",
      "printf 'kernel.panic=1\\nnet.ipv4.ip_forward = 0\\n' > /etc/sysctl.d/9.conf");
  EXPECT_EQ(Shell("cat /etc/sysctl.d/9.conf"), "kernel.panic=1\n");
  Shell("umount /etc/sysctl.d");
}

// What these programs leave in /run is made by hand; they themselves do not run here.
TEST_F(DoctorTest, WhoManagesLinks) {
  Shell(
      "mount -t tmpfs none /run; mkdir -p /run/systemd/netif/links /run/systemd/system "
      "/run/NetworkManager/devices;"
      "index=$(ip -o link show svbr0 | cut -d: -f1);"
      "echo NETWORK_FILE=/x > /run/systemd/netif/links/$index;"
      "printf '[device]\\nmanaged=true\\n' > /run/NetworkManager/devices/$index");
  EXPECT_THAT(Find("networkd").fix, HasSubstr("Name=svbr0 sv*\\n[Link]\\nUnmanaged=yes"));
  EXPECT_THAT(Find("network-manager").message, HasSubstr("manages svbr0"));
  Shell("sed -i s/true/false/ /run/NetworkManager/devices/*; rm /run/systemd/netif/links/*");
  EXPECT_EQ(Find("networkd").level, "ok");
  EXPECT_EQ(Find("network-manager").level, "ok");
  Shell("umount /run");
}

TEST_F(DoctorTest, ConditionsAreFindings) {
  Shell("ip address add 172.30.0.200/28 dev up0");
  EXPECT_EQ(Find("conditions").level, "problem");
  EXPECT_THAT(Find("conditions").message, HasSubstr("SUBNET_CONFLICT: "));
  Shell("ip address delete 172.30.0.200/28 dev up0");
  EXPECT_EQ(Find("conditions").level, "ok");
}

TEST_F(DoctorTest, OwnRules) {
  svnetd_.Stop(SIGTERM);
  EXPECT_EQ(Find("own-rules").level, "ok");
  Shell("nft flush ruleset");
  EXPECT_EQ(Find("own-rules").fix, "systemctl restart svnetd");
  const Daemon restarted = Start();
  EXPECT_EQ(Find("own-rules").level, "ok");
}

// As docker 20 to 28 make them with iptables-nft.
TEST_F(DoctorTest, Docker) {
  ExpectFoundAndFixed(
      "docker", "problem",
      "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER; iptables-nft -N DOCKER-USER;"
      "iptables-nft -A DOCKER-USER -j RETURN; iptables-nft -A FORWARD -j DOCKER-USER;"
      "iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
      "iptables-nft -A FORWARD -o docker0 -j DOCKER;"
      "iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, DockersDropIsReal) {
  Shell(
      "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER;"
      "iptables-nft -A FORWARD -j DOCKER-USER");
  EXPECT_EQ(Find("docker").level, "problem");
  EXPECT_FALSE(GuestGetsOut());
  Shell("iptables-nft -A DOCKER-USER -i svbr0 -j ACCEPT");
  EXPECT_THAT(Find("docker").message, HasSubstr("the answers to guests"));
  Shell("iptables-nft -A DOCKER-USER -o svbr0 -m conntrack --ctstate ESTABLISHED -j ACCEPT");
  EXPECT_EQ(Find("docker").level, "ok");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, Iptables) {
  ExpectFoundAndFixed("iptables", "problem", "iptables-nft -P FORWARD DROP");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, LegacyIptables) {
  ExpectFoundAndFixed("legacy-iptables", "problem",
                      "iptables-legacy -N CUSTOM; iptables-legacy -A FORWARD -j CUSTOM;"
                      "iptables-legacy -A CUSTOM -i svother+ -j ACCEPT;"
                      "iptables-legacy -A FORWARD -j DROP");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, OtherTables) {
  ExpectFoundAndFixed("other-rules", "problem",
                      "nft add table inet mine; nft add chain inet mine onward "
                      "'{ type filter hook forward priority 5; policy drop; }';"
                      "nft add rule inet mine onward iifname docker0 accept");
  EXPECT_TRUE(GuestGetsOut());
}

// The shapes of ufw's and firewalld's rules; their own commands need services that do
// not run here, so that what they add is added by hand.
TEST_F(DoctorTest, UfwAndFirewalld) {
  Shell(
      "iptables-nft -P FORWARD DROP; iptables-nft -N ufw-user-forward;"
      "iptables-nft -N ufw-before-forward; iptables-nft -A FORWARD -j ufw-before-forward;"
      "iptables-nft -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
      "iptables-nft -A ufw-before-forward -j ufw-user-forward");
  EXPECT_THAT(Find("ufw").fix, HasSubstr("ufw route allow in on svbr0"));
  Shell(
      "iptables-nft -A ufw-user-forward -i svbr0 -j ACCEPT;"
      "iptables-nft -A ufw-user-forward -o svbr0 -j ACCEPT");
  EXPECT_EQ(Find("ufw").level, "ok");
  Shell(
      "nft add table inet firewalld; nft add chain inet firewalld filter_FORWARD "
      "'{ type filter hook forward priority 10; policy accept; }';"
      "nft add rule inet firewalld filter_FORWARD ct state established,related accept;"
      "nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited");
  EXPECT_THAT(Find("firewalld").fix, HasSubstr("--zone=trusted --add-interface=svbr0"));
  EXPECT_FALSE(GuestGetsOut());
  Shell("nft insert rule inet firewalld filter_FORWARD iifname svbr0 accept");
  EXPECT_EQ(Find("firewalld").level, "ok");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, PrefixAndItsSuggestion) {
  Shell("ip address add 172.30.0.200/28 dev up0");
  const Finding found = Find("prefix");
  EXPECT_EQ(found.level, "problem");
  EXPECT_THAT(found.message, HasSubstr("the address 172.30.0.200/28 of up0"));
  EXPECT_THAT(found.fix, HasSubstr("subnet = \"172.30.1.0/24\""));
  Client(svnetd_.socket(), kRoot).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  svnetd_.Stop(SIGTERM);
  Daemon elsewhere = Start({"--subnet=172.30.1.0/24"});
  ASSERT_TRUE(elsewhere.running()) << elsewhere.log();
  EXPECT_EQ(Find("prefix").level, "ok");
}

TEST_F(DoctorTest, FullAndForgotten) {
  ExpectFoundAndFixed("not-adopted", "warning",
                      "ip tuntap add svlost mode tap;"
                      "ip link set svlost alias 'svnet1 bridge=svbr0 vm=gone'");
  EXPECT_EQ(Find("unattached").level, "warning");
  Shell(Typed(Find("unattached").fix));
  EXPECT_EQ(Find("unattached").level, "ok");
}

TEST_F(DoctorTest, AddressesRunOut) {
  Client(svnetd_.socket(), kRoot).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  svnetd_.Stop(SIGTERM);
  const Daemon small = Start({"--subnet=172.30.0.0/29"});
  ExpectFoundAndFixed("addresses", "problem",
                      absl::StrCat("for i in 1 2 3 4 5; do ", kSvnetctl, " --socket ",
                                   small.socket(), " create vm$i; done"));
}

TEST_F(DoctorTest, PortsRunOut) {
  EXPECT_EQ(Find("ports").level, "ok");
  Shell(
      "for i in $(seq 930); do echo tuntap add d$i mode tap; echo link set d$i master svbr0; done "
      "| ip -batch -");
  EXPECT_EQ(Find("ports").level, "warning");
  Shell("for i in $(seq 930); do echo link set d$i nomaster; done | ip -batch -");
  EXPECT_EQ(Find("ports").level, "ok");
}

TEST_F(DoctorTest, TheDocumentHasEveryCheck) {
  std::ifstream file(SVNET_SOURCE "/docs/doctor.md");
  std::ostringstream text;
  text << file.rdbuf();
  std::istringstream list(Doctor(kRoot, {"--list"}).out);
  int checks = 0;
  for (std::string line; std::getline(list, line); ++checks) {
    const size_t gap = line.find("  ");
    const std::string title = line.substr(line.find_first_not_of(' ', gap));
    EXPECT_THAT(text.str(),
                HasSubstr(absl::StrCat("| `", line.substr(0, gap), "` | ", title, " |\n")));
  }
  EXPECT_GE(checks, 25);
}

}  // namespace
}  // namespace svnet::testing

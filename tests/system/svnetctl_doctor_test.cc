// The doctor, with real troubles whose story is longer than a command. Those that a
// command makes are in svnetctl_doctor_troubles_test.cc.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sandbox/udevd.h"
#include "tests/system/doctor_test.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What an svnetd of another version answers.
class AnotherVersion : public v1::NetworkService::Service {
 public:
  grpc::Status GetNetwork(grpc::ServerContext*, const v1::GetNetworkRequest*,
                          v1::GetNetworkResponse* response) override {
    response->set_bridge("svbr0");
    response->set_prefix("172.30.0.0/24");
    response->set_daemon_version("0.0.1");
    return grpc::Status::OK;
  }
  grpc::Status ListTaps(grpc::ServerContext*, const v1::ListTapsRequest*,
                        v1::ListTapsResponse*) override {
    return grpc::Status::OK;
  }
};

TEST_F(DoctorTest, FindsNoProblemOnAHealthyHost) {
  const Exited root = Doctor(kRoot, {});
  EXPECT_EQ(root.code, 0) << root.out;
  EXPECT_THAT(root.out, HasSubstr("svnet works: "));
  const Exited alice = Doctor(Member(kAlice), {});
  EXPECT_EQ(alice.code, 0) << alice.out;
  EXPECT_THAT(alice.out, HasSubstr("sudo svnetctl doctor makes "));
  EXPECT_THAT(Doctor(Member(kAlice), {"--all"}).out, HasSubstr("docker             needs root"));
  EXPECT_EQ(alice.out.find('\x1b'), std::string::npos);
}

TEST_F(DoctorTest, ActsAsAGuestAndLeavesNothingBehind) {
  const Exited exited = Doctor(kRoot, {"version", "--packet-test"});
  EXPECT_EQ(exited.code, 0) << exited.out;
  for (const char* text :
       {"the gateway answers ARP", "ping to 203.0.113.1 is answered", "a foreign MAC is stopped",
        "a foreign address is stopped", "ARP for a foreign address is stopped"}) {
    EXPECT_THAT(exited.out, HasSubstr(text));
  }
  EXPECT_EQ(Client(svnetd().socket(), kRoot).MustList().size(), 1);
  const Exited alice = Doctor(Member(kAlice), {"version", "--packet-test"});
  EXPECT_EQ(alice.code, 0) << alice.out;
  EXPECT_THAT(alice.out, HasSubstr("needs root to read svnetd's counters"));
}

TEST_F(DoctorTest, TakesAPacketCheckByItsName) {
  const Exited nat = Doctor(kRoot, {"--packet-test", "packet-nat"});
  EXPECT_EQ(nat.code, 0) << nat.out;
  EXPECT_THAT(nat.out, HasSubstr("svnet works: 1 check, nothing wrong\n"));
  EXPECT_THAT(nat.out, HasSubstr("ping to 203.0.113.1 is answered"));
  const Exited without = Doctor(kRoot, {"packet-nat"});
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.err, HasSubstr("add --packet-test"));
}

// What the fix has root type into the editor, nobody can know.
TEST_F(DoctorTest, ReportsAWrongConfiguration) {
  EXPECT_EQ(Find("configuration").level, "ok");
  Shell("mkdir /etc/svnet; echo 'subnet = 10.0.0.0/24' >/etc/svnet/svnetd.toml");
  EXPECT_EQ(Find("configuration").level, "warning");
  EXPECT_THAT(Find("configuration").message, HasSubstr("svnetd.toml:1: subnet: 10.0.0.0/24 needs"));
  svnetd().Stop(SIGTERM);
  EXPECT_THAT(Doctor(kRoot, {}).out, StartsWith("1 problem: configuration"));
  Shell("rm /etc/svnet/svnetd.toml");
  EXPECT_EQ(Find("configuration").level, "ok");
}

TEST_F(DoctorTest, AStoppedSvnetdIsOneProblem) {
  svnetd().Stop(SIGTERM);
  const Exited exited = Doctor(kRoot, {});
  EXPECT_THAT(exited.out, StartsWith("1 problem: socket"));
}

TEST_F(DoctorTest, ReportsAPingThatIsNotAnswered) {
  const Exited nobody = Doctor(kRoot, {"version", "--packet-test", "--target", "203.0.113.77"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.out, HasSubstr("ping to 203.0.113.77 is not answered"));
}

// There is nothing to type against a namespace: one leaves it.
TEST_F(DoctorTest, Namespaces) {
  const std::string doctor = absl::StrCat(kSvnetctl, " --socket ", svnetd().socket(), " doctor ");
  EXPECT_THAT(Shell(absl::StrCat("unshare --user --map-root-user ", doctor, "user-namespace")),
              HasSubstr("warning"));
  EXPECT_EQ(Find("user-namespace").level, "ok");
  EXPECT_THAT(Shell(absl::StrCat("unshare --pid --fork --mount-proc ", doctor, "pid-namespace")),
              HasSubstr("warning"));
  EXPECT_EQ(Find("pid-namespace").level, "ok");
}

TEST_F(DoctorTest, AnotherNetworkNamespace) {
  EXPECT_EQ(Find("network-namespace").level, "ok");
  EXPECT_EQ(Type("unshare --net svnetctl doctor network-namespace | grep -q ^warning"), 0);
  EXPECT_EQ(Type("unshare --net svnetctl doctor network-namespace --json | "
                 "sed -n 's/.*\"fix\": \"\\(.*\\)\"}.*/\\1/p' >/etc/fix"),
            0);
  const std::string fix = Shell("cat /etc/fix");
  EXPECT_THAT(fix, HasSubstr("nsenter --net="));
  EXPECT_EQ(Type("unshare --net " + fix.substr(0, fix.size() - 1) + " | grep -q '^svnet works: '"),
            0);
}

TEST_F(DoctorTest, ReportsAUserOutsideTheGroup) {
  Shell("echo 'svnettest:x:1001:1001::/tmp:/bin/sh' >>/etc/passwd");
  const RunAs old_session = {.uid = kBob, .gid = kBob, .groups = {}};
  EXPECT_THAT(Find("answer", old_session).message, HasSubstr("not allowed to open"));
  const Finding found = Find("socket-group", old_session);
  EXPECT_EQ(found.level, "problem");
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  EXPECT_EQ(Find("socket-group", old_session).level, "warning");
  EXPECT_EQ(Find("socket-group", old_session).fix, "newgrp nogroup");
  EXPECT_THAT(Find("answer", old_session).fix, HasSubstr("usermod -aG nogroup svnettest"));
  EXPECT_EQ(Find("socket-group", Member(kBob)).level, "ok");
  EXPECT_EQ(Find("answer", Member(kBob)).level, "ok");
}

TEST_F(DoctorTest, ReportsAUserWhoMayNotOpenTun) {
  EXPECT_EQ(Find("tun-access", Member(kAlice)).level, "ok");
  Shell("chmod 0600 /dev/net/tun");
  const Finding found = Find("tun-access", Member(kAlice));
  EXPECT_EQ(found.level, "problem");
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  EXPECT_EQ(Find("tun-access", Member(kAlice)).level, "ok");
}

TEST_F(DoctorTest, AnotherVersionOfSvnetd) {
  EXPECT_EQ(Find("version").level, "ok");
  svnetd().Stop(SIGTERM);
  AnotherVersion service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + svnetd().socket(), grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> other = builder.BuildAndStart();
  const Finding found = Find("version");
  EXPECT_EQ(found.level, "warning") << found.message;
  other->Shutdown();  // as systemctl does it
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  EXPECT_EQ(Find("version").level, "ok");
}

TEST_F(DoctorTest, SkipsChecksIfSvnetdIsNotRunning) {
  svnetd().Stop(SIGKILL);
  EXPECT_THAT(Find("answer").message, HasSubstr("no process listens"));
  for (const char* check : {"version", "conditions", "addresses", "ports", "unattached"}) {
    EXPECT_EQ(Find(check).level, "notChecked") << check;
  }
}

// A link that is down loses its routes, and so is no uplink any more; one whose other end is
// gone keeps them. Nothing that is typed here plugs it in again.
TEST_F(DoctorTest, Uplink) {
  EXPECT_EQ(Find("uplink-up").level, "ok");
  internet().Shell("ip link set down0 down");
  EXPECT_EQ(Find("uplink-up").level, "problem");
  EXPECT_THAT(Find("uplink-up").message, HasSubstr("no carrier"));
  EXPECT_EQ(Find("uplink-up").fix, "");
  internet().Shell("ip link set down0 up");
  EXPECT_EQ(Find("uplink-up").level, "ok");
}

TEST_F(DoctorTest, ReportsConditions) {
  EXPECT_EQ(Find("conditions").level, "ok");
  Shell("ip address add 172.30.0.200/28 dev up0");
  EXPECT_EQ(Find("conditions").level, "problem");
  EXPECT_THAT(Find("conditions").message, HasSubstr("SUBNET_CONFLICT: "));
  Shell("ip address delete 172.30.0.200/28 dev up0");
  EXPECT_EQ(Find("conditions").level, "ok");
}

// Both are the whole host's, and other network namespaces do not show the limit: files of the
// test's own stand for them. What a process sees in /proc/net is its own.
TEST_F(DoctorTest, ABacklogThatWasFull) {
  EXPECT_EQ(Find("backlog").level, "notChecked");
  Shell(
      "mount -t tmpfs none /proc/sys/net/core; echo 1000 >/proc/sys/net/core/netdev_max_backlog;"
      "mkdir /etc/net; echo '00000fff 0000001a 00000000' >/etc/net/softnet_stat");
  const std::string doctor =
      absl::StrCat("sh -c 'mount --bind /etc/net /proc/$$/net && exec ", kSvnetctl, " --socket ",
                   svnetd().socket(), " doctor backlog'");
  EXPECT_THAT(Shell(doctor), HasSubstr("warning      backlog            26 packets"));
  EXPECT_EQ(Type(Shell(doctor + " | sed -n 's/^ *fix: //p'")), 0);
  EXPECT_THAT(Shell(doctor), HasSubstr("10000 may wait for a processor now"));
  Shell("umount /proc/sys/net/core");
}

// A real one, without svnet's files. What it does to new TAPs it says of those that are there.
TEST_F(DoctorTest, Udev) {
  Shell("mkdir /etc/svnet; echo 'subnet = \"172.30.0.0/20\"' >/etc/svnet/svnetd.toml");
  EXPECT_EQ(Type("svnetctl cleanup --network"), 0);
  RestartSvnetd();
  EXPECT_EQ(Type("svnetctl create vm1"), 0);
  EXPECT_EQ(Find("udev").level, "ok");

  Udevd udevd(Udevd::Files::kNone);
  udevd.Trigger("add");
  ASSERT_TRUE(udevd.Settle());
  const Finding macs = Find("udev");
  EXPECT_EQ(macs.level, "warning");
  EXPECT_THAT(macs.message, HasSubstr("/99-default.link for svvm1eth0: it may change the MAC"));
  EXPECT_EQ(Type(macs.fix), 0) << macs.fix;
  ASSERT_TRUE(udevd.Settle());
  const Finding units = Find("udev");
  EXPECT_EQ(units.level, "warning");
  EXPECT_THAT(units.message, HasSubstr("units for each TAP, as svvm1eth0: where there are up to"));
  EXPECT_EQ(Type(units.fix), 0) << units.fix;
  ASSERT_TRUE(udevd.Settle());
  EXPECT_EQ(Find("udev").level, "ok") << Find("udev").message;

  EXPECT_EQ(Type("rm /etc/udev/rules.d/* && svnetctl create vm2"), 0);
  udevd.InstallFiles();
  EXPECT_EQ(Type("svnetctl create vm3"), 0);
  ASSERT_TRUE(udevd.Settle());
  EXPECT_EQ(Find("udev").level, "ok") << Find("udev").message;
}

// Somebody who turns forwarding off again and again, until svnetd leaves it.
TEST_F(DoctorTest, FixesAPausedRepairByARestart) {
  ExpectFoundAndFixed("conditions", "problem", [&] {
    EXPECT_EQ(Type("end=$(($(date +%s) + 60)); "
                   "until svnetctl doctor conditions | grep -q FORWARDING_OFF; do"
                   "  [ $(date +%s) -lt $end ] || exit 1;"
                   "  for i in 1 2 3 4 5 6 7 8; do sysctl -qw net.ipv4.ip_forward=0; done;"
                   "done"),
              0);
  });
}

TEST_F(DoctorTest, ReportsThatAddressesRunOut) {
  ExpectFoundAndFixed("addresses", "problem", [&] {
    EXPECT_EQ(Type("svnetctl cleanup --network && mkdir /etc/svnet && "
                   "echo 'subnet = \"172.30.0.0/29\"' >/etc/svnet/svnetd.toml && "
                   "systemctl restart svnetd"),
              0);
    EXPECT_EQ(Type("for i in 1 2 3 4 5; do svnetctl create vm$i || exit 1; done"), 0);
  });
}

// Files of the test's own stand for those of another kernel, and for the package that the fix
// installs.
TEST_F(DoctorTest, AnotherKernel) {
  EXPECT_EQ(Find("kernel-version").level, "ok");
  for (const char* check : {"bridge-module", "nft-module", "masquerade-module"}) {
    EXPECT_EQ(Find(check).level, "ok") << check;
  }
  EXPECT_EQ(Type("set -e; svnetctl cleanup --network; echo 6.1.0-1-test >/etc/release;"
                 "mount --bind /etc/release /proc/sys/kernel/osrelease;"
                 "mount -t tmpfs none /sys/module; mkdir -p /lib/modules;"
                 "mount -t tmpfs none /lib/modules; mkdir /lib/modules/6.1.0-1-test;"
                 "cd /lib/modules/6.1.0-1-test; touch modules.builtin modules.dep"),
            0);
  std::ofstream(folder() + "/bin/apt-get")
      << "#!/bin/sh\n"
         "[ \"$*\" = 'install --reinstall linux-image-6.1.0-1-test' ] || exit 1\n"
         "printf 'kernel/net/%s:\\n' bridge/bridge.ko.xz netfilter/nf_tables.ko.xz "
         "netfilter/nft_masq.ko.xz >/lib/modules/6.1.0-1-test/modules.dep\n";
  Shell(absl::StrCat("chmod +x ", folder(), "/bin/apt-get"));
  EXPECT_EQ(Find("kernel-version").level, "warning");
  std::string fix;
  for (const char* check : {"bridge-module", "nft-module", "masquerade-module"}) {
    EXPECT_EQ(Find(check).level, "problem") << check;
    fix = Find(check).fix;
  }
  EXPECT_EQ(Type(fix), 0) << fix;
  for (const char* check : {"bridge-module", "nft-module", "masquerade-module"}) {
    EXPECT_EQ(Find(check).level, "ok") << check;
  }
  Shell("umount /proc/sys/kernel/osrelease /sys/module /lib/modules");
}

// The shape of firewalld's rules: it itself runs in tests/service/run.sh. Like theirs, this
// drop is no invention of the doctor's.
TEST_F(DoctorTest, ReportsFirewalldsReject) {
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

// What these programs leave in /run is made by hand: they themselves run in
// tests/service/run.sh.
TEST_F(DoctorTest, ReportsProgramsThatManageLinks) {
  Shell(
      "mount -t tmpfs none /run; mkdir -p /run/systemd/netif/links /run/systemd/system "
      "/run/NetworkManager/devices;"
      "index=$(ip -o link show svbr0 | cut -d: -f1);"
      "echo NETWORK_FILE=/x > /run/systemd/netif/links/$index;"
      "printf '[device]\\nmanaged=true\\n' > /run/NetworkManager/devices/$index");
  EXPECT_THAT(Find("networkd").fix,
              HasSubstr("Kind=bridge tun\\nName=svbr0 sv*\\n[Link]\\nUnmanaged=yes"));
  EXPECT_THAT(Find("network-manager").message, HasSubstr("manages svbr0"));
  Shell("sed -i s/true/false/ /run/NetworkManager/devices/*; rm /run/systemd/netif/links/*");
  EXPECT_EQ(Find("networkd").level, "ok");
  EXPECT_EQ(Find("network-manager").level, "ok");
  Shell("umount /run");
}

TEST_F(DoctorTest, ReportsDockersDrop) {
  Shell(
      "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER;"
      "iptables-nft -A FORWARD -j DOCKER-USER");
  EXPECT_EQ(Find("docker").level, "problem");
  EXPECT_FALSE(GuestGetsOut());
  Shell("iptables-nft -A DOCKER-USER -i svbr0 -j ACCEPT");
  EXPECT_THAT(Find("docker").message, HasSubstr("answers to guests"));
  Shell("iptables-nft -A DOCKER-USER -o svbr0 -m conntrack --ctstate ESTABLISHED -j ACCEPT");
  EXPECT_EQ(Find("docker").level, "ok");
  EXPECT_TRUE(GuestGetsOut());
}

TEST_F(DoctorTest, HasEveryCheckInTheDocument) {
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

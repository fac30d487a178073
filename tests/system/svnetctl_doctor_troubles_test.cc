// Every check of the doctor, with a real trouble: it is made, found, and ended by the command
// that the doctor prints.
#include <signal.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/system/doctor_test.h"

namespace svnet::testing {
namespace {

enum class Svnetd {
  kRuns,
  // It would put right what is made wrong here.
  kStopped,
};

struct Trouble {
  std::string name;
  std::string check;
  std::string level;
  // What makes it; svnetctl is in the path.
  std::string make;
  Svnetd svnetd = Svnetd::kRuns;
  // Whether a guest does not get out meanwhile, by real packets; afterwards it does.
  bool cuts_off = false;
  // What is so before, and no trouble.
  std::string before = "";

  friend std::ostream& operator<<(std::ostream& out, const Trouble& each) {
    return out << each.name;
  }
};

// Docker's rules as docker 20 to 28 make them with iptables-nft.
constexpr char kDocker[] = R"(
set -e
iptables-nft -P FORWARD DROP
iptables-nft -N DOCKER
iptables-nft -N DOCKER-USER
iptables-nft -A DOCKER-USER -j RETURN
iptables-nft -A FORWARD -j DOCKER-USER
iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables-nft -A FORWARD -o docker0 -j DOCKER
iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
)";

constexpr char kLegacy[] = R"(
set -e
iptables-legacy -N CUSTOM
iptables-legacy -A FORWARD -j CUSTOM
iptables-legacy -A CUSTOM -i svother+ -j ACCEPT
iptables-legacy -A FORWARD -j DROP
)";

constexpr char kOtherTable[] = R"(
set -e
nft add table inet mine
nft add chain inet mine onward '{ type filter hook forward priority 5; policy drop; }'
nft add rule inet mine onward iifname docker0 accept
)";

constexpr char kSecondUplink[] = R"(
set -e
ip link add up1 type veth peer name down1
ip link set up1 up
ip address add 198.51.100.2/24 dev up1
ip route add default via 198.51.100.1 metric 9
sysctl -qw net.ipv4.conf.up1.rp_filter=1
)";

// The table's size is the host's, and cannot be changed in a network namespace: a file
// of the test's own stands for it. Its entries are real.
constexpr char kNeighbourLimit[] = R"(
set -e
mount -t tmpfs none /proc/sys/net/ipv4/neigh
mkdir /proc/sys/net/ipv4/neigh/default
cd /proc/sys/net/ipv4/neigh/default
echo 10 >gc_thresh3
echo 5 >gc_thresh2
)";
constexpr char kNeighbours[] = R"(
for i in 11 12 13 14 15 16 17 18 19; do
  ip neighbour add 203.0.113.$i lladdr 02:00:00:00:00:$i nud reachable dev up0 || exit 1
done
)";

// The same.
constexpr char kConnections[] = R"(
set -e
echo 10 >/etc/max
mount --bind /etc/max /proc/sys/net/netfilter/nf_conntrack_max
for i in 1 2 3 4 5 6 7 8 9; do ping -c 1 -w 5 203.0.113.1 >/dev/null; done
)";

// With the two guests' ports, one more than makes nine tenths.
constexpr char kPorts[] = R"(
svnetctl create vm2 >/dev/null
for i in $(seq 919); do
  echo tuntap add d$i mode tap
  echo link set d$i master svbr0
done | ip -batch -
)";

const std::vector<Trouble>& Troubles() {
  static const auto* const troubles = new std::vector<Trouble>{
      {"NoTun", "tun-device", "problem", "rm /dev/net/tun"},
      {"TunIsNotADevice", "tun-device", "problem", "rm /dev/net/tun; touch /dev/net/tun"},
      {"NoSocket", "socket", "problem", "kill -9 $(pidof svnetd); rm $SVNET_SOCKET"},
      {"SocketIsAFile", "socket", "problem",
       "kill -9 $(pidof svnetd); rm $SVNET_SOCKET; touch $SVNET_SOCKET"},
      {"SvnetdDoesNotAnswer", "answer", "problem", "kill -9 $(pidof svnetd)"},
      {"BridgeDown", "bridge-up", "problem", "ip link set svbr0 down", Svnetd::kStopped},
      {"NoGateway", "bridge-address", "problem", "ip address flush dev svbr0", Svnetd::kStopped},
      {"NoDefaultRoute", "default-route", "warning", "ip route delete default", Svnetd::kStopped},
      {"SmallMtu", "mtu", "warning", "ip link set up0 mtu 1400"},
      {"PrefixOfAnotherLink", "prefix", "problem", "ip address add 172.30.0.200/28 dev up0"},
      {"PrefixThatIsConfigured", "prefix", "problem",
       "mkdir /etc/svnet; printf '\\nsubnet = \"172.30.0.0/24\"\\n[limits]\\n' "
       ">/etc/svnet/svnetd.toml; ip address add 172.30.0.200/28 dev up0"},
      {"PrefixThatIsNotConfigured", "prefix", "problem",
       "mkdir /etc/svnet; cp " SVNET_SOURCE "/systemd/svnetd.toml /etc/svnet; "
       "ip address add 172.30.0.200/28 dev up0"},
      {"DockerPools", "docker-pools", "warning",
       "svnetctl cleanup --network && ip link add docker0 type bridge"},
      {"NoForwarding", "forwarding", "problem", "sysctl -qw net.ipv4.ip_forward=0",
       Svnetd::kStopped},
      {"FileTurnsForwardingOff", "forwarding-kept", "warning",
       "printf 'kernel.panic=1\\nnet.ipv4.ip_forward = 0\\n' >/etc/sysctl.d/9.conf"},
      {"SysctlConfTurnsForwardingOff", "forwarding-kept", "warning",
       "echo -net/ipv4/ip_forward=0 >/etc/sysctl.conf"},
      {"LinkDoesNotForward", "link-forwarding", "problem",
       "sysctl -qw net.ipv4.conf.svbr0.forwarding=0", Svnetd::kStopped},
      {"StrictReversePath", "reverse-path", "warning", kSecondUplink},
      {"IptablesSeesTheBridge", "bridge-netfilter", "warning",
       "sysctl -qw net.bridge.bridge-nf-call-iptables=1"},
      {"RulesAreGone", "own-rules", "problem", "nft flush ruleset", Svnetd::kStopped},
      {"DockerRules", "docker", "problem", kDocker, Svnetd::kRuns, true},
      // It lets pings pass, and nothing else.
      {"Ufw", "ufw", "problem", "ufw --force enable"},
      {"IptablesDrops", "iptables", "problem", "iptables-nft -P FORWARD DROP", Svnetd::kRuns, true},
      {"OtherTableDrops", "other-rules", "problem", kOtherTable, Svnetd::kRuns, true},
      {"LegacyIptablesDrops", "legacy-iptables", "problem", kLegacy, Svnetd::kRuns, true},
      {"PortsRunOut", "ports", "warning", kPorts},
      {"NeighboursRunOut", "neighbours", "warning", kNeighbours, Svnetd::kRuns, false,
       kNeighbourLimit},
      {"ConnectionsRunOut", "conntrack", "warning", kConnections},
      {"UnattachedTap", "unattached", "warning", "svnetctl create vm2"},
      {"UnknownTapWithOurAlias", "not-adopted", "warning",
       "ip tuntap add svlost mode tap && "
       "ip link set svlost alias 'svnet2 n=default v=gone'"},
  };
  return *troubles;
}

class DoctorTestOfTroubles : public DoctorTest, public ::testing::WithParamInterface<Trouble> {};

TEST_P(DoctorTestOfTroubles, IsFoundAndFixedByThePrintedCommand) {
  const Trouble& trouble = GetParam();
  if (trouble.svnetd == Svnetd::kStopped) svnetd().Stop(SIGTERM);
  EXPECT_EQ(Type(trouble.before), 0) << trouble.before;
  ExpectFoundAndFixed(trouble.check, trouble.level, [&] {
    EXPECT_EQ(Type(trouble.make), 0) << trouble.make;
    if (trouble.cuts_off) {
      EXPECT_FALSE(GuestGetsOut());
    }
  });
  if (trouble.cuts_off) {
    EXPECT_TRUE(GuestGetsOut());
  }
}
INSTANTIATE_TEST_SUITE_P(Each, DoctorTestOfTroubles, ::testing::ValuesIn(Troubles()),
                         [](const auto& each) { return each.param.name; });

// Where the others are tested: a story of svnetctl_doctor_test.cc, or the container, which
// has a systemd.
constexpr char kContainer[] = "tests/service/doctor.sh";
const std::map<std::string, std::string>& Stories() {
  static const auto* const stories = new std::map<std::string, std::string>{
      {"tun-access", "ReportsAUserWhoMayNotOpenTun"},
      {"user-namespace", "Namespaces"},
      {"pid-namespace", "Namespaces"},
      {"network-namespace", "AnotherNetworkNamespace"},
      {"configuration", "ReportsAWrongConfiguration"},
      {"systemd-unit", kContainer},
      {"socket-group", "ReportsAUserOutsideTheGroup"},
      {"version", "AnotherVersionOfSvnetd"},
      {"conditions", "FixesAPausedRepairByARestart"},
      {"kernel-version", "AnotherKernel"},
      {"bridge-module", "AnotherKernel"},
      {"nft-module", "AnotherKernel"},
      {"masquerade-module", "AnotherKernel"},
      {"uplink-up", "Uplink"},
      {"backlog", "ABacklogThatWasFull"},
      {"firewalld", kContainer},
      {"networkd", kContainer},
      {"network-manager", kContainer},
      {"udev", "Udev"},
      {"addresses", "ReportsThatAddressesRunOut"},
  };
  return *stories;
}

bool IsTest(const std::string& name) {
  const ::testing::UnitTest& program = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < program.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *program.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      if (std::string(suite.name()) == "DoctorTest" && suite.GetTestInfo(j)->name() == name) {
        return true;
      }
    }
  }
  return false;
}

// In the container a check's trouble is a line "found_and_fixed CHECK LEVEL ...".
bool IsInContainer(const std::string& check) {
  std::ifstream file(absl::StrCat(SVNET_SOURCE "/", kContainer));
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, absl::StrCat("found_and_fixed ", check, " "))) return true;
  }
  return false;
}

bool HasTrouble(const std::string& check) {
  for (const Trouble& trouble : Troubles()) {
    if (trouble.check == check) return true;
  }
  const auto story = Stories().find(check);
  if (story == Stories().end()) return false;
  return story->second == kContainer ? IsInContainer(check) : IsTest(story->second);
}

// A check that somebody adds without a trouble fails here.
TEST_F(DoctorTest, TestsARealTroubleForEachCheck) {
  int checks = 0;
  const std::string list = Doctor(kRoot, {"--list"}).out;
  for (const auto& line : absl::StrSplit(list, '\n', absl::SkipEmpty())) {
    const std::string check(line.substr(0, line.find(' ')));
    EXPECT_TRUE(HasTrouble(check)) << check;
    ++checks;
  }
  EXPECT_GE(checks, 44);
}

}  // namespace
}  // namespace svnet::testing

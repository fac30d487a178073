// Each check of the doctor, with what it looks for and without.
#include "client/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/doctor/consequences.h"
#include "client/doctor/session.h"
#include "client/doctor/verdict.h"
#include "daemon/base/link_name.h"
#include "daemon/lease/names.h"
#include "tests/unit/client/fake_host.h"

namespace svnet::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Verdict = FilterRule::Verdict;

constexpr char kSocket[] = "/run/svnet/svnetd.sock";
constexpr gid_t kSvnet = 988;

// A host on which all is well, and a svnetd with one guest.
struct Case {
  FakeHost host;
  Answers svnetd;
};

FilterChain OurNat() {
  return {.family = "inet",
          .table = "svnet-svbr0",
          .name = "postrouting",
          .hook = "postrouting",
          .rules = {FilterRule{.masquerades = true}}};
}

// A chain of svnetd's for guests of one network.
FilterChain OurOwn(const std::string& name) {
  return {.family = "inet", .table = "svnet-svbr0", .name = name, .rules = {FilterRule{}}};
}

FilterChain Forward(const std::string& family, const std::string& table, const std::string& name) {
  return {.family = family,
          .table = table,
          .name = name,
          .hook = "forward",
          .drops_by_default = true,
          .rules = {}};
}

FilterChain Named(const std::string& name) {
  return {.family = "ip", .table = "filter", .name = name, .hook = "", .rules = {}};
}

Case Healthy() {
  Case c;
  c.host.facts = {{"/dev/net/tun", {S_IFCHR | 0666, 0, 0}},
                  {kSocket, {S_IFSOCK | 0660, 0, kSvnet}}};
  c.host.caller.groups = {1000, kSvnet};
  c.host.symlinks = {{"/proc/self/ns/user", "user:[4026531837]"},
                     {"/proc/self/ns/pid", "pid:[4026531836]"}};
  c.host.files = {{"/proc/sys/kernel/osrelease", "6.12.0-amd64\n"},
                  {"/lib/modules/6.12.0-amd64/modules.builtin", ""},
                  {"/lib/modules/6.12.0-amd64/modules.dep",
                   "kernel/net/bridge/bridge.ko:\nkernel/net/netfilter/nf_tables.ko:\n"
                   "kernel/net/netfilter/nft_masq.ko:\n"},
                  {"/proc/sys/net/ipv4/ip_forward", "1\n"},
                  {"/proc/sys/net/ipv4/neigh/default/gc_thresh3", "10\n"},
                  {"/proc/net/arp", "IP address       HW type     Flags       HW address\n"},
                  {"/proc/sys/net/core/netdev_max_backlog", "1000\n"},
                  {"/proc/net/softnet_stat", "0000000f 00000000 00000001\n"},
                  {"/proc/sys/net/netfilter/nf_conntrack_count", "1\n"},
                  {"/proc/sys/net/netfilter/nf_conntrack_max", "100\n"}};
  c.host.links = {{.ifindex = 1, .name = "eth0", .mtu = 1500, .up = true, .carrier = true},
                  {.ifindex = 2, .name = "svbr0", .kind = "bridge", .mtu = 1500, .up = true},
                  {.ifindex = 3,
                   .name = "svvm1eth0",
                   .kind = "tun",
                   .alias = "svnet2 n=default v=vm1",
                   .mtu = 1500,
                   .master = 2}};
  c.host.addresses = {{1, *Ipv4Address::Parse("192.0.2.7"), 24},
                      {2, *Ipv4Address::Parse("172.30.0.1"), 24}};
  c.host.routes = {{Ipv4Prefix::Containing(Ipv4Address(0), 0), 1, RT_TABLE_MAIN, 0, std::nullopt},
                   {*Ipv4Prefix::Parse("172.30.0.0/24"), 2, RT_TABLE_MAIN, 0, std::nullopt}};
  c.host.nft = std::vector<FilterChain>{OurNat(), OurOwn("from_guest")};
  c.svnetd.socket = kSocket;
  auto& network = c.svnetd.networks.emplace_back();
  network.set_bridge("svbr0");
  network.set_prefix("172.30.0.0/24");
  network.set_bridge_up(true);
  network.set_daemon_version(SVNET_VERSION);
  network.mutable_addresses()->set_total(253);
  network.mutable_addresses()->set_used(1);
  network.mutable_ports()->set_limit(1023);
  network.mutable_ports()->set_used(1);
  v1::Tap tap;
  tap.set_tap_name("svvm1eth0");
  tap.set_attached(true);
  c.svnetd.taps = {tap};
  return c;
}

Findings Examined(const Case& c, const std::string& id) {
  const Diagnosis diagnosis =
      Examine(*SelectChecks({id}), Observe(c.host, c.svnetd), [](const char*) {});
  Findings findings;
  for (const NamedFinding& named : diagnosis.findings) findings.push_back(named.finding);
  return findings;
}

struct Trouble {
  std::string check;
  std::function<void(Case&)> make;
  Level level;
  std::string message;
  std::string fix;
};

std::function<void(Case&)> File(const std::string& path, const std::string& text) {
  return [=](Case& c) { c.host.files[path] = text; };
}

std::function<void(Case&)> NftHas(const std::vector<FilterChain>& chains) {
  return [=](Case& c) {
    for (const FilterChain& chain : chains) c.host.nft->push_back(chain);
  };
}

// So many entries of /proc/net/arp.
void Neighbours(Case& c, int count, const std::string& flags) {
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&c.host.files["/proc/net/arp"], "192.0.2.", i, "        0x1         ", flags,
                    "         02:00:00:00:00:01     *        eth0\n");
  }
}

// As udev notes it of the guest's TAP.
void UdevHasSeen(Case& c, const std::string& link_file, const std::string& tag) {
  c.host.files["/run/udev/data/n3"] =
      absl::StrCat("I:1\nE:ID_NET_DRIVER=tun\nE:ID_NET_LINK_FILE=", link_file,
                   "\nE:ID_NET_NAME=svvm1eth0\nG:", tag, "\nQ:", tag, "\nV:1\n");
}
constexpr char kDefaultLinkFile[] = "/usr/lib/systemd/network/99-default.link";

void UdevSetsMacs(Case& c) {
  c.host.files[kDefaultLinkFile] = "[Link]\nNamePolicy=keep\nMACAddressPolicy=persistent\n";
  UdevHasSeen(c, kDefaultLinkFile, "systemd");
}

// Of more guests than there are in a /24.
void UdevMakesUnits(Case& c) {
  c.svnetd.networks[0].mutable_addresses()->set_total(4093);
  UdevHasSeen(c, "/usr/lib/systemd/network/10-svnet.link", "systemd");
}

void SilenceSvnetd(Case& c) { c.svnetd.failure = Failure{.message = "no svnetd there"}; }

// As it does with root of another network namespace.
void RefuseRoot(Case& c) {
  c.host.caller.uid = 0;
  c.svnetd.failure =
      Failure{.reason = "PERMISSION_DENIED", .message = "uid 0 of another network namespace"};
}

const std::vector<Trouble>& Troubles() {
  static const auto* const troubles = new std::vector<Trouble>{
      {"tun-device", [](Case& c) { c.host.facts.erase("/dev/net/tun"); }, Level::kProblem,
       "no /dev/net/tun", "mknod -m 666"},
      {"tun-device", [](Case& c) { c.host.facts["/dev/net/tun"].mode = S_IFREG; }, Level::kProblem,
       "is not a device", "rm /dev/net/tun"},
      {"tun-access",
       [](Case& c) { c.host.unopenable["/dev/net/tun"] = absl::PermissionDeniedError("x"); },
       Level::kProblem, "alice may not open", "chmod 0666 /dev/net/tun"},
      {"tun-access", [](Case& c) { c.host.unopenable["/dev/net/tun"] = absl::NotFoundError("x"); },
       Level::kProblem, "cannot open", "modprobe tun"},
      {"user-namespace", [](Case& c) { c.host.symlinks["/proc/self/ns/user"] = "user:[1]"; },
       Level::kWarning, "separate user namespace", ""},
      {"pid-namespace", [](Case& c) { c.host.listener = 0; }, Level::kWarning,
       "another pid namespace", ""},
      {"pid-namespace", [](Case& c) { c.host.symlinks["/proc/1/ns/pid"] = "pid:[1]"; },
       Level::kWarning, "another pid namespace", ""},
      {"configuration",
       [](Case& c) {
         SilenceSvnetd(c);
         c.host.files["/etc/svnet/svnetd.toml"] = "\nsubnett = 1\n";
       },
       Level::kProblem, "svnetd.toml:2: subnett: unknown key: did you mean subnet?",
       "svnetd --check"},
      {"configuration", File("/etc/svnet/svnetd.toml", "mtu = 1\n"), Level::kWarning,
       "svnetd runs with what the file said before", "editor /etc/svnet/svnetd.toml"},
      {"systemd-unit",
       [](Case& c) {
         c.host.files["/run/systemd/system"] = "";
         c.host.files["/lib/systemd/system/svnetd.service"] = "";
       },
       Level::kProblem, "is not running", "systemctl enable --now svnetd"},
      {"systemd-unit",
       [](Case& c) {
         c.host.files["/run/systemd/system"] = "";
         c.host.files["/lib/systemd/system/svnetd.service"] = "";
         c.host.symlinks["/run/systemd/units/invocation:svnetd.service"] = "1f";
       },
       Level::kWarning, "will not start after a reboot", "systemctl enable svnetd"},
      {"socket", [](Case& c) { c.host.facts.erase(kSocket); }, Level::kProblem,
       "there is no /run/svnet", "systemctl restart svnetd.socket svnetd"},
      {"socket", [](Case& c) { c.host.facts[kSocket].mode = S_IFREG; }, Level::kProblem,
       "is not a socket", "rm /run/svnet/svnetd.sock"},
      {"socket-group",
       [](Case& c) {
         c.host.caller.groups = {1000};
         c.host.groups_in_database = {kSvnet};
       },
       Level::kWarning, "log out and in again", "newgrp svnet"},
      {"socket-group", [](Case& c) { c.host.caller.groups = {1000}; }, Level::kProblem,
       "is not in group svnet", "usermod -aG svnet alice"},
      {"answer", SilenceSvnetd, Level::kProblem, "no svnetd there", "systemctl restart svnetd"},
      {"answer",
       [](Case& c) {
         SilenceSvnetd(c);
         c.host.listener = absl::PermissionDeniedError("x");
       },
       Level::kProblem, "no svnetd there", "usermod -aG svnet alice"},
      {"answer",
       [](Case& c) {
         c.svnetd.failure = Failure{.reason = "PERMISSION_DENIED", .message = "uid 1000 may not"};
       },
       Level::kProblem, "may not", "usermod -aG svnet alice"},
      {"version", [](Case& c) { c.svnetd.networks[0].set_daemon_version("9.9"); }, Level::kWarning,
       "svnetd is 9.9", "systemctl restart svnetd"},
      {"network-namespace", [](Case& c) { c.host.links.erase(c.host.links.begin() + 1); },
       Level::kWarning, "another network namespace", "nsenter"},
      {"network-namespace", RefuseRoot, Level::kWarning, "another network namespace", "nsenter"},
      {"answer", RefuseRoot, Level::kProblem, "another network namespace", "nsenter"},
      {"conditions",
       [](Case& c) {
         auto* condition = c.svnetd.networks[0].add_conditions();
         condition->set_type("DEGRADED");
         condition->set_message("half of it");
         condition->set_remedy("`systemctl restart svnetd` helps");
       },
       Level::kProblem, "DEGRADED: half of it", "systemctl restart svnetd"},
      {"conditions",
       [](Case& c) { c.svnetd.networks[0].add_conditions()->set_type("RESTART_NEEDED"); },
       Level::kWarning, "RESTART_NEEDED", ""},
      {"kernel-version", File("/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n"), Level::kWarning,
       "older than 6.2", ""},
      {"bridge-module",
       [](Case& c) {
         c.host.links.clear();
         c.host.files["/lib/modules/6.12.0-amd64/modules.dep"] = "";
       },
       Level::kProblem, "no module bridge", "linux-image-6.12.0-amd64"},
      {"nft-module",
       [](Case& c) {
         c.host.nft->clear();
         c.host.files["/lib/modules/6.12.0-amd64/modules.dep"] = "";
       },
       Level::kProblem, "no module nf_tables", "linux-image"},
      {"masquerade-module",
       [](Case& c) {
         c.host.nft->clear();
         c.host.files["/lib/modules/6.12.0-amd64/modules.dep"] = "";
       },
       Level::kProblem, "no module nft_masq", "linux-image"},
      {"bridge-up", [](Case& c) { c.host.links[1].up = false; }, Level::kProblem, "svbr0 is down",
       "ip link set svbr0 up"},
      {"bridge-up", [](Case& c) { c.host.links[1].kind = "dummy"; }, Level::kProblem,
       "is not a bridge", "bridge = \"svbr1\""},
      {"bridge-address", [](Case& c) { c.host.addresses.pop_back(); }, Level::kProblem,
       "lacks the gateway's", "ip address add 172.30.0.1/24 dev svbr0"},
      {"default-route", [](Case& c) { c.host.routes.erase(c.host.routes.begin()); },
       Level::kWarning, "no default route", "ip route add default via ROUTER"},
      {"uplink-up", [](Case& c) { c.host.links[0].up = false; }, Level::kProblem, "eth0 is down",
       "ip link set eth0 up"},
      {"uplink-up", [](Case& c) { c.host.links[0].carrier = false; }, Level::kProblem, "no carrier",
       ""},
      {"mtu", [](Case& c) { c.host.links[0].mtu = 1400; }, Level::kWarning, "only 1400",
       "echo 'mtu = 1400' > /etc/svnet/svnetd.toml && systemctl restart svnetd"},
      {"prefix",
       [](Case& c) {
         c.host.routes.push_back(
             {*Ipv4Prefix::Parse("172.16.0.0/12"), 1, RT_TABLE_MAIN, 0, std::nullopt});
       },
       Level::kProblem, "the route 172.16.0.0/12 by link eth0", "subnet = \"10.213.0.0/24\""},
      {"prefix",
       [](Case& c) {
         const Ipv4Address address = *Ipv4Address::Parse("172.30.0.9");
         c.host.addresses.push_back({1, address, 32});
       },
       Level::kProblem, "the address 172.30.0.9/32 of link eth0", "subnet = \"172.30.1.0/24\""},
      {"docker-pools",
       [](Case& c) {
         c.host.links[1].name = "docker0";
         c.host.facts["/run/docker.sock"] = {};
       },
       Level::kWarning, "Docker may take 172.30.0.0/24", "default-address-pools"},
      {"docker-pools",
       [](Case& c) {
         c.host.links.clear();
         c.host.files["/etc/docker/daemon.json"] =
             R"({"default-address-pools": [{"base": "172.30.0.0/16", "size": 24}]})";
       },
       Level::kWarning, "Docker may take", "editor /etc/docker/daemon.json"},
      {"forwarding", File("/proc/sys/net/ipv4/ip_forward", "0\n"), Level::kProblem,
       "ip_forward is 0", "sysctl -w net.ipv4.ip_forward=1"},
      {"forwarding-kept", File("/etc/sysctl.d/10-x.conf", "# x\nnet.ipv4.ip_forward = 0\n"),
       Level::kWarning, "/etc/sysctl.d/10-x.conf turns", "/etc/sysctl.d/10-x.conf"},
      {"forwarding-kept", File("/etc/sysctl.conf", "-net/ipv4/ip_forward=0"), Level::kWarning,
       "/etc/sysctl.conf turns", "/etc/sysctl.conf"},
      {"link-forwarding", File("/proc/sys/net/ipv4/conf/svbr0/forwarding", "0\n"), Level::kProblem,
       "svbr0 does not forward", "sysctl -w net/ipv4/conf/svbr0/forwarding=1"},
      {"reverse-path",
       [](Case& c) {
         c.host.links.push_back({.ifindex = 9, .name = "eth9"});
         c.host.routes.push_back({c.host.routes[0].destination, 9, RT_TABLE_MAIN, 5, std::nullopt});
         c.host.files["/proc/sys/net/ipv4/conf/eth9/rp_filter"] = "1\n";
       },
       Level::kWarning, "eth9 drops", "sysctl -w net/ipv4/conf/eth9/rp_filter=2"},
      {"bridge-netfilter", File("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n"),
       Level::kWarning, "as Docker and Kubernetes want it", "bridge-nf-call-iptables=0"},
      {"bridge-netfilter",
       [](Case& c) {
         File("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")(c);
         c.host.files["/var/lib/kubelet"] = "";
       },
       Level::kWarning, "as Docker and Kubernetes want it",
       "iptables -I FORWARD -i svbr0 -o svbr0"},
      {"own-rules", [](Case& c) { c.host.nft->front().rules[0].masquerades = false; },
       Level::kProblem, "rules are missing in table inet svnet-svbr0", "systemctl restart svnetd"},
      {"own-rules", [](Case& c) { c.host.nft->clear(); }, Level::kProblem,
       "rules are missing in table inet svnet-svbr0", "systemctl restart svnetd"},
      {"own-rules", [](Case& c) { c.host.nft->back().rules.clear(); }, Level::kProblem,
       "chain from_guest of table inet svnet-svbr0 has lost its rules", "systemctl restart svnetd"},
      {"docker", NftHas({Forward("ip", "filter", "FORWARD"), Named("DOCKER-USER")}),
       Level::kProblem, "Docker drops traffic from guests", "-I DOCKER-USER -i svbr0 -j ACCEPT"},
      {"ufw", NftHas({Forward("ip", "filter", "FORWARD"), Named("ufw-user-forward")}),
       Level::kProblem, "ufw drops", "ufw route allow in on svbr0"},
      {"firewalld", NftHas({Forward("inet", "firewalld", "filter_FORWARD")}), Level::kProblem,
       "firewalld drops", "--zone=trusted --add-interface=svbr0"},
      {"iptables", NftHas({Forward("ip", "filter", "FORWARD")}), Level::kProblem, "iptables drops",
       "iptables -I FORWARD -o svbr0 -j ACCEPT"},
      {"other-rules", NftHas({Forward("inet", "mine", "fwd")}), Level::kProblem,
       "another nftables table", "nft insert rule inet mine fwd iifname svbr0 accept"},
      {"legacy-iptables",
       [](Case& c) { c.host.legacy->push_back(Forward("iptables-legacy", "filter", "FORWARD")); },
       Level::kProblem, "iptables-legacy drops", "iptables-legacy -I FORWARD"},
      {"networkd", File("/run/systemd/netif/links/2", "A=b\nNETWORK_FILE=/x\n"), Level::kWarning,
       "manages svbr0", "Unmanaged=yes"},
      {"network-manager", File("/run/NetworkManager/devices/3", "[device]\nmanaged=true\n"),
       Level::kWarning, "manages svvm1eth0", "unmanaged-devices"},
      {"addresses", [](Case& c) { c.svnetd.networks[0].mutable_addresses()->set_used(253); },
       Level::kProblem, "253 of 253", ""},
      {"addresses",
       [](Case& c) {
         c.svnetd.networks[0].mutable_addresses()->set_used(250);
         c.svnetd.taps[0].set_attached(false);
       },
       Level::kWarning, "250 of 253", "svnetctl remove --tap svvm1eth0"},
      {"ports", [](Case& c) { c.svnetd.networks[0].mutable_ports()->set_used(1000); },
       Level::kWarning, "1000 of 1023", ""},
      {"udev", UdevSetsMacs, Level::kWarning,
       "udev takes /usr/lib/systemd/network/99-default.link for svvm1eth0: it may change the MAC",
       "MACAddressPolicy=none\\n' > /etc/systemd/network/05-svnet.link && udevadm control"},
      {"udev", UdevMakesUnits, Level::kWarning,
       "systemd makes units for each TAP, as svvm1eth0: where there are up to 4093",
       "> /etc/udev/rules.d/99-zz-svnet.rules && udevadm control --reload && udevadm trigger"},
      {"neighbours", [](Case& c) { Neighbours(c, 9, "0x2"); }, Level::kWarning, "9 of 10",
       "gc_thresh3=40 net.ipv4.neigh.default.gc_thresh2=20"},
      {"backlog", File("/proc/net/softnet_stat", "00000001 00000000 0\n00000001 0000001a 0\n"),
       Level::kWarning, "26 packets were dropped since boot because 1000 waited",
       "sysctl -w net.core.netdev_max_backlog=10000"},
      {"conntrack", File("/proc/sys/net/netfilter/nf_conntrack_count", "95\n"), Level::kWarning,
       "95 of 100", "nf_conntrack_max=200"},
      {"unattached", [](Case& c) { c.svnetd.taps[0].set_attached(false); }, Level::kWarning,
       "svvm1eth0", "svnetctl remove --tap svvm1eth0"},
      {"not-adopted",
       [](Case& c) {
         c.host.caller.uid = 0;
         c.svnetd.taps.clear();
       },
       Level::kWarning, "link svvm1eth0 has an alias of svnet", "ip link delete svvm1eth0"},
  };
  return *troubles;
}

TEST(DoctorTest, FindsNothingOnAHealthyHost) {
  const Case c = Healthy();
  for (const Check& check : AllChecks()) {
    for (const Finding& finding : Examined(c, check.id)) {
      const bool not_here = finding.level == Level::kNotChecked;
      EXPECT_TRUE(finding.level == Level::kOk || not_here) << check.id << ": " << finding.message;
    }
  }
}

TEST(DoctorTest, FindsEachTroubleAndPrintsItsFix) {
  for (const Trouble& trouble : Troubles()) {
    Case c = Healthy();
    trouble.make(c);
    const Findings findings = Examined(c, trouble.check);
    ASSERT_EQ(findings.size(), 1) << trouble.check;
    EXPECT_EQ(findings[0].level, trouble.level) << trouble.check << ": " << findings[0].message;
    EXPECT_THAT(findings[0].message, HasSubstr(trouble.message)) << trouble.check;
    EXPECT_THAT(findings[0].fix, HasSubstr(trouble.fix)) << trouble.check;
  }
}

TEST(DoctorTest, TestsATroubleForEachCheck) {
  for (const Check& check : AllChecks()) {
    bool known = false;
    for (const Trouble& trouble : Troubles()) known |= trouble.check == check.id;
    EXPECT_TRUE(known) << check.id;
  }
}

// On a routed network guests' packets come from their TAPs: rules by the bridge's name help nobody.
TEST(DoctorTest, SaysWhatHelpsRoutedGuestsByAddress) {
  const std::map<std::string, std::string> fixes = {
      {"docker",
       "iptables -I DOCKER-USER -s 172.30.0.0/24 -i sv+ -j ACCEPT && iptables -I DOCKER-USER -d "
       "172.30.0.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"},
      {"ufw",
       "ufw route allow in on sv+ from 172.30.0.0/24 && ufw route allow out on sv+ to "
       "172.30.0.0/24"},
      {"firewalld",
       "firewall-cmd --permanent --zone=trusted --add-source=172.30.0.0/24 && firewall-cmd "
       "--reload"},
      {"iptables",
       "iptables -I FORWARD -s 172.30.0.0/24 -i sv+ -j ACCEPT && iptables -I FORWARD -d "
       "172.30.0.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"},
      {"other-rules",
       "nft insert rule inet mine fwd iifname 'sv*' ip saddr 172.30.0.0/24 accept && nft insert "
       "rule inet mine fwd ip daddr 172.30.0.0/24 ct state established,related accept"}};
  for (const Trouble& trouble : Troubles()) {
    const auto fix = fixes.find(trouble.check);
    if (fix == fixes.end()) continue;
    Case c = Healthy();
    trouble.make(c);
    c.svnetd.networks[0].set_kind(v1::NETWORK_KIND_ROUTED);
    const Findings findings = Examined(c, trouble.check);
    ASSERT_EQ(findings.size(), 1u) << trouble.check;
    EXPECT_THAT(findings[0].fix, ::testing::StartsWith(fix->second));
  }
}

TEST(DoctorTest, ARoutedNetworkNeedsNoPorts) {
  Case c = Healthy();
  c.svnetd.networks[0].set_kind(v1::NETWORK_KIND_ROUTED);
  c.svnetd.networks[0].clear_ports();
  EXPECT_EQ(Examined(c, "ports")[0].level, Level::kOk);
}

TEST(DoctorTest, SkipsChecksThatNeedRoot) {
  Case c = Healthy();
  c.host.nft = absl::PermissionDeniedError("no");
  c.host.legacy = absl::PermissionDeniedError("no");
  for (const char* id : {"own-rules", "docker", "ufw", "firewalld", "iptables", "other-rules",
                         "legacy-iptables", "not-adopted"}) {
    const Findings findings = Examined(c, id);
    EXPECT_EQ(findings[0].level, Level::kNotChecked) << id;
    EXPECT_THAT(findings[0].message, HasSubstr("needs root")) << id;
  }
}

TEST(DoctorTest, SkipsChecksThatNeedSvnetdIfItDoesNotAnswer) {
  Case c = Healthy();
  SilenceSvnetd(c);
  for (const char* id :
       {"version", "conditions", "addresses", "ports", "unattached", "not-adopted"}) {
    EXPECT_EQ(Examined(c, id)[0].level, Level::kNotChecked) << id;
  }
}

// In a container svnetd and its callers share a namespace that is not the host's.
TEST(DoctorTest, ComparesNamespacesWithSvnetdsOwn) {
  Case c = Healthy();
  for (const char* who : {"self", "1"}) {
    c.host.symlinks[absl::StrCat("/proc/", who, "/ns/user")] = "user:[77]";
    c.host.symlinks[absl::StrCat("/proc/", who, "/ns/pid")] = "pid:[77]";
  }
  EXPECT_EQ(Examined(c, "user-namespace")[0].level, Level::kOk);
  EXPECT_EQ(Examined(c, "pid-namespace")[0].level, Level::kOk);
}

// The kernel's limit does not count them (neighbour.c: neigh_alloc), and guests' are such.
TEST(DoctorTest, PermanentNeighboursTakeNoRoom) {
  Case c = Healthy();
  Neighbours(c, 1000, "0x6");
  EXPECT_EQ(Examined(c, "neighbours")[0].message, "0 of 10 neighbour entries are used");
}

// What was dropped since boot stays counted when the cause is gone.
TEST(DoctorTest, ALongBacklogIsInOrder) {
  Case c = Healthy();
  File("/proc/net/softnet_stat", "00000001 0000001a 00000000\n")(c);
  File("/proc/sys/net/core/netdev_max_backlog", "10000\n")(c);
  EXPECT_EQ(Examined(c, "backlog")[0].level, Level::kOk);
}

TEST(DoctorTest, UdevsWorkForFewTapsIsInOrder) {
  Case c = Healthy();
  UdevMakesUnits(c);
  c.svnetd.networks[0].mutable_addresses()->set_total(253);
  EXPECT_EQ(Examined(c, "udev")[0].level, Level::kOk);
}

// These TAPs are older than the rules.
TEST(DoctorTest, UdevsWorkIsInOrderIfItHasOurRules) {
  for (const char* folder : {"/etc", "/run", "/usr/lib", "/lib"}) {
    Case c = Healthy();
    UdevMakesUnits(c);
    c.host.files[absl::StrCat(folder, "/udev/rules.d/99-zz-svnet.rules")] = "";
    EXPECT_EQ(Examined(c, "udev")[0].level, Level::kOk) << folder;
  }
}

TEST(DoctorTest, ALinkFileThatLeavesMacsAloneIsInOrder) {
  Case c = Healthy();
  UdevSetsMacs(c);
  c.host.files[kDefaultLinkFile] = "[Link]\nMACAddressPolicy=none\n";
  EXPECT_EQ(Examined(c, "udev")[0].level, Level::kOk);
}

// In a network namespace that is not udev's, an index is another link's.
TEST(DoctorTest, WhatUdevSaysOfAnotherLinkIsIgnored) {
  Case c = Healthy();
  UdevSetsMacs(c);
  c.host.links[2].name = "svvm2eth0";
  EXPECT_EQ(Examined(c, "udev")[0].level, Level::kOk);
}

TEST(DoctorTest, NeverNamesATapThatSvnetdIsAboutToDestroy) {
  Case c = Healthy();
  c.host.caller.uid = 0;
  c.svnetd.taps.clear();
  for (const uint32_t number : {0u, kRetiredGroups - 1}) {
    c.host.links.back().group = RetiredGroupOf(DeriveLinkGroup(*LinkName::Parse("svbr0")), number);
    EXPECT_EQ(Examined(c, "not-adopted")[0].level, Level::kOk);
  }
}

TEST(DoctorTest, AddressesThatRunOutNameNoLeaseThatEndsByItself) {
  Case c = Healthy();
  c.svnetd.networks[0].mutable_addresses()->set_used(253);
  c.svnetd.taps[0].set_attached(false);
  c.svnetd.taps[0].mutable_lifetime()->mutable_process()->set_pid(7);
  EXPECT_EQ(Examined(c, "addresses")[0].fix, "");
}

TEST(DoctorTest, TheFixForSeveralUnusedTapsIsForEach) {
  Case c = Healthy();
  c.svnetd.taps[0].set_attached(false);
  c.svnetd.taps.push_back(c.svnetd.taps[0]);
  EXPECT_THAT(Examined(c, "unattached")[0].fix, HasSubstr("# and each other one"));
}

// The checks that find something that is not in order.
std::vector<std::string> Failures(const Case& c) {
  const Diagnosis all =
      WithoutConsequences(Examine(AllChecks(), Observe(c.host, c.svnetd), [](const char*) {}));
  std::vector<std::string> failures;
  for (const NamedFinding& named : all.findings) {
    if (named.finding.level >= Level::kWarning) failures.push_back(named.check);
  }
  return failures;
}

TEST(DoctorTest, AStoppedSvnetdIsOneFinding) {
  Case c = Healthy();
  SilenceSvnetd(c);
  c.host.facts.erase(kSocket);
  EXPECT_THAT(Failures(c), ElementsAre("socket"));
  c.host.files["/run/systemd/system"] = "";
  c.host.files["/lib/systemd/system/svnetd.service"] = "";
  EXPECT_THAT(Failures(c), ElementsAre("systemd-unit"));
  c.host.files["/etc/svnet/svnetd.toml"] = "subnett = 1\n";
  EXPECT_THAT(Failures(c), ElementsAre("configuration"));
}

TEST(DoctorTest, AUserOutsideTheGroupIsOneFinding) {
  Case c = Healthy();
  SilenceSvnetd(c);
  c.host.listener = absl::PermissionDeniedError("x");
  c.host.caller.groups = {1000};
  EXPECT_THAT(Failures(c), ElementsAre("socket-group"));
}

TEST(DoctorTest, WhatSvnetdReportsAndTheDoctorFindsIsOneFinding) {
  Case c = Healthy();
  NftHas({Forward("ip", "filter", "FORWARD")})(c);
  auto* condition = c.svnetd.networks[0].add_conditions();
  condition->set_type("FOREIGN_FIREWALL");
  condition->set_message("iptables drops traffic from guests");
  EXPECT_THAT(Failures(c), ElementsAre("iptables"));
  c.host.nft = absl::PermissionDeniedError("not root");
  EXPECT_THAT(Failures(c), ElementsAre("conditions"));
}

// The network `red` beside `default`, in order as well, with a guest.
void AddRed(Case& c) {
  c.host.links.push_back(
      {.ifindex = 4, .name = "svred0", .kind = "bridge", .mtu = 1500, .up = true});
  c.host.links.push_back({.ifindex = 5,
                          .name = "svvm2eth0",
                          .kind = "tun",
                          .alias = "svnet2 n=red v=vm2",
                          .mtu = 1500,
                          .master = 4});
  c.host.addresses.push_back({4, *Ipv4Address::Parse("172.31.0.1"), 24});
  c.host.routes.push_back({*Ipv4Prefix::Parse("172.31.0.0/24"), 4, RT_TABLE_MAIN, 0, std::nullopt});
  v1::GetNetworkResponse red = c.svnetd.networks[0];
  red.set_name("red");
  red.set_bridge("svred0");
  red.set_prefix("172.31.0.0/24");
  c.svnetd.networks.push_back(red);
  // What the networks have of their own is no longer in the hooks' chains.
  FilterChain& nat = c.host.nft->front();
  nat.rules[0].masquerades = false;
  for (const char* prefix : {"", "red/"}) {
    for (const char* name : {"from_guest", "postrouting_source"}) {
      c.host.nft->push_back(OurOwn(absl::StrCat(prefix, name)));
      c.host.nft->back().rules[0].masquerades = name[0] == 'p';
    }
  }
  v1::Tap tap;
  tap.set_tap_name("svvm2eth0");
  tap.set_network("red");
  tap.set_attached(true);
  c.svnetd.taps.push_back(tap);
}

// What is not in order, each as "CHECK: MESSAGE".
std::vector<std::string> Found(const Case& c, const std::string& only = "") {
  const Diagnosis all = WithoutConsequences(
      Examine(AllChecks(), Observe(c.host, c.svnetd, only), [](const char*) {}));
  std::vector<std::string> found;
  for (const NamedFinding& named : all.findings) {
    if (named.finding.level < Level::kWarning) continue;
    found.push_back(absl::StrCat(named.check, ": ", MessageOf(named)));
  }
  return found;
}

TEST(DoctorTest, FindsNothingOnAHealthyHostOfTwoNetworks) {
  Case c = Healthy();
  AddRed(c);
  c.host.caller.uid = 0;
  EXPECT_THAT(Found(c), ElementsAre());
}

TEST(DoctorTest, NamesTheNetworkUnlessItIsTheDefault) {
  Case c = Healthy();
  AddRed(c);
  c.host.links[3].up = false;
  EXPECT_THAT(Found(c), ElementsAre("bridge-up: network red: svred0 is down"));
  EXPECT_THAT(Found(c, "default"), ElementsAre());
  c.host.links[3].up = true;
  c.host.links[1].up = false;
  EXPECT_THAT(Found(c), ElementsAre("bridge-up: svbr0 is down"));
  EXPECT_THAT(Found(c, "red"), ElementsAre());
}

TEST(DoctorTest, LooksForUnusedTapsOnEachNetwork) {
  Case c = Healthy();
  AddRed(c);
  for (v1::Tap& tap : c.svnetd.taps) tap.set_attached(false);
  EXPECT_THAT(Found(c),
              ElementsAre(HasSubstr("unattached: no VMM has svvm1eth0 open"),
                          HasSubstr("unattached: network red: no VMM has svvm2eth0 open")));
}

// The chain of svnetd's tables with that name.
FilterChain& Ours(Case& c, const std::string& name) {
  return *std::find_if(c.host.nft->begin(), c.host.nft->end(),
                       [&](const FilterChain& chain) { return chain.name == name; });
}

TEST(DoctorTest, NamesTheNetworkWhoseRulesAreMissing) {
  Case c = Healthy();
  AddRed(c);
  Ours(c, "red/postrouting_source").rules[0].masquerades = false;
  EXPECT_THAT(Found(c), ElementsAre("own-rules: network red: rules are missing in table inet "
                                    "svnet-svbr0: guests cannot get out"));
  Ours(c, "from_guest").rules.clear();
  EXPECT_THAT(
      Found(c),
      ElementsAre("own-rules: chain from_guest of table inet svnet-svbr0 has lost its rules",
                  HasSubstr("own-rules: network red: rules are missing")));
}

TEST(DoctorTest, RulesThatAllNetworksShareAreMissingInEach) {
  Case c = Healthy();
  AddRed(c);
  Ours(c, "postrouting").rules.clear();
  EXPECT_THAT(Found(c), ElementsAre("own-rules: networks default, red: chain postrouting of table "
                                    "inet svnet-svbr0 has lost its rules"));
}

TEST(DoctorTest, MissingRulesOfOneNetworkExplainWhatEachReports) {
  Case c = Healthy();
  AddRed(c);
  for (auto& network : c.svnetd.networks) network.add_conditions()->set_type("NAT_MISSING");
  Ours(c, "red/from_guest").rules.clear();
  EXPECT_THAT(Found(c), ElementsAre(HasSubstr("own-rules: network red: chain red/from_guest")));
}

// They are named after the default network's bridge.
TEST(DoctorTest, SvnetdsTablesDropNothingOfAnotherNetwork) {
  Case c = Healthy();
  AddRed(c);
  NftHas({Forward("inet", "svnet-svbr0", "forward")})(c);
  Ours(c, "forward").rules = {FilterRule{.opaque = true}};
  EXPECT_THAT(Found(c), ElementsAre());
}

TEST(DoctorTest, WhatIsTheSameOfTwoNetworksIsOneFinding) {
  Case c = Healthy();
  AddRed(c);
  NftHas({Forward("ip", "filter", "FORWARD"), Named("DOCKER-USER")})(c);
  const Diagnosis all = WithoutConsequences(
      Examine(*SelectChecks({"docker"}), Observe(c.host, c.svnetd), [](const char*) {}));
  ASSERT_EQ(all.findings.size(), 1u);
  EXPECT_THAT(MessageOf(all.findings[0]), HasSubstr("networks default, red: Docker drops"));
  const std::string& fix = all.findings[0].finding.fix;
  EXPECT_THAT(fix, HasSubstr("-I DOCKER-USER -i svbr0 -j ACCEPT"));
  EXPECT_THAT(fix, HasSubstr(" && iptables -I DOCKER-USER -i svred0 -j ACCEPT"));
  EXPECT_THAT(fix,
              ::testing::EndsWith("ACCEPT  # or manage_foreign_firewalls = true in svnetd.toml"));
  EXPECT_THAT(RenderDiagnosisJson(all), HasSubstr(R"("networks": ["default", "red"]})"));
}

TEST(DoctorTest, DockersPoolsAreOneFindingForAllNetworks) {
  Case c = Healthy();
  AddRed(c);
  c.host.facts["/run/docker.sock"] = {};
  EXPECT_THAT(Found(c), ElementsAre());
  c.host.links[3].name = "other0";
  const Findings of_red = Examined(c, "docker-pools");
  ASSERT_EQ(of_red.size(), 1u);
  EXPECT_THAT(of_red[0].message, HasSubstr("Docker may take 172.31.0.0/24 (network red) for"));
  c.host.links[1].name = "other1";
  c.svnetd.networks[1].set_prefix("10.215.7.0/24");
  c.host.files["/etc/docker/daemon.json"] =
      R"({"default-address-pools": [{"base": "172.30.0.0/16"}, {"base": "10.215.0.0/16"}]})";
  const Findings of_both = Examined(c, "docker-pools");
  ASSERT_EQ(of_both.size(), 1u);
  EXPECT_THAT(of_both[0].message,
              HasSubstr("may take 172.30.0.0/24, 10.215.7.0/24 (network red) for"));
  EXPECT_THAT(of_both[0].message, HasSubstr(R"("base": "10.216.0.0/16")"));
}

TEST(DoctorTest, ACauseOnOneNetworkExplainsNothingOnAnother) {
  Case c = Healthy();
  AddRed(c);
  c.host.routes.push_back({*Ipv4Prefix::Parse("172.31.0.0/16"), 1, RT_TABLE_MAIN, 0, std::nullopt});
  for (auto& network : c.svnetd.networks) {
    network.add_conditions()->set_type("SUBNET_CONFLICT");
  }
  EXPECT_THAT(Found(c), ElementsAre("conditions: SUBNET_CONFLICT: ",
                                    HasSubstr("prefix: network red: 172.31.0.0/24 overlaps")));
}

TEST(DoctorTest, ACauseOfTheHostExplainsWhatEachNetworkReports) {
  Case c = Healthy();
  AddRed(c);
  c.host.files["/proc/sys/net/ipv4/ip_forward"] = "0\n";
  for (auto& network : c.svnetd.networks) network.add_conditions()->set_type("FORWARDING_OFF");
  EXPECT_THAT(Found(c), ElementsAre(HasSubstr("forwarding: net.ipv4.ip_forward is 0")));
}

// The fix for an uplink with a smaller MTU, if svnetd's file has that text.
std::string FixOfMtu(const std::string& only, const std::string& file) {
  Case c = Healthy();
  AddRed(c);
  c.host.links[0].mtu = 1400;
  c.host.files["/etc/svnet/svnetd.toml"] = file;
  const Diagnosis all =
      Examine(*SelectChecks({"mtu"}), Observe(c.host, c.svnetd, only), [](const char*) {});
  return all.findings[0].finding.fix;
}

TEST(DoctorTest, EditsTheSectionOfTheNetwork) {
  constexpr char kRest[] = "' /etc/svnet/svnetd.toml && systemctl restart svnetd";
  const std::string red = "[networks.red]\nbridge = \"svred0\"\n";
  EXPECT_EQ(FixOfMtu("default", red + "mtu = 1500\n"),
            absl::StrCat("sed -i '1i mtu = 1400", kRest));
  EXPECT_EQ(FixOfMtu("default", "mtu = 1500\n" + red),
            absl::StrCat("sed -i '0,/^ *\\[/s|^mtu .*|mtu = 1400|", kRest));
  EXPECT_EQ(FixOfMtu("default", "mtu = 1500\n[limits]\n"),
            absl::StrCat("sed -i 's|^mtu .*|mtu = 1400|", kRest));
  EXPECT_EQ(FixOfMtu("red", "mtu = 1500\n" + red + "[networks.blue]\nmtu = 1500\n"),
            absl::StrCat("sed -i '/^\\[networks\\.red\\]/a mtu = 1400", kRest));
  EXPECT_EQ(FixOfMtu("red", red + "mtu = 1500\n[networks.blue]\nmtu = 1500\n"),
            absl::StrCat("sed -i '/^\\[networks\\.red\\]/,/^ *\\[/s|^mtu .*|mtu = 1400|", kRest));
}

TEST(DoctorTest, AFileOfAnotherStyleIsForAnEditor) {
  constexpr char kEdit[] = "editor /etc/svnet/svnetd.toml && systemctl restart svnetd  # ";
  EXPECT_EQ(FixOfMtu("default", "mtu=1500\n"), absl::StrCat(kEdit, "at the top: mtu = 1400"));
  EXPECT_EQ(FixOfMtu("red", "[networks]\nred = {bridge = \"svred0\"}\n"),
            absl::StrCat(kEdit, "in [networks.red]: mtu = 1400"));
  EXPECT_EQ(FixOfMtu("red", "[networks.red]\n  mtu = 1500\n"),
            absl::StrCat(kEdit, "in [networks.red]: mtu = 1400"));
}

TEST(DoctorTest, SuggestsAnotherPrefixForEachNetwork) {
  Case c = Healthy();
  AddRed(c);
  c.host.files["/etc/svnet/svnetd.toml"] = "[networks.red]\nsubnet = \"172.31.0.0/24\"\n";
  for (const char* address : {"172.30.0.9", "172.31.0.9"}) {
    c.host.addresses.push_back({1, *Ipv4Address::Parse(address), 32});
  }
  const Findings findings = Examined(c, "prefix");
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].fix, HasSubstr("1i subnet = \"172.30.1.0/24\""));
  EXPECT_THAT(findings[0].fix, HasSubstr(" && svnetctl cleanup --network && "));
  EXPECT_THAT(findings[1].fix, HasSubstr("s|^subnet .*|subnet = \"172.30.2.0/24\"|"));
  EXPECT_THAT(findings[1].fix, HasSubstr(" && svnetctl cleanup --network --of red && "));
}

TEST(DoctorTest, AnSvnetdThatDoesNotAnswerShowsNoNetworkOfAnotherName) {
  Case c = Healthy();
  SilenceSvnetd(c);
  const Diagnosis all =
      Examine(*SelectChecks({"bridge-up"}), Observe(c.host, c.svnetd, "red"), [](const char*) {});
  ASSERT_EQ(all.findings.size(), 1u);
  EXPECT_EQ(all.findings[0].finding.level, Level::kNotChecked);
}

TEST(DoctorTest, AUserOfNoNetworkIsToldSo) {
  Case c = Healthy();
  c.svnetd.networks.clear();
  c.svnetd.taps.clear();
  EXPECT_EQ(Examined(c, "bridge-up")[0].message, "this user may use no network");
  EXPECT_EQ(Examined(c, "version")[0].message, "this user may use no network");
}

TEST(DoctorTest, AnUnknownCheckIsAnErrorInTheFormatThatWasAskedFor) {
  const Report text =
      RunDoctor("", absl::ZeroDuration(), {.checks = {"mut"}}, Format::kPeople, false);
  EXPECT_EQ(text.exit_code, ExitCode::kUsage);
  EXPECT_EQ(text.standard_error,
            "svnetctl: there is no check 'mut': did you mean mtu?\n"
            "svnetctl doctor --list shows all checks\n");
  const Report json =
      RunDoctor("", absl::ZeroDuration(), {.checks = {"mut"}}, Format::kJson, false);
  EXPECT_EQ(json.exit_code, ExitCode::kUsage);
  EXPECT_THAT(json.standard_output, HasSubstr("\"error\": {"));
}

TEST(DoctorTest, BeginsWithAVerdict) {
  Diagnosis diagnosis;
  diagnosis.findings = {{"a", Ok("good")[0]}, {"b", NotChecked("not here")[0]}};
  EXPECT_EQ(RenderDiagnosis(diagnosis, {}), "svnet works: 1 check, nothing wrong\n");
  diagnosis.findings.push_back({"c", Warning("may break", "")[0]});
  EXPECT_EQ(RenderDiagnosis(diagnosis, {}),
            "svnet works: 2 checks, no problem; 1 warning: c\n\n"
            "warning      c                  may break\n");
  diagnosis.findings.push_back({"d", Problem("bad\x1b", "do it")[0]});
  EXPECT_EQ(RenderDiagnosis(diagnosis, {}),
            "1 problem: d; 1 warning: c\n\n"
            "PROBLEM      d                  bad\\x1b\n"
            "                                fix: do it\n"
            "warning      c                  may break\n");
  EXPECT_THAT(RenderDiagnosis(diagnosis, {.all = true}),
              HasSubstr("not checked  b                  not here\nok           a"));
  EXPECT_THAT(RenderDiagnosis(diagnosis, {.colour = true}), HasSubstr("\x1b[31mPROBLEM"));
  EXPECT_THAT(RenderDiagnosisJson(diagnosis),
              HasSubstr(R"({"check": "a", "level": "ok", "message": "good", "fix": ""})"));
}

TEST(DoctorTest, SaysHowManyChecksNeedRoot) {
  const Diagnosis diagnosis = {{{"a", NotChecked("needs root")[0]}, {"b", Ok("good")[0]}}};
  EXPECT_THAT(RenderDiagnosis(diagnosis, {}), HasSubstr("\nsudo svnetctl doctor makes 1 more\n"));
}

TEST(DoctorTest, WrapsMessagesToTheTerminalAndNeverAFix) {
  const Diagnosis diagnosis = {{{"a", Problem("one two three four five six", "type this all")[0]}}};
  EXPECT_EQ(RenderDiagnosis(diagnosis, {.width = 56}),
            "1 problem: a\n\n"
            "PROBLEM      a                  one two three four five\n"
            "                                six\n"
            "                                fix: type this all\n");
  EXPECT_EQ(RenderDiagnosis(diagnosis, {.width = 20}),
            "1 problem: a\n\n"
            "PROBLEM      a\n"
            "  one two three four\n"
            "  five six\n"
            "  fix: type this all\n");
}

TEST(DoctorTest, TakesTheNamesOfPacketChecks) {
  EXPECT_TRUE(SelectChecks({"packet-nat"})->empty());
  EXPECT_THAT(std::string(SelectChecks({"packet-nta"}).status().message()),
              HasSubstr("packet-nat?"));
}

TEST(DoctorTest, SuggestsTheCheckThatWasMeant) {
  EXPECT_THAT(std::string(SelectChecks({"mut"}).status().message()), HasSubstr("mtu?"));
}

}  // namespace
}  // namespace svnet::client

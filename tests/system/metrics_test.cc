// What svnetd counts, as those see it who may.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/raw_call.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Metrics {
  std::string text;

  // Of a series, as it stands in the text; -1 if there is none.
  double operator[](const std::string& series) const {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (absl::StartsWith(line, series + " ")) return std::stod(line.substr(series.size() + 1));
    }
    return -1;
  }
};

Metrics Read(const Daemon& svnetd) {
  const Exited exited = RunProgram({kSvnetctl, "--socket", svnetd.socket(), "metrics"});
  EXPECT_EQ(exited.code, 0) << exited.err;
  return {.text = exited.out};
}

int ConnectTo(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

std::string Get(uint16_t port, const std::string& path) {
  const UniqueFd fd(ConnectTo(port));
  EXPECT_TRUE(SendAll(fd, absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n")));
  return ReceiveUntil(fd, "nothing ends it but the end");
}

class MetricsTest : public SystemTest {};

TEST_F(MetricsTest, MoveWithWhatHappens) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  alice.MustCreate("vm1");
  alice.MustCreate("vm2");
  EXPECT_EQ(ReasonOf(alice.Create("../x").status), "INVALID_ID");
  const TapGuest guest(tap);
  const Watcher watcher(alice);
  const Metrics metrics = Read(svnetd);
  EXPECT_EQ(metrics[R"(svnet_calls_total{code="OK",method="CreateTap",reason=""})"], 3);
  EXPECT_EQ(
      metrics
          [R"(svnet_calls_total{code="INVALID_ARGUMENT",method="CreateTap",reason="INVALID_ID"})"],
      1);
  EXPECT_EQ(metrics[R"(svnet_call_duration_seconds_count{method="CreateTap"})"], 4);
  EXPECT_GT(metrics[R"(svnet_call_duration_seconds_sum{method="CreateTap"})"], 0);
  EXPECT_EQ(metrics[R"(svnet_leases{network="default"})"], 2);
  EXPECT_EQ(metrics[R"(svnet_leases_attached{network="default"})"], 1);
  EXPECT_EQ(metrics[R"(svnet_addresses{network="default",state="free"})"], 251);
  EXPECT_EQ(metrics[R"(svnet_bridge_ports{network="default"})"], 2);
  EXPECT_EQ(metrics["svnet_watchers"], 1);
  EXPECT_EQ(metrics[R"(svnet_connections{class="user"})"], 1);
  EXPECT_EQ(metrics[R"(svnet_connections{class="root"})"], 1);  // svnetctl's own
  EXPECT_EQ(Read(svnetd)[R"(svnet_calls_total{code="OK",method="GetMetrics",reason=""})"], 1);
  EXPECT_THAT(metrics.text, Not(HasSubstr("vm1")));  // nothing of single leases
}

TEST_F(MetricsTest, SpoofedPacketsAreCountedByCause) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const TapGuest guest(alice.MustCreate("vm1"));
  const std::string packets =
      "svnet_dropped_packets_total{network=\"default\",cause=\"foreign_address\"}";
  const std::string bytes =
      "svnet_dropped_bytes_total{network=\"default\",cause=\"foreign_address\"}";
  const Metrics before = Read(svnetd);
  const Ipv4Address stolen = Ipv4Address::Parse("172.30.0.77").value();
  guest.Send(guest.gateway_mac(), kIpv4Type, Udp({.from = stolen, .to = guest.gateway()}, "x"));
  const Metrics after = Read(svnetd);
  EXPECT_EQ(after[packets], before[packets] + 1);
  EXPECT_GT(after[bytes], before[bytes]);
  EXPECT_EQ(after["svnet_dropped_packets_total{network=\"default\",cause=\"foreign_zone\"}"], 0);
}

TEST_F(MetricsTest, RepairsAndEndedLeasesAreCounted) {
  const OlderKernel kernel;
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  alice.MustCreate("vm2");
  const std::string rules = "svnet_repairs_total{network=\"default\",of=\"rules\"}";
  EXPECT_EQ(Read(svnetd)[rules], 0);
  Shell("nft flush ruleset; ip link set svvm1eth0 down; ip link delete svvm2eth0");
  const Metrics after = Read(svnetd);  // a call first takes in what the kernel has said
  EXPECT_GE(after[rules], 1);
  EXPECT_GE(after["svnet_repairs_total{network=\"default\",of=\"tap\"}"], 1);
  EXPECT_EQ(after["svnet_repairs_total{network=\"default\",of=\"bridge\"}"], 0);
  EXPECT_EQ(after[R"(svnet_leases_ended_total{network="default"})"], 1);
  EXPECT_EQ(after[R"(svnet_leases{network="default"})"], 1);
}

TEST_F(MetricsTest, AreForAdministrators) {
  Daemon svnetd = Start({"--admin-groups=27"});
  const auto ask = [&](const RunAs& who) {
    return RunProgramAs(who, {kSvnetctl, "--socket", svnetd.socket(), "metrics"});
  };
  const Exited refused = ask(Member(kAlice));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("for administrators"));
  EXPECT_EQ(ask({.uid = kBob, .gid = kBob, .groups = {27, kSocketGroup}}).code, 0);
  EXPECT_EQ(ask(kRoot).code, 0);
}

// Their names are a contract with dashboards and alerts.
TEST_F(MetricsTest, AreThoseOfTheManual) {
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const Metrics metrics = Read(svnetd);
  std::ofstream(folder() + "/metrics") << metrics.text;
  const std::string parsed = Shell(
      "/usr/bin/python3 -c 'import sys; from prometheus_client import parser\n"
      "for family in parser.text_fd_to_metric_families(open(sys.argv[1])):\n"
      "    assert family.documentation, family\n"
      "    print(family.type, family.name + (\"_total\" if family.type == \"counter\" else "
      "\"\"))' " +
      folder() + "/metrics | sort");
  std::set<std::string> documented;
  std::ifstream page(SVNET_SOURCE "/docs/operations.md");
  const std::regex row(R"(\| `(svnet_\w+)(\{[^`]*\})?` \| (\w+) \|.*)");
  std::smatch match;
  for (std::string line; std::getline(page, line);) {
    if (std::regex_match(line, match, row)) {
      documented.insert(absl::StrCat(match[3].str(), " ", match[1].str()));
    }
  }
  std::string expected;
  for (const std::string& each : documented) absl::StrAppend(&expected, each, "\n");
  EXPECT_EQ(parsed, expected);
}

TEST_F(MetricsTest, AreServedToThisHostWhereItIsWanted) {
  Daemon svnetd = Start({"--metrics-listen=127.0.0.1:9464"});
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const std::string answer = Get(9464, "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(answer, HasSubstr("\nsvnet_leases{network=\"default\"} 1\n"));
  EXPECT_THAT(Get(9464, "/"), HasSubstr("404"));
  EXPECT_THAT(Get(9464, "/../../etc/passwd"), Not(HasSubstr("root:")));
  EXPECT_EQ(Shell("ss -Htln | awk '{ print $4 }'"), "127.0.0.1:9464\n");
  const absl::Time before = absl::Now();
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
  EXPECT_LT(absl::Now() - before, absl::Milliseconds(1500));  // whatever a reader may take
}

// A few requests at a time are served; whoever holds all of them up holds up nobody's calls.
TEST_F(MetricsTest, ReadersWhoSayNothingHoldUpNoCalls) {
  Daemon svnetd = Start({"--metrics-listen=127.0.0.1:9464"});
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 50; ++i) silent.emplace_back(ConnectTo(9464));
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_EQ(Read(svnetd)[R"(svnet_leases{network="default"})"], 1);
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
}

// Metrics are not worth the network's control plane.
TEST_F(MetricsTest, AnAddressThatIsInUseIsSaidAndTriedAgain) {
  Daemon first = Start({"--metrics-listen=127.0.0.1:9464"});
  const TemporaryFolder other;
  Daemon second(other.path(), {kSocketGroupFlag, "--metrics-listen=127.0.0.1:9464",
                               "--bridge=svbr1", "--subnet=10.9.0.0/24"});
  ASSERT_TRUE(second.running()) << second.log();
  EXPECT_THAT(second.log(), HasSubstr("metrics_listen: cannot listen at 127.0.0.1:9464: another "
                                      "program listens there"));
  Client alice(second.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_EQ(alice.MustGetNetwork().conditions(0).type(), "METRICS_NOT_SERVED");
  EXPECT_EQ(Read(second)[R"(svnet_conditions{network="default",type="METRICS_NOT_SERVED"})"], 1);
  EXPECT_EQ(first.Stop(SIGTERM), 0);
  EXPECT_TRUE(Eventually([&] { return alice.MustGetNetwork().conditions_size() == 0; }));
  EXPECT_THAT(Get(9464, "/metrics"), HasSubstr("\nsvnet_leases{network=\"default\"} 1\n"));
}

TEST_F(MetricsTest, AnAddressOfOtherHostsIsRefused) {
  const TemporaryFolder third;
  Daemon everywhere(third.path(), {"--metrics-listen=0.0.0.0:9464"});
  EXPECT_EQ(everywhere.exit_code(), 2);
  EXPECT_THAT(everywhere.log(),
              HasSubstr("--metrics-listen: \"0.0.0.0:9464\" is not an IPv4 loopback"));
}

}  // namespace
}  // namespace svnet::testing

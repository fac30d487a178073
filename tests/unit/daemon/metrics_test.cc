// What is counted, and how it looks to Prometheus.
#include "daemon/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "daemon/base/listen_address.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public NetworkRegistryTest {
 protected:
  Metrics metrics_;
};

TEST_F(MetricsTest, TheNetworkIsMeasuredWhenSomebodyReads) {
  EXPECT_THAT(metrics_.Render(api().Measure()),
              HasSubstr("\nsvnet_leases{network=\"default\"} 0\n"));
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  ASSERT_TRUE(api().RemoveTap(kBob, ByIds("vm2"))->has_value());
  firewall_.SetDrops({{.cause = "foreign_mac", .packets = 3, .bytes = 180},
                      {.cause = "announcement", .packets = 5, .bytes = 210}});
  firewall_.SetConnections({.used = 7, .size = 1000});
  const std::string text = metrics_.Render(api().Measure());
  constexpr char kBuildInfo[] = "svnet_build_info{version=\"" SVNET_VERSION "\"} 1";
  for (const char* line :
       {"svnet_network_read_success{network=\"default\"} 1", "svnet_leases{network=\"default\"} 1",
        "svnet_leases_attached{network=\"default\"} 0",
        "svnet_addresses{network=\"default\",state=\"used\"} 1",
        "svnet_addresses{network=\"default\",state=\"reaping\"} 1",
        "svnet_addresses{network=\"default\",state=\"free\"} 251",
        "svnet_bridge_up{network=\"default\"} 1",
        "svnet_bridge_ports_limit{network=\"default\"} 1023", "svnet_tracked_connections 7",
        "svnet_tracked_connections_limit 1000", "svnet_reaping_taps{network=\"default\"} 1",
        "svnet_watchers 0",
        "svnet_dropped_packets_total{network=\"default\",cause=\"foreign_mac\"} 3",
        "svnet_dropped_bytes_total{network=\"default\",cause=\"foreign_mac\"} 180",
        "svnet_announcements_total{network=\"default\"} 5", kBuildInfo}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("cause=\"announcement\"")));
}

TEST_F(MetricsTest, ARoutedNetworkHasNoPorts) {
  settings_.kind = NetworkKind::kRouted;
  MustCreate(kAlice, "vm1");
  const std::string text = metrics_.Render(api().Measure());
  EXPECT_THAT(text, HasSubstr("\nsvnet_leases{network=\"default\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("svnet_bridge_ports")));
}

TEST_F(MetricsTest, ANetworkThatCannotBeReadLeavesTheRest) {
  MustCreate(kAlice, "vm1");
  metrics_.calls().Answered("CreateTap", absl::OkStatus(), absl::Milliseconds(1));
  for (const char* operation : {"ListLinks", "ReadDrops"}) {
    faults_.FailNext(operation, absl::InternalError("injected"));
    const std::string text = metrics_.Render(api().Measure());
    EXPECT_THAT(text, HasSubstr("svnet_network_read_success{network=\"default\"} 0\n"))
        << operation;
    EXPECT_THAT(text, Not(HasSubstr("svnet_leases{"))) << operation;
    EXPECT_THAT(text, HasSubstr("svnet_calls_total{"));
  }
  EXPECT_THAT(metrics_.Render(api().Measure()), HasSubstr("svnet_leases{network=\"default\"} 1\n"));
}

TEST_F(MetricsTest, ConditionsAreCountedByType) {
  MustCreate(kAlice, "vm1");
  faults_.FailNext("Apply", absl::InternalError("injected"));
  firewall_.Flush();
  EXPECT_THAT(metrics_.Render(api().Measure()),
              HasSubstr("svnet_conditions{network=\"default\",type=\"NAT_MISSING\"} 1\n"));
}

TEST_F(MetricsTest, CallsByMethodCodeAndReason) {
  CallMetrics& calls = metrics_.calls();
  for (int i = 0; i < 2; ++i) calls.Answered("CreateTap", absl::OkStatus(), absl::Milliseconds(3));
  calls.Answered("CreateTap", Error(Reason::kQuotaExceeded, "x"), absl::Seconds(100));
  calls.Answered("ListTaps", absl::CancelledError(), absl::ZeroDuration());
  calls.Answered("ListTaps", absl::InternalError("x"), absl::ZeroDuration());
  calls.Begun("WatchTaps", absl::UnavailableError("x"));
  const std::string text = metrics_.Render(api().Measure());
  for (
      const char* line :
      {R"(svnet_calls_total{code="OK",method="CreateTap",reason=""} 2)",
       R"(svnet_calls_total{code="RESOURCE_EXHAUSTED",method="CreateTap",reason="QUOTA_EXCEEDED"} 1)",
       R"(svnet_calls_total{code="CANCELLED",method="ListTaps",reason=""} 1)",
       R"(svnet_calls_total{code="INTERNAL",method="ListTaps",reason="BRIDGE_SETUP_FAILED"} 1)",
       R"(svnet_calls_total{code="UNAVAILABLE",method="WatchTaps",reason=""} 1)",
       R"(svnet_call_duration_seconds_count{method="CreateTap"} 3)",
       R"(svnet_call_duration_seconds_bucket{method="CreateTap",le="0.0025"} 0)",
       R"(svnet_call_duration_seconds_bucket{method="CreateTap",le="0.005"} 2)",
       R"(svnet_call_duration_seconds_bucket{method="CreateTap",le="30"} 2)"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("svnet_call_duration_seconds_count{method=\"WatchTaps\"}")));
}

TEST_F(MetricsTest, ConnectionsByWhatTheCallerIs) {
  ConnectionMetrics& connections = metrics_.connections();
  const Caller administrator = {.uid = 1003, .gid = 27, .administrator = true};
  connections.Opened(kRoot, absl::OkStatus());
  connections.Opened(kAlice, absl::OkStatus());
  connections.Opened(kBob, absl::OkStatus());
  connections.Opened(kBob, Error(Reason::kQuotaExceeded, "x"));
  connections.Opened(administrator, absl::OkStatus());
  connections.Closed(kAlice, absl::OkStatus());
  const std::string text = metrics_.Render(api().Measure());
  for (const char* of : {"root", "user", "refused", "administrator"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("svnet_connections{class=\"", of, "\"} 1\n")));
  }
}

// So that the first that happens shows as an increase.
TEST_F(MetricsTest, ANetworkThatIsMeasuredHasItsCounters) {
  const NetworkName red = *NetworkName::Parse("red");
  const std::string text = metrics_.Render({{red, absl::UnavailableError("not started")}});
  for (const char* line :
       {"svnet_repairs_total{network=\"red\",of=\"tap\"} 0",
        "svnet_leases_ended_total{network=\"red\"} 0", "svnet_failures_total{network=\"red\"} 0"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
}

TEST_F(MetricsTest, WhatIsDoneUnaskedIsCounted) {
  const auto on_event = [this](const TapEvent& event) { metrics_.events().Note(event); };
  on_event({.type = TapEvent::Type::kRepaired, .repaired = {"bridge", "rules"}});
  on_event({.type = TapEvent::Type::kRepaired, .repaired = {"rules"}});
  on_event({.type = TapEvent::Type::kRemoved});
  on_event({.type = TapEvent::Type::kFailed});
  const std::string text = metrics_.Render(api().Measure());
  for (const char* line : {"svnet_repairs_total{network=\"default\",of=\"bridge\"} 1",
                           "svnet_repairs_total{network=\"default\",of=\"rules\"} 2",
                           "svnet_repairs_total{network=\"default\",of=\"forwarding\"} 0",
                           "svnet_repairs_total{network=\"default\",of=\"tap\"} 0",
                           "svnet_leases_ended_total{network=\"default\"} 1",
                           "svnet_failures_total{network=\"default\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
}

TEST(ListenAddressTest, IsLoopbackWithAPort) {
  EXPECT_EQ(ListenAddress::Parse("127.0.0.1:9464")->text(), "127.0.0.1:9464");
  EXPECT_EQ(ListenAddress::Parse("127.9.9.9:1")->text(), "127.9.9.9:1");
  for (const char* bad :
       {"0.0.0.0:9464", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
        "127.0.0.1:65536", "localhost:9464", "192.0.2.1:9464", "[::]:9464", "::1:9464",
        "127.0.0.1:94 64", "127.0.0.1:9464,0.0.0.0:9464", "127.0.0.1:+", "[::1]:9464"}) {
    const auto parsed = ListenAddress::Parse(bad);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << bad;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("loopback")) << bad;
  }
}

}  // namespace
}  // namespace svnet

// What people and scripts read.
#include "client/output.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/json.h"
#include "client/natural_order.h"
#include "client/network_output.h"
#include "client/table.h"
#include "client/text.h"
#include "client/yaml.h"

namespace svnet::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

template <typename Message>
Message FromJson(const std::string& json) {
  Message message;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &message).ok()) << json;
  return message;
}

constexpr char kTap[] = R"({"tapName":"svvm1eth0","guestIp":"172.30.0.2",
  "gatewayIp":"172.30.0.1","subnetMask":"255.255.255.0","mac":"02:29:a3:2f:41:c8","vmId":"vm1",
  "ifaceId":"eth0","prefixLength":24,"mtu":1500,"ownerUid":4294900000,"attached":true,
  "lifetime":{"persistent":{}},"queues":1})";

TEST(TextTest, EscapesWhatMovesACursor) {
  EXPECT_EQ(Printable("plain ~"), "plain ~");
  EXPECT_EQ(Printable("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(Printable("\x1b[2J\r\x7f\xc3\xa4"), "\\x1b[2J\\x0d\\x7f\\xc3\\xa4");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
}

TEST(TextTest, Utf8IsWellFormed) {
  for (const char* good : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3", "\xe2\x82", "a\xff"}) {
    EXPECT_FALSE(IsUtf8(bad)) << Printable(bad);
  }
}

TEST(TableTest, AlignsColumnsAndKeepsOneLinePerRow) {
  EXPECT_EQ(RenderTable({{"A", "LONGER", "C"}, {"long cell", "b"}, {"x", "y\nz", "c"}}),
            "A          LONGER  C\n"
            "long cell  b\n"
            "x          y\\nz    c\n");
  EXPECT_EQ(RenderTable({}), "");
}

// A response of CreateTap about a lease of that generation; 0: svnetd is of before there were any.
v1::CreateTapResponse Created(bool is_new, uint64_t generation = 1) {
  v1::CreateTapResponse response;
  *response.mutable_tap() = FromJson<v1::Tap>(kTap);
  response.mutable_tap()->set_generation(generation);
  response.set_created(is_new);
  return response;
}

TEST(OutputTest, Created) {
  v1::CreateTapResponse created = Created(true);
  const std::string text = RenderCreated(created);
  EXPECT_EQ(text,
            "tap            svvm1eth0\n"
            "guest address  172.30.0.2/24\n"
            "gateway        172.30.0.1\n"
            "guest mac      02:29:a3:2f:41:c8\n"
            "mtu            1500\n"
            "\n"
            "for the guest's kernel command line: svnetctl boot-args --tap svvm1eth0\n");
  // An svnetd that does not say whether a lease is new.
  EXPECT_EQ(RenderCreated(Created(false, 0)), text);
  created.mutable_tap()->set_queues(4);
  created.mutable_tap()->set_group_gid(0);
  EXPECT_THAT(RenderCreated(created), HasSubstr("queues         4 (open it with"));
  EXPECT_THAT(RenderCreated(created), HasSubstr("group          root\n"));
}

TEST(OutputTest, CreatedThatExistedAlready) {
  EXPECT_THAT(RenderCreated(Created(false)), HasSubstr("mtu            1500\n"
                                                       "\n"
                                                       "vm1 eth0 existed already\n"
                                                       "for the guest's kernel command line: "));
  v1::CreateTapResponse second = Created(false);
  second.mutable_tap()->set_vm_id("vm2");
  EXPECT_THAT(RenderAllCreated({Created(true), second}),
              AllOf(StartsWith("VM   IFACE "), EndsWith("\n\nvm2 eth0 existed already\n")));
  EXPECT_THAT(RenderAllCreated({Created(true)}), Not(HasSubstr("existed")));
}

TEST(OutputTest, Taps) {
  EXPECT_EQ(RenderTaps({}), "VM  IFACE  ADDRESS  TAP  OWNER  ATTACHED\n");
  auto tap = FromJson<v1::Tap>(kTap);
  auto roots = tap;
  roots.set_owner_uid(0);
  roots.set_attached(false);
  EXPECT_EQ(RenderTaps({tap, roots}),
            "VM   IFACE  ADDRESS        TAP        OWNER       ATTACHED\n"
            "vm1  eth0   172.30.0.2/24  svvm1eth0  4294900000  yes\n"
            "vm1  eth0   172.30.0.2/24  svvm1eth0  root        no\n");
  EXPECT_THAT(RenderTapsWide({tap}),
              HasSubstr("yes       02:29:a3:2f:41:c8  1       -      persis"));
}

TEST(OutputTest, LongNamesDoNotMakeTapsWide) {
  auto tap = FromJson<v1::Tap>(kTap);
  tap.set_vm_id(absl::StrCat(std::string(62, 'v'), "x1"));
  tap.set_iface_id(std::string(32, 'i'));
  EXPECT_THAT(RenderTaps({tap}), HasSubstr("vvvvvvvvv..vvvvvvvx1  "));
  for (const absl::string_view line : absl::StrSplit(RenderTaps({tap}), '\n')) {
    EXPECT_LE(line.size(), 92u) << line;
  }
  EXPECT_THAT(RenderTapsWide({tap}), HasSubstr(tap.vm_id()));
}

TEST(TextTest, ElidesTheMiddle) {
  EXPECT_EQ(Elided("12345", 5), "12345");
  EXPECT_EQ(Elided("123456", 5), "12..6");
  EXPECT_EQ(Elided("1234567", 6), "12..67");
  EXPECT_EQ(Elided("\x1b", 5), "\\x1b");
}

TEST(NaturalOrderTest, CountsNumbersAsNumbers) {
  std::vector<std::string> names = {"vm10", "vm2",    "a",     "vm1", "vm",
                                    "vm01", "vm2b10", "vm2b9", "1"};
  std::sort(names.begin(), names.end(), NaturalLess);
  EXPECT_THAT(names, ElementsAre("1", "a", "vm", "vm1", "vm01", "vm2", "vm2b9", "vm2b10", "vm10"));
  EXPECT_FALSE(NaturalLess("vm1", "vm1"));
  EXPECT_TRUE(NaturalLess("9", "99999999999999999999999"));
}

TEST(YamlTest, IsJsonInBlockStyle) {
  EXPECT_EQ(JsonToYaml(R"({"taps": [{"vmId": "a: \"b\"", "mtu": 1500, "lifetime":
                {"persistent": {}}, "up": true, "none": [] }, {"vmId": "c"}], "next": ""})"),
            "taps:\n"
            "  - vmId: \"a: \\\"b\\\"\"\n"
            "    mtu: 1500\n"
            "    lifetime:\n"
            "      persistent: {}\n"
            "    up: true\n"
            "    none: []\n"
            "  - vmId: \"c\"\n"
            "next: \"\"\n");
  EXPECT_EQ(JsonToYaml("{\n}\n"), "{}\n");
}

TEST(OutputTest, OneTap) {
  EXPECT_EQ(RenderTap(FromJson<v1::Tap>(kTap)),
            "tap            svvm1eth0\n"
            "guest address  172.30.0.2/24\n"
            "gateway        172.30.0.1\n"
            "guest mac      02:29:a3:2f:41:c8\n"
            "mtu            1500\n"
            "vm             vm1\n"
            "iface          eth0\n"
            "owner          4294900000\n"
            "lifetime       persistent\n"
            "attached       yes\n");
}

TEST(OutputTest, TapsOfANetwork) {
  auto tap = FromJson<v1::Tap>(kTap);
  tap.set_network("red");
  EXPECT_THAT(RenderTap(tap), HasSubstr("\niface          eth0\nnetwork        red\nowner "));
  EXPECT_THAT(RenderTapsWide({tap}), AllOf(HasSubstr("  NETWORK\n"), EndsWith("  red\n")));
}

TEST(OutputTest, EscapesEvents) {
  v1::TapEvent event;
  event.set_type(v1::TAP_EVENT_TYPE_DETACHED);
  event.set_message("why\x1b[2J");
  *event.mutable_tap() = FromJson<v1::Tap>(kTap);
  event.mutable_tap()->set_owner_uid(0);
  EXPECT_THAT(
      RenderEvent(event),
      HasSubstr("  DETACHED  svvm1eth0  vm1 eth0  172.30.0.2/24  owner root  why\\x1b[2J\n"));
  event.set_type(static_cast<v1::TapEventType>(99));
  EXPECT_THAT(RenderEvent(event), HasSubstr("EVENT_99"));
}

TEST(OutputTest, PrintsWhenAnEventWasAndWhatItIsAbout) {
  v1::TapEvent event;
  event.set_type(v1::TAP_EVENT_TYPE_REPAIRED);
  event.set_message("the rules");
  event.mutable_time()->set_seconds(1000000000);
  const std::string when =
      absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(1000000000), absl::LocalTimeZone());
  EXPECT_EQ(RenderEvent(event), when + "  REPAIRED  the rules\n");
}

TEST(OutputTest, PrintsMetricsUnchangedButEscaped) {
  v1::GetMetricsResponse metrics;
  metrics.set_text("# HELP a b\na 1\nb{c=\"\x1b\"} 2\n");
  EXPECT_EQ(RenderMetrics(metrics), "# HELP a b\na 1\nb{c=\"\\x1b\"} 2\n");
}

TEST(OutputTest, RemovedAndCleanedUp) {
  v1::RemoveTapResponse removed;
  EXPECT_EQ(RenderRemoved("vm1 eth0", removed), "vm1 eth0 does not exist: nothing to remove\n");
  removed.set_removed(true);
  EXPECT_EQ(RenderRemoved("vm1 eth0", removed), "removed vm1 eth0\n");
  EXPECT_EQ(RenderCleanup({}), "nothing to remove\n");
  EXPECT_EQ(RenderCleanup(FromJson<v1::CleanupResponse>(R"({"tapsRemoved":1})")),
            "removed 1 TAP\n");
  EXPECT_EQ(RenderCleanup(FromJson<v1::CleanupResponse>(
                R"({"tapsRemoved":2,"bridgeRemoved":true,"natRemoved":true})")),
            "removed 2 TAPs, the bridge, the NAT rules\n");
}

TEST(OutputTest, Network) {
  const auto network = FromJson<v1::GetNetworkResponse>(
      R"({"bridge":"svbr0","prefix":"172.30.0.0/24","gateway":"172.30.0.1","mtu":1500,
          "addresses":{"total":253,"used":2,"reaping":1},"ports":{"used":2,"limit":1023},
          "daemonVersion":"1.2.3","bridgeUp":true,"gates":3,"isolation":"ISOLATION_OWNER",
          "quota":{"taps":3,"tapsLimit":64,"queues":0},
          "conditions":[{"type":"NAT_MISSING","message":"gone\u001b[2J","remedy":"restart"}]})");
  EXPECT_EQ(RenderNetwork(network),
            "bridge       svbr0, up\n"
            "prefix       172.30.0.0/24\n"
            "gateway      172.30.0.1\n"
            "mtu          1500\n"
            "addresses    2 of 253 used, 1 free soon\n"
            "ports        2 of 1023 used\n"
            "isolation    owner: guests of different owners do not reach each other\n"
            "your TAPs    3 of 64\n"
            "your queues  0, without a limit\n"
            "gates        3\n"
            "svnetd       1.2.3\n"
            "\n"
            "problems:\n"
            "  NAT_MISSING: gone\\x1b[2J\n"
            "    remedy: restart\n");
  EXPECT_THAT(RenderNetwork({}), HasSubstr("no problems known\n"));
  EXPECT_THAT(RenderNetwork({}), Not(HasSubstr("gates")));
}

TEST(OutputTest, NetworkAmongOthers) {
  const auto all = FromJson<v1::ListNetworksResponse>(
      R"({"networks":[
          {"name":"default","bridge":"svbr0","conditions":[{"type":"SHARED","message":"m"}]},
          {"name":"red","conditions":[{"type":"SHARED","message":"m"},
                                      {"type":"NAT_MISSING","message":"gone","remedy":"restart"}]},
          {"name":"gpu","conditions":[{"type":"SHARED","message":"m"}]}]})");
  EXPECT_THAT(RenderNetwork(all.networks(0), all),
              AllOf(StartsWith("network    default\nbridge     svbr0, "),
                    EndsWith("\n"
                             "problems:\n"
                             "  SHARED: m\n"
                             "\n"
                             "other networks: red, gpu (svnetctl status --network NAME)\n"
                             "problems of red:\n"
                             "  NAT_MISSING: gone\n"
                             "    remedy: restart\n")));
  v1::ListNetworksResponse one;
  *one.add_networks() = all.networks(0);
  EXPECT_EQ(RenderNetwork(all.networks(0), one), RenderNetwork(all.networks(0)));
}

TEST(OutputTest, Networks) {
  const auto networks = FromJson<v1::ListNetworksResponse>(
      R"({"networks":[
          {"name":"default","kind":"NETWORK_KIND_BRIDGE","bridge":"svbr0","prefix":"172.30.0.0/24",
           "gateway":"172.30.0.1","mtu":1500,"addresses":{"total":253,"used":2},"bridgeUp":true,
           "isolation":"ISOLATION_ALL"},
          {"name":"red","kind":"NETWORK_KIND_ROUTED","bridge":"svred0","prefix":"10.0.0.0/8",
           "gateway":"10.0.0.1","conditions":[{"type":"NAT_MISSING"},{"type":"BAD\u001b"}]}]})");
  EXPECT_EQ(RenderNetworks(networks),
            "NAME     KIND    BRIDGE  SUBNET         GATEWAY     ADDRESSES  PROBLEMS\n"
            "default  bridge  svbr0   172.30.0.0/24  172.30.0.1  2 of 253   0\n"
            "red      routed  svred0  10.0.0.0/8     10.0.0.1    0 of 0     2\n");
  EXPECT_THAT(RenderNetworksWide(networks),
              AllOf(HasSubstr("  1500  all        yes  -\n"),
                    HasSubstr("  0     -          no   NAT_MISSING,BAD\\x1b\n")));
  EXPECT_EQ(RenderNetworkNames(networks), "default\nred\n");
}

TEST(OutputTest, NetworkWithSettingsThatAreNotTheDefault) {
  const auto network = FromJson<v1::GetNetworkResponse>(
      R"({"settings":[{"name":"mtu","value":"\"auto\"","isDefault":true},
                      {"name":"isolation","value":"\"all\""},
                      {"name":"limits.taps_per_user","value":"7\u001b[2J"}]})");
  EXPECT_THAT(RenderNetwork(network), HasSubstr("\n"
                                                "\n"
                                                "settings that are not the default:\n"
                                                "  isolation = \"all\"\n"
                                                "  limits.taps_per_user = 7\\x1b[2J\n"
                                                "\n"
                                                "no problems known\n"));
  // From an svnetd that has only defaults, and from one that does not say.
  const auto defaults = FromJson<v1::GetNetworkResponse>(
      R"({"settings":[{"name":"mtu","value":"\"auto\"","isDefault":true}]})");
  EXPECT_THAT(RenderNetwork(defaults), Not(HasSubstr("default")));
  EXPECT_EQ(RenderNetwork(defaults), RenderNetwork({}));
  EXPECT_THAT(*ToJson(defaults), HasSubstr("\"isDefault\": true"));
}

TEST(JsonTest, IncludesDefaultValues) {
  EXPECT_EQ(*ToJson(FromJson<v1::RemoveTapResponse>("{}")), "{\n \"removed\": false\n}\n");
  EXPECT_THAT(*ToJson(FromJson<v1::Tap>(kTap)), HasSubstr("\"attached\": true"));
}

TEST(JsonTest, RendersAnyTextAsAJsonString) {
  EXPECT_EQ(JsonString("a\"b\\c\n"), R"("a\"b\\c\n")");
  EXPECT_EQ(JsonString("\xff"), R"("\\xff")");
  EXPECT_THAT(JsonString("\x1b"), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace svnet::client

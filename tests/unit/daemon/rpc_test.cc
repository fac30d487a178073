// Protobuf to values and back, errors on the wire, and what the log says.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/rpc/conversions.h"
#include "daemon/rpc/error_details.h"
#include "daemon/rpc/network_calls.h"
#include "daemon/rpc/status_board.h"
#include "daemon/rpc/unstarted_calls.h"
#include "daemon/wire/message.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/fakes/fake_parts.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Iface;
using testing::Ip;
using testing::Mac;
using testing::Name;
using ::testing::Not;
using testing::Prefix;
using testing::ReasonIn;
using testing::Vm;

// A message from proto3 JSON.
template <typename Message>
Message FromJson(const std::string& json) {
  Message message;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &message).ok()) << json;
  return message;
}

template <typename Request>
std::string ReasonFor(const std::string& json) {
  return ReasonIn(FromProto(FromJson<Request>(json)).status());
}

TEST(ConversionsTest, ACreateRequestWithEverything) {
  const TapRequest request =
      FromProto(FromJson<v1::CreateTapRequest>(
                    R"({"vm_id": "vm1", "iface_id": "eth0", "ip_address": "172.30.0.9",
                        "mac_address": "02:00:00:00:00:01", "owner_uid": 0, "group_gid": 44,
                        "queues": 4, "lifetime": {"persistent": {}}})"))
          .value();
  EXPECT_EQ(request.vm, Vm("vm1"));
  EXPECT_EQ(request.iface, Iface("eth0"));
  EXPECT_EQ(request.ip, Ip("172.30.0.9"));
  EXPECT_EQ(request.mac, Mac("02:00:00:00:00:01"));
  EXPECT_EQ(request.owner, 0u);
  EXPECT_EQ(request.group, 44u);
  EXPECT_EQ(request.queues, 4);
}

TEST(ConversionsTest, ACreateRequestWithOnlyWhatMustBe) {
  const TapRequest request =
      FromProto(FromJson<v1::CreateTapRequest>(R"({"vm_id": "vm1", "iface_id": "eth0"})")).value();
  EXPECT_EQ(request.ip, std::nullopt);
  EXPECT_EQ(request.mac, std::nullopt);
  EXPECT_EQ(request.owner, std::nullopt);
  EXPECT_EQ(request.group, std::nullopt);
  EXPECT_EQ(request.queues, 1);
}

TEST(ConversionsTest, EveryFieldOfACreateRequestIsChecked) {
  const auto reason = [](const std::string& field) {
    return ReasonFor<v1::CreateTapRequest>(
        absl::StrCat(R"({"vm_id": "vm1", "iface_id": "eth0", )", field, "}"));
  };
  EXPECT_EQ(ReasonFor<v1::CreateTapRequest>("{}"), "INVALID_ID");
  EXPECT_EQ(ReasonFor<v1::CreateTapRequest>(R"({"vm_id": "vm1"})"), "INVALID_ID");
  EXPECT_EQ(reason(R"("ip_address": "172.30.0")"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("ip_address": "fe80::1")"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("mac_address": "02:00:00:00:00")"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("mac_address": "01:00:5e:00:00:01")"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("mac_address": "00:00:00:00:00:00")"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("owner_uid": 4294967295)"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("group_gid": 4294967295)"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("queues": 257)"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("queues": 4294967295)"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("lifetime": {"process": {}})"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("lifetime": {"process": {"pid": -1}})"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("lifetime": {"process": {"pid": 1}})"), "OK");
  EXPECT_EQ(reason(R"("lifetime": {"untilDetached": {"grace": "-0.001s"}})"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("lifetime": {"untilDetached": {"grace": "3600.001s"}})"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("lifetime": {"untilDetached": {"grace": "3600s"}})"), "OK");
  EXPECT_EQ(reason(R"("lifetime": {"untilDetached": {}})"), "OK");
  EXPECT_EQ(reason(R"("lifetime": {})"), "OK");
}

TEST(ConversionsTest, ALeaseIsNamedInOneWay) {
  using Remove = v1::RemoveTapRequest;
  EXPECT_EQ(ReasonFor<Remove>("{}"), "INVALID_REQUEST");
  EXPECT_EQ(ReasonFor<Remove>(R"({"tapName": "a", "vmId": "b"})"), "INVALID_REQUEST");
  EXPECT_EQ(ReasonFor<Remove>(R"({"tapName": "a", "ownerUid": 5})"), "INVALID_REQUEST");
  EXPECT_EQ(ReasonFor<Remove>(R"({"vmId": "b"})"), "INVALID_ID");
  EXPECT_EQ(ReasonFor<Remove>(R"({"tapName": "../x"})"), "INVALID_ID");
  EXPECT_EQ(ReasonFor<Remove>(R"({"vmId": "a", "ifaceId": "b", "ownerUid": 4294967295})"),
            "INVALID_REQUEST");
  EXPECT_EQ(std::get<LinkName>(*FromProto(FromJson<Remove>(R"({"tapName": "svvm1eth0"})"))),
            Name("svvm1eth0"));
  const LeaseIds ids = std::get<LeaseIds>(
      *FromProto(FromJson<Remove>(R"({"vmId": "a", "ifaceId": "b", "ownerUid": 5})")));
  EXPECT_EQ(ids.owner, 5u);
  EXPECT_EQ(ids.vm, Vm("a"));
}

TEST(ConversionsTest, BootArgs) {
  using BootArgs = v1::GetBootArgsRequest;
  const BootArgsRequest plain = *FromProto(FromJson<BootArgs>(R"({"tapName": "a"})"));
  EXPECT_EQ(plain.guest_interface, Name("eth0"));
  EXPECT_EQ(plain.hostname.text(), "");
  const auto reason = [](const std::string& field) {
    return ReasonFor<BootArgs>(absl::StrCat(R"({"tapName": "a", )", field, "}"));
  };
  EXPECT_EQ(reason(R"("guestInterface": "a:b")"), "INVALID_ID");
  EXPECT_EQ(reason(R"("hostname": "a b")"), "INVALID_ID");
  EXPECT_EQ(reason(R"("dnsServers": ["1.1.1.1", "9.9.9.9", "8.8.8.8"])"), "INVALID_REQUEST");
  EXPECT_EQ(reason(R"("dnsServers": ["1.1.1.1:init=/bin/sh"])"), "INVALID_ADDRESS");
  EXPECT_EQ(reason(R"("dnsServers": ["1.1.1.1", "9.9.9.9"])"), "OK");
}

TEST(ConversionsTest, PagesAndScopes) {
  using Request = v1::ListTapsRequest;
  EXPECT_EQ(FromProto(FromJson<Request>("{}"))->limit, 1000u);
  EXPECT_EQ(FromProto(FromJson<Request>(R"({"pageSize": 7})"))->limit, 7u);
  EXPECT_EQ(FromProto(FromJson<Request>(R"({"pageSize": 4294967295})"))->limit, 1000u);
  EXPECT_EQ(FromProto(FromJson<Request>(R"({"pageToken": "svvm1eth0"})"))->after,
            Name("svvm1eth0"));
  EXPECT_EQ(ReasonFor<Request>(R"({"pageToken": "no/token"})"), "INVALID_REQUEST");
  v1::CleanupRequest cleanup;
  EXPECT_EQ(FromProto(cleanup)->scope, CleanupScope::kCaller);
  EXPECT_EQ(FromProto(cleanup)->network, std::nullopt);
  cleanup.set_scope(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(FromProto(cleanup)->scope, CleanupScope::kNetwork);
  EXPECT_EQ(FromProto(cleanup)->network, NetworkName());
  cleanup.set_network("*");
  EXPECT_EQ(FromProto(cleanup)->network, std::nullopt);
  cleanup.set_network("net-2");
  EXPECT_EQ(FromProto(cleanup)->network->text(), "net-2");
  cleanup.set_scope(static_cast<v1::CleanupScope>(9));
  EXPECT_EQ(ReasonIn(FromProto(cleanup).status()), "INVALID_REQUEST");
}

TEST(ConversionsTest, Networks) {
  EXPECT_EQ(FromProto(FromJson<v1::CreateTapRequest>(R"({"vmId": "a", "ifaceId": "b"})"))->network,
            std::nullopt);
  EXPECT_EQ(
      ReasonFor<v1::CreateTapRequest>(R"({"vmId": "a", "ifaceId": "b", "network": "no name"})"),
      "NETWORK_NOT_FOUND");
  EXPECT_EQ(*ParseNetwork(""), NetworkName());
  EXPECT_EQ(*ParseNetworkFilter(""), std::nullopt);
  EXPECT_EQ((*ParseNetworkFilter("net-2"))->text(), "net-2");
  EXPECT_EQ(ReasonFor<v1::ListTapsRequest>(R"({"network": "*"})"), "NETWORK_NOT_FOUND");
  EXPECT_EQ(ReasonFor<v1::ListTapsRequest>(R"({"vmId": "a b"})"), "INVALID_ID");
  EXPECT_EQ(FromProto(FromJson<v1::ListTapsRequest>(R"({"vmId": "a"})"))->vm, Vm("a"));
}

TEST(ConversionsTest, Updates) {
  using Update = v1::UpdateTapRequest;
  const UpdateRequest update = *FromProto(FromJson<Update>(
      R"({"tapName": "a", "tap": {"lifetime": {"untilDetached": {}}}, "updateMask": "lifetime",
          "ifGeneration": "7"})"));
  EXPECT_EQ(update.lifetime, Lifetime(UntilDetached{.grace = absl::Seconds(5)}));
  EXPECT_EQ(update.if_generation, 7u);
  EXPECT_EQ(FromProto(FromJson<Update>(R"({"tapName": "a", "updateMask": "lifetime"})"))->lifetime,
            Lifetime(Persistent()));
  EXPECT_EQ(ReasonFor<Update>(R"({"tapName": "a", "tap": {"lifetime": {"untilDetached": {}}}})"),
            "INVALID_REQUEST");
  EXPECT_EQ(ReasonFor<Update>(R"({"tapName": "a", "updateMask": "lifetime,guestIp"})"),
            "INVALID_REQUEST");
  EXPECT_EQ(ReasonFor<Update>(R"({"updateMask": "lifetime"})"), "INVALID_REQUEST");
}

TEST(ConversionsTest, APageEndsAtOneMebibyte) {
  LeasePage page;
  const Lease lease = {.spec = {.key = {.owner = 1, .vm = Vm("vm1"), .iface = Iface("eth0")},
                                .tap = Name("svvm1eth0"),
                                .ip = Ip("172.30.0.2"),
                                .mac = Mac("02:00:00:00:00:02")}};
  const size_t each = ToProto(lease, Prefix("172.30.0.0/24")).ByteSizeLong();
  page.leases.assign((1 << 20) / each + 7, lease);
  const v1::ListTapsResponse response =
      ToProto(page, [](const Lease&) { return Prefix("172.30.0.0/24"); });
  EXPECT_EQ(static_cast<size_t>(response.taps_size()), (1 << 20) / each);
  EXPECT_EQ(response.next_page_token(), "svvm1eth0");
}

google::rpc::ErrorInfo InfoIn(const WireStatus& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(details.ParseFromString(status.details));
  EXPECT_EQ(details.code(), status.code);
  EXPECT_TRUE(details.details(0).UnpackTo(&info));
  return info;
}

TEST(ErrorDetailsTest, CarryTheReasonAndTheCodeOfTheTypeScriptClass) {
  const WireStatus status = ToWireStatus(Error(Reason::kNotABridge, "svbr0 is not a bridge"));
  EXPECT_EQ(status.code, static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(status.text, "svbr0 is not a bridge");
  const google::rpc::ErrorInfo info = InfoIn(status);
  EXPECT_EQ(info.domain(), "svnet");
  EXPECT_EQ(info.reason(), "NOT_A_BRIDGE");
  EXPECT_EQ(info.metadata().at("ancestor_code"), "BRIDGE_SETUP_FAILED");
  EXPECT_EQ(InfoIn(ToWireStatus(Error(Reason::kTapNotFound, "x"))).metadata_size(), 0);
  EXPECT_EQ(InfoIn(ToWireStatus(absl::InternalError("x"))).reason(), "BRIDGE_SETUP_FAILED");
  EXPECT_TRUE(ToWireStatus(absl::OkStatus()).ok());
}

class NetworkCallsTest : public ::testing::Test {
 protected:
  NetworkCallsTest()
      : registry_(*NetworkRegistry::Start({{.bridge = Name("svbr0"),
                                            .prefix = Prefix("172.30.0.0/24"),
                                            .bridge_mac = Mac("c2:00:00:00:00:01")}},
                                          parts_.All())),
        calls_({.uid = 1000, .gid = 1000}, &api_, &metrics_, &board_) {}

  testing::FakeParts parts_{MonotonicNow};
  std::unique_ptr<NetworkRegistry> registry_;
  NetworkApi api_ = parts_.ApiOf(registry_.get());
  Metrics metrics_;
  StatusBoard board_;
  NetworkCalls calls_;
};

TEST_F(NetworkCallsTest, TheStatusHasTheConditionsOfSvnetdItself) {
  LogLine log;
  board_.Set({.type = "METRICS_NOT_SERVED", .message = "no", .remedy = "yes"});
  EXPECT_EQ(calls_.GetNetwork({}, &log)->conditions(0).type(), "METRICS_NOT_SERVED");
  EXPECT_EQ(NetworkCalls::Measure(api_, board_).at(NetworkName())->status.conditions.size(), 1u);
  board_.Clear("METRICS_NOT_SERVED");
  EXPECT_EQ(calls_.GetNetwork({}, &log)->conditions_size(), 0);
}

const std::vector<Setting> kSettings = {
    {.name = "socket", .value = "\"/s\"", .is_default = true},
    {.name = "limits.taps_per_user", .value = "7", .is_default = false, .for_all = true}};

// "NAME=VALUE", with "!" behind what is not the default.
std::vector<std::string> SettingsIn(const v1::GetNetworkResponse& network) {
  std::vector<std::string> settings;
  for (const auto& setting : network.settings()) {
    settings.push_back(
        absl::StrCat(setting.name(), "=", setting.value(), setting.is_default() ? "" : "!"));
  }
  return settings;
}

TEST_F(NetworkCallsTest, TheStatusHasTheSettingsThatTheCallerMaySee) {
  LogLine log;
  board_.SetSettings(kSettings);
  EXPECT_THAT(SettingsIn(*calls_.GetNetwork({}, &log)), ElementsAre("limits.taps_per_user=7!"));
  EXPECT_THAT(SettingsIn(calls_.ListNetworks({}, &log)->networks(0)),
              ElementsAre("limits.taps_per_user=7!"));
  NetworkCalls administrators({.uid = 0, .gid = 0, .administrator = true}, &api_, &metrics_,
                              &board_);
  EXPECT_THAT(SettingsIn(*administrators.GetNetwork({}, &log)),
              ElementsAre("socket=\"/s\"", "limits.taps_per_user=7!"));
  board_.SetSettings({});
  EXPECT_THAT(SettingsIn(*administrators.GetNetwork({}, &log)), ElementsAre());
}

class UnstartedCallsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Answer(Method method, bool administrator = false,
                                     const std::string& request = "") const {
    return UnstartedCalls({.uid = 1000, .gid = 1000, .administrator = administrator}, &unstarted_,
                          &board_, &metrics_)
        .Answer(method, request);
  }

  const Unstarted unstarted_ = {
      .networks = {{.bridge = Name("svbr0"),
                    .prefix = Prefix("172.30.0.0/24"),
                    .bridge_mac = Mac("c2:00:00:00:00:01")},
                   {.name = NetworkName::Parse("red").value(),
                    .bridge = Name("svred0"),
                    .prefix = Prefix("172.31.0.0/24"),
                    .bridge_mac = Mac("c2:00:00:00:00:02"),
                    .users = {1001}}},
      .why = Error(Reason::kSubnetConflict, "172.30.0.0/24 overlaps eth0")};
  StatusBoard board_;
  mutable Metrics metrics_;
};

TEST_F(UnstartedCallsTest, TheStatusSaysWhy) {
  board_.SetSettings(kSettings);
  board_.Set({.type = "NETWORK_NOT_STARTED", .message = "eth0", .remedy = ""});
  v1::GetNetworkResponse network;
  ASSERT_TRUE(network.ParseFromString(Answer(Method::kGetNetwork).value()));
  EXPECT_EQ(network.prefix(), "172.30.0.0/24");
  EXPECT_EQ(network.conditions(0).type(), "NETWORK_NOT_STARTED");
  EXPECT_THAT(SettingsIn(network), ElementsAre("limits.taps_per_user=7!"));
  v1::ListNetworksResponse networks;
  ASSERT_TRUE(networks.ParseFromString(Answer(Method::kListNetworks).value()));
  EXPECT_EQ(networks.networks_size(), 1);
}

TEST_F(UnstartedCallsTest, ANetworkIsShownToThoseWhoMayUseIt) {
  v1::GetNetworkRequest request;
  request.set_network("red");
  const std::string red = request.SerializeAsString();
  v1::GetNetworkResponse network;
  ASSERT_TRUE(network.ParseFromString(Answer(Method::kGetNetwork, true, red).value()));
  EXPECT_EQ(network.prefix(), "172.31.0.0/24");
  EXPECT_EQ(ReasonOf(Answer(Method::kGetNetwork, false, red).status()), Reason::kNetworkNotFound);
  v1::ListNetworksResponse networks;
  ASSERT_TRUE(networks.ParseFromString(Answer(Method::kListNetworks, true).value()));
  EXPECT_EQ(networks.networks_size(), 2);
}

TEST_F(UnstartedCallsTest, OtherCallsFailWithTheReason) {
  const absl::Status refused = Answer(Method::kCreateTap).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kSubnetConflict);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("overlaps eth0; it tries again by itself"));
}

TEST_F(UnstartedCallsTest, MetricsAreForAdministratorsAndSayThatThereIsNoNetwork) {
  EXPECT_EQ(ReasonOf(Answer(Method::kGetMetrics).status()), Reason::kPermissionDenied);
  EXPECT_THAT(Answer(Method::kGetMetrics, true).value(),
              HasSubstr("svnet_network_read_success{network=\"default\"} 0"));
}

TEST_F(NetworkCallsTest, TheLogSaysWhoWhatAndWhich) {
  LogLine log;
  const auto response = calls_.CreateTap(
      FromJson<v1::CreateTapRequest>(R"({"vmId": "vm1", "ifaceId": "eth0"})"), &log);
  EXPECT_EQ(log.text,
            " vm=vm1 iface=eth0 tap=svvm1eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 owner=1000");
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(response->tap(), &json).ok());
  EXPECT_EQ(json, R"({"tapName":"svvm1eth0","guestIp":"172.30.0.2","gatewayIp":"172.30.0.1",)"
                  R"("subnetMask":"255.255.255.0","mac":"02:29:a3:2f:41:c8","vmId":"vm1",)"
                  R"("ifaceId":"eth0","prefixLength":24,"mtu":1500,"ownerUid":1000,)"
                  R"("lifetime":{"persistent":{}},"queues":1,"network":"default",)"
                  R"("generation":"1","createTime":"1970-01-01T00:00:07Z"})");
  EXPECT_EQ(log.fields.vm, "vm1");
  EXPECT_EQ(log.fields.iface, "eth0");
  EXPECT_EQ(log.fields.tap, "svvm1eth0");
  EXPECT_EQ(log.fields.owner, 1000u);
  log = {};
  ASSERT_TRUE(
      calls_.RemoveTap(FromJson<v1::RemoveTapRequest>(R"({"tapName": "svvm1eth0"})"), &log).ok());
  EXPECT_EQ(log.text, " tap=svvm1eth0 removed=svvm1eth0 ip=172.30.0.2 owner=1000");
  EXPECT_EQ(log.fields.vm, "vm1");  // found by the TAP's name
}

TEST_F(NetworkCallsTest, ACallersTextCannotForgeALogLine) {
  v1::CreateTapRequest request;
  request.set_vm_id("a\n2026-01-01 info: forged");
  request.set_iface_id("x ip=1.2.3.4");
  LogLine log;
  EXPECT_EQ(ReasonIn(calls_.CreateTap(request, &log).status()), "INVALID_ID");
  EXPECT_EQ(log.text, R"( vm="a\n2026-01-01 info: forged" iface="x ip=1.2.3.4")");
  EXPECT_EQ(log.fields.vm, "");
  EXPECT_EQ(log.fields.iface, "");
  request.set_vm_id(std::string(4096, '\x1b'));
  log = {};
  EXPECT_FALSE(calls_.CreateTap(request, &log).ok());
  EXPECT_LT(log.text.size(), 400u);
  EXPECT_THAT(log.text, Not(HasSubstr("\x1b")));
}

TEST_F(NetworkCallsTest, TheNetworkIsShownWhole) {
  LogLine log;
  ASSERT_TRUE(
      calls_
          .CreateTap(FromJson<v1::CreateTapRequest>(R"({"vmId": "vm1", "ifaceId": "eth0"})"), &log)
          .ok());
  const v1::GetNetworkResponse network = *calls_.GetNetwork({}, &log);
  EXPECT_EQ(network.bridge(), "svbr0");
  EXPECT_EQ(network.prefix(), "172.30.0.0/24");
  EXPECT_EQ(network.gateway(), "172.30.0.1");
  EXPECT_EQ(network.mtu(), 1500u);
  EXPECT_EQ(network.addresses().total(), 253u);
  EXPECT_EQ(network.addresses().used(), 1u);
  EXPECT_EQ(network.ports().used(), 1u);
  EXPECT_EQ(network.ports().limit(), 1023u);
  EXPECT_TRUE(network.bridge_up());
  EXPECT_EQ(network.daemon_version(), SVNET_VERSION);
  EXPECT_EQ(network.conditions_size(), 0);
}

}  // namespace
}  // namespace svnet

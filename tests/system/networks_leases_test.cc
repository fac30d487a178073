// Leases of several networks, and their callers.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/internet.h"
#include "tests/system/pinging.h"
#include "tests/system/several_networks.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Ipv4Address kOutside(0xcb007101);

class NetworksLeasesTest : public SeveralNetworksTest {
 protected:
  static std::vector<std::string> NetworksOf(Client& client) {
    grpc::ClientContext context;
    v1::ListNetworksResponse response;
    EXPECT_TRUE(client.stub().ListNetworks(&context, {}, &response).ok());
    std::vector<std::string> names;
    for (const auto& each : response.networks()) names.push_back(each.name());
    return names;
  }
  static std::vector<std::string> TapsOf(Client& client) {
    std::vector<std::string> texts;
    for (const v1::Tap& tap : client.MustList()) {
      texts.push_back(absl::StrCat(tap.network(), " ", tap.tap_name(), " ", tap.guest_ip()));
    }
    return texts;
  }
  // Why a call about that network fails; the same for every one of them.
  static std::string ReasonFor(Client& client, const std::string& network) {
    std::vector<grpc::Status> all = {client.Create(On(network, "vm9")).status};
    {
      v1::GetNetworkRequest request;
      request.set_network(network);
      grpc::ClientContext context;
      v1::GetNetworkResponse response;
      all.push_back(client.stub().GetNetwork(&context, request, &response));
    }
    {
      v1::ListTapsRequest request;
      request.set_network(network);
      grpc::ClientContext context;
      v1::ListTapsResponse response;
      all.push_back(client.stub().ListTaps(&context, request, &response));
    }
    {
      v1::CleanupRequest request;
      request.set_network(network);
      grpc::ClientContext context;
      v1::CleanupResponse response;
      all.push_back(client.stub().Cleanup(&context, request, &response));
    }
    {
      v1::WatchTapsRequest request;
      request.set_network(network);
      grpc::ClientContext context;
      const auto reader = client.stub().WatchTaps(&context, request);
      v1::TapEvent event;
      EXPECT_FALSE(reader->Read(&event)) << network;
      all.push_back(reader->Finish());
    }
    for (const grpc::Status& status : all) {
      EXPECT_EQ(ReasonOf(status), ReasonOf(all[0])) << status.error_message();
    }
    return ReasonOf(all[0]);
  }
  // The guests ping the outside all the time, while svnetd is restarted and killed.
  void ExpectNoReplyIsLost() {
    const Internet internet;
    Serve();
    const std::vector<TapGuest> guests = MakeGuests();
    Pinging pinging(guests, kOutside);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(served().Stop(i % 2 == 0 ? SIGTERM : SIGKILL), i % 2 == 0 ? 0 : -1);
      Serve();
      for (int round = 0; round < 10; ++round) pinging.WaitForAll();
    }
    pinging.ExpectNoneIsLost();
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetworksLeasesTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(NetworksLeasesTest, AVmMayHaveAnInterfaceOnEachOfTwo) {
  const Internet internet;
  Serve();
  Client alice = As(kAlice);
  const TapGuest eth0(alice.MustCreate(On(kDefault, "vm1", "eth0")));
  const TapGuest eth1(alice.MustCreate(On(kRed, "vm1", "eth1")));
  EXPECT_THAT(TapsOf(alice),
              ElementsAre("default svvm1eth0 172.30.0.2", "red svvm1eth1 172.31.0.2"));
  EXPECT_TRUE(eth0.Pings(kOutside));
  EXPECT_TRUE(eth1.Pings(kOutside));
  EXPECT_FALSE(ReachesSomehow(eth0, eth1));
  // An interface is on one network, which a caller who names none need not know.
  EXPECT_EQ(ReasonOf(alice.Create(On(kBlue, "vm1", "eth1")).status), "LEASE_CONFLICT");
  EXPECT_EQ(ReasonOf(alice.Create(On(kDefault, "vm1", "eth1")).status), "LEASE_CONFLICT");
  EXPECT_EQ(alice.MustCreate("vm1", "eth1").guest_ip(), "172.31.0.2");
  v1::RemoveTapRequest remove;
  remove.set_vm_id("vm1");
  remove.set_iface_id("eth1");
  EXPECT_TRUE(alice.MustRemove(remove));
  EXPECT_THAT(TapsOf(alice), ElementsAre("default svvm1eth0 172.30.0.2"));
  EXPECT_TRUE(eth0.Pings(kOutside));
}

TEST_P(NetworksLeasesTest, QuotasCountOverAll) {
  Serve({.others = "[limits]\ntaps_per_user = 3\nqueues_per_user = 4"});
  Client alice = As(kAlice);
  std::string last;
  for (const std::string& network : kAllNetworks) {
    v1::CreateTapRequest request = On(network, "vm-" + network);
    if (network != kBlue) request.set_queues(2);
    last = alice.MustCreate(request).tap_name();
  }
  for (const std::string& network : kAllNetworks) {
    EXPECT_EQ(ReasonOf(alice.Create(On(network, "vm4")).status), "QUOTA_EXCEEDED");
    const v1::GetNetworkResponse::Quota quota = alice.MustGetNetwork(network).quota();
    EXPECT_EQ(quota.taps(), 3u);
    EXPECT_EQ(quota.queues(), 4u);
    As(kBob).MustCreate(On(network, "vm-" + network));
  }
  EXPECT_TRUE(alice.MustRemove(last));
  v1::CreateTapRequest request = On(kBlue, "vm4");
  request.set_queues(2);
  EXPECT_EQ(ReasonOf(alice.Create(request).status), "QUOTA_EXCEEDED");
  alice.MustCreate(On(kRed, "vm4"));
}

TEST_P(NetworksLeasesTest, ThoseWhoMayNotUseOneDoNotFindIt) {
  constexpr gid_t kGames = 60;
  Serve({.red = absl::StrCat("allow_users = [\"", kBob, "\"]"), .blue = "allow_groups = [\"60\"]"});
  Client alice = As(kAlice);
  Client bob = As(kBob);
  Client player = As({.uid = 1002, .gid = 1002, .groups = {kSocketGroup, kGames}});
  Client root = As(0);
  EXPECT_THAT(NetworksOf(alice), ElementsAre("default"));
  EXPECT_THAT(NetworksOf(bob), UnorderedElementsAre("default", "red"));
  EXPECT_THAT(NetworksOf(player), UnorderedElementsAre("default", "blue"));
  EXPECT_THAT(NetworksOf(root), UnorderedElementsAre("default", "blue", "red"));
  for (const char* network : {kRed, kBlue, "green"}) {
    EXPECT_EQ(ReasonFor(alice, network), "NETWORK_NOT_FOUND") << network;
  }
  EXPECT_EQ(ReasonFor(bob, kBlue), "NETWORK_NOT_FOUND");
  EXPECT_EQ(ReasonFor(player, kRed), "NETWORK_NOT_FOUND");
  bob.MustCreate(On(kRed, "vm1"));
  player.MustCreate(On(kBlue, "vm1"));
  root.MustCreate(On(kRed, "vm1"));
  root.MustCreate(On(kBlue, "vm2"));
  EXPECT_THAT(TapsOf(alice), IsEmpty());
}

TEST_P(NetworksLeasesTest, ARestartKeepsThem) {
  const Internet internet;
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  Client before = As(0);
  const std::vector<std::string> taps = TapsOf(before);
  const std::string picture =
      "ip -d -o link show type tun | sed 's/ state [A-Z]*//'; ip route show proto 115";
  const std::string links = Shell(picture);
  for (const int signal : {SIGTERM, SIGKILL}) {
    served().Stop(signal);
    for (const TapGuest& guest : guests) EXPECT_TRUE(guest.Pings(kOutside));
    EXPECT_FALSE(ReachesSomehow(guests[0], guests[1]));
    Serve();
    Client root = As(0);
    EXPECT_EQ(TapsOf(root), taps);
    EXPECT_EQ(Shell(picture), links);
    for (const TapGuest& guest : guests) EXPECT_TRUE(guest.Pings(kOutside));
    EXPECT_FALSE(ReachesSomehow(guests[0], guests[1]));
    for (const std::string& name : kAllNetworks) {
      EXPECT_THAT(root.MustGetNetwork(name).conditions(), IsEmpty());
    }
  }
}

TEST_P(NetworksLeasesTest, NoReplyIsLostWhileSvnetdIsRestartedAndKilled) { ExpectNoReplyIsLost(); }

TEST_P(NetworksLeasesTest, OnAnOlderKernelNoReplyIsLostWhileSvnetdIsRestartedAndKilled) {
  const OlderKernel kernel;
  ExpectNoReplyIsLost();
}

TEST_P(NetworksLeasesTest, CleanupOfOneLeavesTheOthersAlone) {
  const Internet internet;
  const std::string before = NetworkPicture();
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  Client root = As(0);
  std::vector<std::string> left = kAllNetworks;
  while (!left.empty()) {
    for (size_t i = 0; i < guests.size(); ++i) {
      const bool there = std::count(left.begin(), left.end(), kAllNetworks[i]) > 0;
      EXPECT_EQ(guests[i].Pings(kOutside, absl::Milliseconds(there ? 5000 : 100)), there) << i;
    }
    const v1::CleanupResponse done = root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK, left.back());
    EXPECT_EQ(done.taps_removed(), 1u);
    EXPECT_TRUE(done.bridge_removed());
    EXPECT_EQ(done.nat_removed(), left.size() == 1);  // the rules are those of all
    left.pop_back();
    EXPECT_EQ(root.MustList().size(), left.size());
  }
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_P(NetworksLeasesTest, CleanupOfAllIsThatOfEach) {
  const std::string before = NetworkPicture();
  Serve();
  MakeGuests();
  EXPECT_EQ(As(0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK, "*").taps_removed(), 3u);
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_P(NetworksLeasesTest, CleanupOfACallersOwnMayBeOfOne) {
  Serve();
  MakeGuests();
  As(kBob).MustCreate(On(kRed, "vm1"));
  Client alice = As(kAlice);
  EXPECT_EQ(alice.MustCleanup(v1::CLEANUP_SCOPE_CALLER, kRed).taps_removed(), 1u);
  EXPECT_EQ(alice.MustList().size(), 2u);
  EXPECT_EQ(alice.MustCleanup(v1::CLEANUP_SCOPE_CALLER).taps_removed(), 2u);
  EXPECT_EQ(As(kBob).MustList().size(), 1u);
}

}  // namespace
}  // namespace svnet::testing

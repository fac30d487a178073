// Who may call, and what a hostile caller can take: nothing that another one feels.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/call_flood.h"
#include "tests/system/http2_flood.h"
#include "tests/system/raw_call.h"
#include "tests/system/system_test.h"
#include "tests/test_run.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t kMallory = 1002;

class AdmissionTest : public SystemTest {
 protected:
  // On a socket that anybody may open.
  static grpc::Status StatusOf(Client& caller) { return caller.Create("vm1").status; }
};

TEST_F(AdmissionTest, ByDefaultTheSocketIsTheGroups) {
  Daemon svnetd = Start();
  const Exited refused = RunProgramAs({.uid = kMallory, .gid = kMallory, .groups = {}},
                                      {kSvnetctl, "--socket", svnetd.socket(), "list"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("are you in group nogroup?"));
}

TEST_F(AdmissionTest, ACallerWhoIsNotAllowedIsToldWhy) {
  Daemon svnetd = Start({}, "[callers]\nallow_users = [\"1000\"]\nallow_groups = [\"105\"]\n");
  EXPECT_EQ(Shell("stat -c %a " + svnetd.socket()), "666\n");
  Client alice(svnetd.socket(), kAlice);
  EXPECT_TRUE(StatusOf(alice).ok());
  Client by_group(svnetd.socket(), {.uid = kBob, .gid = kBob, .groups = {7, 105}});
  EXPECT_TRUE(StatusOf(by_group).ok());
  Client by_socket(svnetd.socket(), Member(1003));
  EXPECT_TRUE(StatusOf(by_socket).ok());
  Client mallory(svnetd.socket(), kMallory);
  const std::string before = NetworkPicture();
  const grpc::Status refused = StatusOf(mallory);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(refused), "PERMISSION_DENIED");
  EXPECT_THAT(refused.error_message(), HasSubstr("uid 1002"));
  EXPECT_THAT(refused.error_message(), HasSubstr("allow_users"));
  EXPECT_EQ(NetworkPicture(), before);
  EXPECT_THAT(svnetd.log(), HasSubstr("uid 1002 is refused: PERMISSION_DENIED"));
}

TEST_F(AdmissionTest, AdministratorsAreOnesByTheirGroup) {
  Daemon svnetd = Start({"--admin-groups=27"});
  Client administrator(svnetd.socket(), {.uid = kBob, .gid = kBob, .groups = {27}});
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_EQ(administrator.MustList().size(), 1u);
  EXPECT_EQ(administrator.MustCleanup(v1::CLEANUP_SCOPE_NETWORK).taps_removed(), 1u);
}

// Nobody special: "root" of a user namespace is who made it.
TEST_F(AdmissionTest, RootOfAnotherUserNamespaceIsWhoMadeIt) {
  Daemon svnetd = Start();
  const auto in_namespace = [&](std::vector<std::string> command) {
    command.insert(command.begin(), {"unshare", "--user", "--map-root-user", kSvnetctl, "--socket",
                                     svnetd.socket()});
    return RunProgramAs(Member(kAlice), command);
  };
  Client(svnetd.socket(), Member(kBob)).MustCreate("vm1");
  const Exited created = in_namespace({"create", "vm1", "--json"});
  EXPECT_EQ(created.code, 0) << created.err;
  EXPECT_THAT(created.out, HasSubstr("\"ownerUid\": 1000"));
  const Exited listed = in_namespace({"list"});
  EXPECT_THAT(listed.out, HasSubstr("172.30.0.3"));
  EXPECT_THAT(listed.out, Not(HasSubstr("172.30.0.2/")));
  EXPECT_THAT(in_namespace({"cleanup", "--network"}).err, HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(in_namespace({"create", "vm2", "--owner", "1001"}).err,
              HasSubstr("PERMISSION_DENIED"));
}

TEST_F(AdmissionTest, TheOverflowUidIsAUidLikeAnother) {
  Daemon svnetd = Start();
  Client nobody(svnetd.socket(), {.uid = 65534, .gid = 65534, .groups = {}});
  const v1::Tap tap = nobody.MustCreate("vm1");
  EXPECT_EQ(tap.owner_uid(), 65534u);
  Client alice(svnetd.socket(), Member(kAlice));
  EXPECT_THAT(alice.MustList(), IsEmpty());
  alice.MustCreate("vm1");
  EXPECT_EQ(nobody.MustList().size(), 1u);
}

TEST_F(AdmissionTest, QuotasAreTheUsersAndCountWhatWasThereBefore) {
  const std::string config =
      "[limits]\ntaps_per_user = 2\n[limits.users.1001]\ntaps_per_user = 3\n";
  {
    Daemon svnetd = Start({}, config);
    Client alice(svnetd.socket(), Member(kAlice));
    for (int i = 0; i < 2; ++i) alice.MustCreate(absl::StrCat("vm", i));
  }
  Daemon svnetd = Start({}, config);
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  const std::string before = NetworkPicture();
  const grpc::Status refused = alice.Create("vm2").status;
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(NetworkPicture(), before);
  for (int i = 0; i < 3; ++i) bob.MustCreate(absl::StrCat("vm", i));
  EXPECT_EQ(ReasonOf(bob.Create("vm3").status), "QUOTA_EXCEEDED");
  Client root(svnetd.socket(), 0);
  for (int i = 0; i < 5; ++i) root.MustCreate(absl::StrCat("vm", i));
}

// A hostile caller, and an ordinary one who must not feel it.
class HostileCallerTest : public SystemTest {
 protected:
  HostileCallerTest() : svnetd_(Start({"--connections-per-user=64"})) {}

  UniqueFd Connect() { return ConnectAs(svnetd_.socket(), Member(kMallory)); }

  void ExpectOthersAreServed() {
    Client alice(svnetd_.socket(), Member(kAlice));
    const v1::Tap tap = alice.MustCreate("vm1");
    EXPECT_TRUE(alice.MustRemove(tap.tap_name()));
  }

  size_t Descriptors() const {
    const std::filesystem::directory_iterator folder(absl::StrCat("/proc/", svnetd_.pid(), "/fd"));
    return std::distance(begin(folder), end(folder));
  }
  // In KiB.
  int Memory() const {
    return std::stoi(
        Shell(absl::StrCat("awk '/VmRSS/ { print $2 }' /proc/", svnetd_.pid(), "/status")));
  }
  // As many as before, within 20 seconds: gRPC closes its own in its time.
  void ExpectDescriptorsReturnTo(size_t before) const {
    // A gate is one: the hostile caller's, that of who has too many connections, a spare one.
    const size_t after = before + 3;
    EXPECT_TRUE(Eventually([&] { return Descriptors() <= after; })) << Descriptors();
  }

  Daemon& svnetd() { return svnetd_; }

 private:
  Daemon svnetd_;
};

TEST_F(HostileCallerTest, HasAsManyConnectionsAsItMayAndIsToldSo) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<Client>(svnetd().socket(), Member(kMallory)));
    clients.back()->MustList();
  }
  {
    Client one_more(svnetd().socket(), Member(kMallory));
    const grpc::Status refused = one_more.Create("vm1").status;
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ReasonOf(refused), "QUOTA_EXCEEDED");
    EXPECT_THAT(refused.error_message(), HasSubstr("connections_per_user"));
  }
  ExpectOthersAreServed();
  // Those that it has go on, and one closed makes room for one.
  clients[7]->MustList();
  clients[3].reset();
  grpc::Status status;
  EXPECT_TRUE(Eventually([&] {
    status = Client(svnetd().socket(), Member(kMallory)).Create("vm1").status;
    return status.ok();
  })) << status.error_message();
}

TEST_F(HostileCallerTest, WithAThousandConnectionsHarmsNobody) {
  ExpectOthersAreServed();
  const size_t before = Descriptors();
  {
    std::vector<UniqueFd> connections;
    for (int i = 0; i < 1000; ++i) {
      connections.push_back(Connect());
      if (i % 3 == 0) SendAll(connections.back(), RawStart());
    }
    ExpectOthersAreServed();
    EXPECT_LT(Descriptors(), before + 3 * 80);
  }
  ExpectDescriptorsReturnTo(before);
}

// Who may have more connections than is usual has a gate that takes them.
TEST_F(HostileCallerTest, AnAdministratorHasHundredsOfConnections) {
  const std::string call = RawStart() + RawCall("ListTaps", 1);
  std::vector<UniqueFd> connections;
  for (int i = 0; i < 400; ++i) {
    connections.push_back(ConnectAs(svnetd().socket(), {.uid = 0, .gid = 0, .groups = {}}));
    ASSERT_TRUE(SendAll(connections.back(), call));
  }
  for (const UniqueFd& connection : connections) {
    ASSERT_THAT(ReceiveUntil(connection, "grpc-status"), HasSubstr("grpc-status"));
  }
}

TEST_F(HostileCallerTest, ASilentConnectionIsClosed) {
  const UniqueFd silent = Connect();
  const UniqueFd hesitant = Connect();
  ASSERT_TRUE(SendAll(hesitant, "PRI * HT"));
  const UniqueFd other_protocol = Connect();
  ASSERT_TRUE(SendAll(other_protocol, "GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(IsClosedByPeer(other_protocol));
  // One that says the right thing in small pieces is served.
  const UniqueFd slow = Connect();
  for (const char byte : RawStart() + RawCall("ListTaps", 1)) {
    ASSERT_TRUE(SendAll(slow, std::string(1, byte)));
  }
  EXPECT_THAT(ReceiveUntil(slow, "grpc-status"), HasSubstr("grpc-status"));
  EXPECT_TRUE(IsClosedByPeer(silent));
  EXPECT_TRUE(IsClosedByPeer(hesitant));
}

TEST_F(HostileCallerTest, CallersWhoConnectAndVanishLeaveNothing) {
  ExpectOthersAreServed();
  for (int i = 0; i < 50; ++i) Connect();
  const size_t before = Descriptors();
  for (int i = 0; i < 1000; ++i) {
    const UniqueFd connection = Connect();
    if (i % 4 == 1) SendAll(connection, RawStart());
    if (i % 4 == 2) SendAll(connection, RawStart() + RawCall("ListTaps", 1));
    if (i % 4 == 3) SendAll(connection, RawStart() + RawCallThatNeverEnds("ListTaps", 1));
  }
  ExpectOthersAreServed();
  ExpectDescriptorsReturnTo(before);
}

TEST_F(HostileCallerTest, CallsThatNeverEndHoldNobodyUp) {
  std::vector<UniqueFd> connections;
  for (int i = 0; i < 60; ++i) {
    connections.push_back(Connect());
    std::string bytes = RawStart();
    for (int stream = 1; stream < 100; stream += 2)
      bytes += RawCallThatNeverEnds("CreateTap", stream);
    SendAll(connections.back(), bytes);
  }
  ExpectOthersAreServed();
  connections.clear();
  ExpectOthersAreServed();
}

TEST_F(HostileCallerTest, OversizedMessagesAndMetadataAreRefused) {
  Client mallory(svnetd().socket(), Member(kMallory));
  v1::CreateTapRequest request;
  for (const size_t size : {13u << 10, 15u << 10}) {
    request.set_vm_id(std::string(size, 'a'));
    EXPECT_EQ(ReasonOf(mallory.Create(request).status), "QUOTA_EXCEEDED");
  }
  for (const size_t size : {17u << 10, 1u << 20, 30u << 20}) {
    request.set_vm_id(std::string(size, 'a'));
    EXPECT_EQ(mallory.Create(request).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(1 << 20, 'a'));
  v1::ListTapsResponse response;
  EXPECT_FALSE(mallory.stub().ListTaps(&context, {}, &response).ok());
  ExpectOthersAreServed();
  EXPECT_TRUE(Client(svnetd().socket(), Member(kMallory)).Create("vm1").status.ok());
  EXPECT_LT(svnetd().log().size(), 10'000u);
}

TEST_F(HostileCallerTest, AFloodOfCallsHoldsNobodyUp) {
  Client(svnetd().socket(), Member(kMallory)).MustCreate("vm1");
  const CallFlood one(svnetd().socket(), Member(kMallory), 64,
                      &v1::NetworkService::Stub::AsyncListTaps, v1::ListTapsRequest());
  const CallFlood two(svnetd().socket(), Member(kMallory), 64,
                      &v1::NetworkService::Stub::AsyncListTaps, v1::ListTapsRequest());
  one.WaitFor(1);
  two.WaitFor(1);
  for (int i = 0; i < 20; ++i) ExpectOthersAreServed();
}

TEST_F(HostileCallerTest, RefusedCallersDoNotFillTheLog) {
  Client mallory(svnetd().socket(), Member(kMallory));
  for (int i = 0; i < 3000; ++i) mallory.Create("not an id");
  Client alice(svnetd().socket(), Member(kAlice));
  alice.MustCreate("vm1");
  const std::string log = svnetd().log();
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 500);
  EXPECT_THAT(log, HasSubstr("CreateTap uid=1000 vm=vm1"));
}

// They wait in the kernel's queue, behind all of hers.
TEST_F(HostileCallerTest, AStormOfConnectionsDelaysOthersForAMoment) {
  constexpr int kCalls = 11;
  const std::pair<int, absl::Duration> storms[] = {{0, absl::Milliseconds(700)},
                                                   {6'000, absl::Seconds(2)}};
  for (const auto& [held, moment] : storms) {
    const ConnectStorm storm(svnetd().socket(), Member(kMallory), held);
    // It has begun when the queue is full.
    EXPECT_TRUE(Eventually([&] {
      const absl::Time start = absl::Now();
      Client(svnetd().socket(), Member(kAlice)).MustList();
      return absl::Now() - start > absl::Milliseconds(20);
    })) << held;
    std::vector<absl::Duration> times;
    for (int i = 0; i < kCalls; ++i) {
      const absl::Time start = absl::Now();
      Client(svnetd().socket(), Member(kAlice)).MustList();
      times.push_back(absl::Now() - start);
    }
    std::sort(times.begin(), times.end());
    std::cout << "  " << held << " held: a connection and a call take " << times[kCalls / 2]
              << ", at most " << times.back() << "\n";
    if (IsSanitized()) continue;
    EXPECT_LT(times[kCalls / 2], moment) << held;
  }
}

// Connections of two uids, opened and closed all the time, so that every descriptor
// number is soon the other's: no call is ever served as the other uid.
TEST_F(HostileCallerTest, AStormOfTwoUidsNeverMixesThemUp) {
  const int connections_each = IsSanitized() ? 5'000 : 52'000;
  Client(svnetd().socket(), Member(kAlice)).MustCreate("of-alice");
  Client(svnetd().socket(), Member(kMallory)).MustCreate("of-mallory");
  const auto storm = [&](int seed, int count) {
    std::minstd_rand random(seed);
    int wrong = 0;
    struct Open {
      UniqueFd socket;
      bool is_alice;
    };
    std::vector<Open> open;
    for (int i = 0; i < count; ++i) {
      const bool is_alice = random() % 2 == 0;
      open.push_back(
          {ConnectAs(svnetd().socket(), Member(is_alice ? kAlice : kMallory)), is_alice});
      if (!SendAll(open.back().socket, RawStart() + RawCall("ListTaps", 1))) ++wrong;
      if (open.size() < 8) continue;
      std::swap(open[random() % open.size()], open.back());
      // Some are closed with their call unanswered.
      if (random() % 4 != 0) {
        const std::string answer = ReceiveUntil(open.back().socket, "grpc-status");
        const bool right =
            absl::StrContains(answer, open.back().is_alice ? "of-alice" : "of-mallory");
        const bool others =
            absl::StrContains(answer, open.back().is_alice ? "of-mallory" : "of-alice");
        if (!right || others) {
          ++wrong;
          ADD_FAILURE() << (open.back().is_alice ? "alice" : "mallory")
                        << " hears: " << absl::CHexEscape(answer);
        }
      }
      open.pop_back();
    }
    return wrong;
  };
  EXPECT_EQ(storm(1, 500), 0);  // everything has reached its size
  const size_t descriptors = Descriptors();
  const int memory = Memory();
  int wrong[2] = {};
  std::thread other([&] { wrong[0] = storm(2, connections_each); });
  wrong[1] = storm(3, connections_each);
  other.join();
  EXPECT_EQ(wrong[0] + wrong[1], 0);
  ExpectOthersAreServed();
  ExpectDescriptorsReturnTo(descriptors);
  if (!IsSanitized()) {
    EXPECT_LT(Memory(), memory + (16 << 10));
  }
  std::cout << 2 * connections_each << " connections; memory " << memory << " KiB before, "
            << Memory() << " KiB after\n";
}

}  // namespace
}  // namespace svnet::testing

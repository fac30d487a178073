// Gates from outside: what it costs others when one ends, and that none takes another's place.
#include <signal.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/system/gate_test.h"
#include "tests/system/http2_attack.h"
#include "tests/system/http2_flood.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uid_t kMallory = 1002;
constexpr uid_t kFirstUid = 3'000;

class GateTest : public GateFixture {
 protected:
  using GateFixture::GateFixture;

  void ExpectEndsAllButSvnetd(int signal) {
    const std::vector<pid_t> tree = ProcessTree(svnetd().pid());
    EXPECT_GE(tree.size(), 3u);  // the parent, and a gate
    svnetd().Stop(signal);
    const absl::Time end = absl::Now() + absl::Seconds(20);
    const auto running = [&] { return std::count_if(tree.begin(), tree.end(), IsRunning); };
    while (running() > 0 && absl::Now() < end) std::this_thread::yield();
    EXPECT_EQ(running(), 0);
  }
};

TEST_F(GateTest, ACallerWhoseGateIsKilledIsServedAgainAtOnceAndOthersNoticeNothing) {
  Bystander bob(svnetd().socket(), Member(kBob));
  const size_t descriptors = DescriptorsBesideGates(svnetd().pid());
  std::vector<absl::Duration> times;
  for (uid_t uid = kFirstUid; uid < kFirstUid + 5; ++uid) {
    Client client(svnetd().socket(), Member(uid));
    client.MustCreate("vm1");
    Watcher watcher(client);
    watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED);
    const pid_t gate = GateFor(Member(uid));
    ASSERT_GT(gate, 0);
    Signal(gate, SIGKILL);
    const absl::Time killed = absl::Now();
    EXPECT_EQ(watcher.Next().type(), v1::TAP_EVENT_TYPE_UNSPECIFIED);
    EXPECT_EQ(watcher.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(client.Create("vm1").status.error_code(), grpc::StatusCode::UNAVAILABLE);
    TimeUntilServed(Member(uid));
    times.push_back(absl::Now() - killed);
    EXPECT_THAT(Client(svnetd().socket(), Member(uid)).MustList(), SizeIs(1));
  }
  std::sort(times.begin(), times.end());
  // The median: the machine may be busy with something else.
  EXPECT_LE(times[times.size() / 2], Allowed(absl::Milliseconds(100)));
  bob.ExpectNothingWasNoticed();
  ExpectDescriptorsReturnTo(descriptors, svnetd().pid());
}

TEST_F(GateTest, ACallerWhoseGateIsKilledAgainAndAgainWaitsAndOthersDoNot) {
  Bystander bob(svnetd().socket(), Member(kBob));
  absl::Duration waited;
  for (int i = 0; i < 4; ++i) {
    const pid_t gate = GateFor(Member(kMallory));
    ASSERT_GT(gate, 0);
    Signal(gate, SIGKILL);
    waited = TimeUntilServed(Member(kMallory));
  }
  EXPECT_GE(waited, absl::Milliseconds(100));
  EXPECT_LE(waited, absl::Seconds(10));
  EXPECT_LE(TimeUntilServed(Member(kAlice)), Allowed(absl::Milliseconds(100)));
  bob.ExpectNothingWasNoticed();
}

TEST_F(GateTest, AGateThatIsStoppedIsEndedAndOthersNoticeNothing) {
  Bystander bob(svnetd().socket(), Member(kBob));
  Client alice(svnetd().socket(), Member(kAlice));
  alice.MustCreate("vm1");
  const pid_t gate = GateFor(Member(kAlice));
  ASSERT_GT(gate, 0);
  Signal(gate, SIGSTOP);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::ListTapsResponse response;
  EXPECT_EQ(alice.stub().ListTaps(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_LE(TimeUntilServed(Member(kAlice)), Allowed(absl::Milliseconds(100)));
  bob.ExpectNothingWasNoticed();
}

TEST_F(GateTest, SvnetdEndsWithTheParentOfItsGates) {
  Client(svnetd().socket(), Member(kAlice)).MustCreate("vm1");
  const pid_t parent = GateParentOf(svnetd().pid());
  ASSERT_GT(parent, 0);
  const std::vector<pid_t> gates = GatesOf(svnetd().pid());
  Signal(parent, SIGKILL);
  EXPECT_NE(svnetd().Stop(0), 0);
  EXPECT_THAT(svnetd().log(), HasSubstr("gates"));
  const absl::Time end = absl::Now() + absl::Seconds(20);
  const auto running = [&] { return std::count_if(gates.begin(), gates.end(), IsRunning); };
  while (running() > 0 && absl::Now() < end) std::this_thread::yield();
  EXPECT_EQ(running(), 0);
  Daemon again = Start();
  EXPECT_THAT(Client(again.socket(), Member(kAlice)).MustList(), SizeIs(1));
}

TEST_F(GateTest, EndWithSvnetd) {
  Client(svnetd().socket(), Member(kAlice)).MustList();
  ExpectEndsAllButSvnetd(SIGTERM);
}

TEST_F(GateTest, EndWithAnSvnetdThatIsKilled) {
  Client(svnetd().socket(), Member(kAlice)).MustList();
  ExpectEndsAllButSvnetd(SIGKILL);
}

TEST_F(GateTest, AWatchEndsWithARestartAndItsCallerIsServedAgain) {
  Client alice(svnetd().socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Watcher watcher(alice);
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED);
  EXPECT_EQ(svnetd().Stop(SIGTERM), 0);
  EXPECT_EQ(watcher.Next().type(), v1::TAP_EVENT_TYPE_UNSPECIFIED);
  EXPECT_EQ(watcher.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  Daemon again = Start();
  Client alice_again(again.socket(), Member(kAlice));
  EXPECT_THAT(alice_again.MustList(), SizeIs(1));
  Watcher watcher_again(alice_again);
  watcher_again.WaitFor(v1::TAP_EVENT_TYPE_ADDED);
}

// Bytes that begin as HTTP/2 does: frames of any kind, calls with a wrong byte, noise.
std::string RandomHttp2(std::minstd_rand* random) {
  const auto below = [&](uint32_t end) { return static_cast<int>((*random)() % end); };
  const auto noise = [&](int most) {
    std::string bytes(below(most), '\0');
    for (char& byte : bytes) byte = static_cast<char>(below(256));
    return bytes;
  };
  std::string bytes = RawStart();
  for (int i = below(20); i >= 0; --i) {
    std::string call = RawCall("ListTaps", 2 * i + 1);
    call[below(call.size())] = static_cast<char>(below(256));
    switch (below(8)) {
      case 0:
        bytes += noise(200);
        break;
      case 1:
        bytes += call;
        break;
      default:
        bytes += HttpFrame(static_cast<FrameType>(below(12)), below(256), below(8), noise(64));
    }
  }
  return bytes;
}

TEST_F(GateTest, RandomBytesHarmOnlyWhoSendsThem) {
  Bystander bob(svnetd().socket(), Member(kBob));
  const size_t descriptors = DescriptorsBesideGates(svnetd().pid());
  std::minstd_rand random(1);
  {
    std::vector<UniqueFd> open(16);
    for (int i = 0; i < 2'000; ++i) {
      UniqueFd& connection = open[random() % open.size()];
      connection = ConnectAs(svnetd().socket(), Member(kMallory));
      SendAll(connection, RandomHttp2(&random));
    }
  }
  EXPECT_TRUE(svnetd().running());
  EXPECT_LE(TimeUntilServed(Member(kMallory)), absl::Seconds(10));  // if its gate has died
  bob.ExpectNothingWasNoticed();
  ExpectDescriptorsReturnTo(descriptors, svnetd().pid());
}

// Each uid has a TAP of the same name in its own terms, and one of its own name.
class GateIdentityTest : public GateFixture {
 protected:
  static constexpr int kUids = 4;

  GateIdentityTest() {
    for (int i = 0; i < kUids; ++i) {
      Client client(svnetd().socket(), Member(kFirstUid + i));
      client.MustCreate(OwnName(kFirstUid + i));
      client.MustCreate("vm");
    }
    request_.set_vm_id("vm");
    request_.set_iface_id("eth0");
  }

  static std::string OwnName(uid_t uid) { return absl::StrCat("of-", uid); }

  struct Open {
    UniqueFd connection;
    uid_t uid;
    bool creates;
  };
  Open Begin(std::minstd_rand* random) {
    const uid_t uid = kFirstUid + (*random)() % kUids;
    Open open = {.connection = ConnectAs(svnetd().socket(), Member(uid)),
                 .uid = uid,
                 .creates = (*random)() % 4 == 0};
    SendAll(open.connection,
            RawStart() + (open.creates ? RawCall("CreateTap", 1, request_.SerializeAsString())
                                       : RawCall("ListTaps", 1)));
    return open;
  }

  struct Counts {
    int served = 0;
    int unserved = 0;  // their gate was killed
    int wrong = 0;
  };
  static void Count(const Open& open, Counts* counts) {
    const std::string answer = ReceiveUntil(open.connection, "grpc-status");
    const std::string message = FirstMessageIn(answer);
    if (message.empty()) {
      ++counts->unserved;
      return;
    }
    ++counts->served;
    if (!(open.creates ? IsOwnTap(open.uid, message) : AreOwnTaps(open.uid, message))) {
      ++counts->wrong;
    }
  }

  // `connections` of them, eight at a time, of which some are closed with no answer read.
  Counts Storm(int seed, int connections, std::atomic<int>* done) {
    std::minstd_rand random(seed);
    Counts counts;
    std::vector<Open> open;
    for (int i = 0; i < connections; ++i, ++*done) {
      open.push_back(Begin(&random));
      if (open.size() < 8) continue;
      std::swap(open[random() % open.size()], open.back());
      if (random() % 4 != 0) Count(open.back(), &counts);
      open.pop_back();
    }
    return counts;
  }

 private:
  static bool IsOwnTap(uid_t uid, const std::string& message) {
    v1::CreateTapResponse response;
    return response.ParseFromString(message) && response.tap().owner_uid() == uid;
  }
  static bool AreOwnTaps(uid_t uid, const std::string& message) {
    v1::ListTapsResponse response;
    if (!response.ParseFromString(message) || response.taps_size() != 2) return false;
    return std::all_of(response.taps().begin(), response.taps().end(), [&](const v1::Tap& tap) {
      return tap.owner_uid() == uid && (tap.vm_id() == "vm" || tap.vm_id() == OwnName(uid));
    });
  }

  v1::CreateTapRequest request_;
};

TEST_F(GateIdentityTest, IsNeverMixedUpWhileGatesAreKilled) {
  const int each = Soaks() ? 50'000 : 5'000;
  // Any gate, also one that nobody has yet; not so often that callers only wait for new ones.
  const int kills = Soaks() ? 40 : 16;
  std::atomic<int> done = 0;
  std::array<Counts, 2> counts;
  std::thread first([&] { counts[0] = Storm(1, each, &done); });
  std::thread second([&] { counts[1] = Storm(2, each, &done); });
  int missing = 0;
  std::minstd_rand random(3);
  for (int killed = 0; killed < kills; ++killed) {
    while (done < 2 * each * (killed + 1) / (kills + 2)) std::this_thread::yield();
    const std::vector<pid_t> gates = GatesOf(svnetd().pid());
    if (!gates.empty()) kill(gates[random() % gates.size()], SIGKILL);
    if (gates.empty()) ++missing;
  }
  first.join();
  second.join();
  const int served = counts[0].served + counts[1].served;
  const int unserved = counts[0].unserved + counts[1].unserved;
  std::cout << served << " answers, " << unserved << " connections without one\n";
  EXPECT_EQ(missing, 0) << "times there was no gate to kill";
  EXPECT_EQ(counts[0].wrong + counts[1].wrong, 0);
  EXPECT_GT(served, each);
  EXPECT_LE(unserved, 16 * kills);  // those that were open when their gate was killed
}

}  // namespace
}  // namespace svnet::testing

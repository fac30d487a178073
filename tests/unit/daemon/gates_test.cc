// The core's end of the gates: who has which, what they may say, and what becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/accept/gate_parent_link.h"
#include "daemon/accept/gates.h"
#include "daemon/base/clock.h"
#include "daemon/wire/gate_request.h"
#include "svnet/v1/network.pb.h"
#include "tests/fakes/fake_gate_maker.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Caller kCarol = {.uid = 1002, .gid = 1002};

class GatesTest : public NetworkRegistryTest {
 protected:
  // Four addresses for guests, so that a call can wait for one that is dying.
  GatesTest() : NetworkRegistryTest("10.9.9.0/29") {
    spdlog::set_level(spdlog::level::off);
    EXPECT_TRUE(Start().ok());
    runner_.emplace(
        CallRunner::Parts{.metrics = &metrics_, .health = &health_, .board = &board_, .log = &log_},
        Unstarted{.networks = {}, .why = absl::OkStatus()});
    runner_->SetNetwork(&api());
    poller_ = *Poller::Open();
    wakes_ = *WakeList::Open();
    gates_.emplace(Gates::Parts{.services = {.poller = poller_.get(),
                                             .runner = &*runner_,
                                             .wakes = wakes_,
                                             .metrics_page = [] { return "page"; }},
                                .maker = &maker_,
                                .metrics = &metrics_.gates(),
                                .log = &log_,
                                .clock = [this] { return time_; },
                                .on_lost = [this](uint64_t lost) { lost_.push_back(lost); }});
    EXPECT_TRUE(poller_->Add(wakes_->fd(), EPOLLIN, [this](uint32_t) { gates_->OnNews(); }).ok());
    gates_->Tick();
  }

  ~GatesTest() override { spdlog::set_level(spdlog::level::info); }

  // Has all that is there handled.
  void Turn() {
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
      gates_->Tick();
    }
  }
  void Pass(absl::Duration time) {
    time_ += time;
    gates_->Tick();
  }

  // A connection of the caller's; its number. What its gate got stays to be read.
  uint64_t Connect(const Caller& caller, const absl::Status& verdict = absl::OkStatus()) {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const UniqueFd client(ends[1]);
    EXPECT_TRUE(gates_->Serve(++connection_, caller, verdict, UniqueFd(ends[0])).ok());
    return connection_;
  }
  // What came to that gate next; kind kReady: nothing.
  Message Next(uint64_t gate) {
    const auto packet = maker_.ends.at(gate).Receive(kMaxPacket, true);
    if (!packet.ok()) return {.kind = MessageKind::kReady};
    return *Decode(packet->bytes);
  }
  std::vector<Message> All(uint64_t gate) {
    std::vector<Message> all;
    for (Message next = Next(gate); next.kind != MessageKind::kReady; next = Next(gate)) {
      all.push_back(next);
    }
    return all;
  }
  void Say(uint64_t gate, const Message& message) {
    EXPECT_TRUE(maker_.ends.at(gate).Send(Encode(message)).ok());
  }
  // A gate of the caller's own, that is ready, with one connection.
  uint64_t Begin(const Caller& caller, uint64_t* connection) {
    *connection = Connect(caller);
    for (auto& [number, end] : maker_.ends) {
      const Message first = Next(number);
      if (first.kind != MessageKind::kConnection || first.connection != *connection) continue;
      Say(number, {.kind = MessageKind::kReady});
      return number;
    }
    ADD_FAILURE() << "no gate has the connection";
    return 0;
  }
  static Message Call(Method method, uint64_t id, uint64_t connection,
                      const std::string& body = "") {
    return {.kind = MessageKind::kCall,
            .method = method,
            .id = id,
            .connection = connection,
            .body = body};
  }
  static std::string CreateOf(const std::string& vm) {
    v1::CreateTapRequest request;
    request.set_vm_id(vm);
    request.set_iface_id("eth0");
    return request.SerializeAsString();
  }
  bool IsThere(uint64_t gate) const { return maker_.killed.count(gate) == 0; }

  // Links look at the real clock: this one goes on from there.
  absl::Time time_ = MonotonicNow();
  Metrics metrics_;
  HealthBoard health_;
  StatusBoard board_;
  LimitedLog log_{MonotonicNow};
  std::optional<CallRunner> runner_;
  std::unique_ptr<Poller> poller_;
  std::shared_ptr<WakeList> wakes_;
  testing::FakeGateMaker maker_;
  std::vector<uint64_t> lost_;
  std::optional<Gates> gates_;
  uint64_t connection_ = 0;
};

TEST_F(GatesTest, EachCallerHasItsOwnAndOneIsKeptReady) {
  EXPECT_EQ(gates_->count(), 1u);  // the spare one
  uint64_t alices, alices_second, bobs;
  const uint64_t alice = Begin(kAlice, &alices);
  EXPECT_EQ(alice, 1u);
  EXPECT_EQ(gates_->count(), 1u);
  Pass(GateSupply::kSpareAfter);
  EXPECT_EQ(gates_->count(), 2u);
  const uint64_t bob = Begin(kBob, &bobs);
  EXPECT_NE(alice, bob);
  alices_second = Connect(kAlice);
  EXPECT_EQ(Next(alice).connection, alices_second);
  // The same uid with another group is another caller.
  Caller other = kAlice;
  other.groups = {44};
  const uint64_t third = Begin(other, &alices_second);
  EXPECT_NE(third, alice);
  EXPECT_NE(third, bob);
}

TEST_F(GatesTest, RunsACallAsItsCaller) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  Say(gate, Call(Method::kCreateTap, 1, connection, CreateOf("vm1")));
  Turn();
  const Message answer = Next(gate);
  EXPECT_EQ(answer.kind, MessageKind::kAnswer);
  EXPECT_EQ(answer.id, 1u);
  v1::CreateTapResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.body));
  EXPECT_EQ(response.tap().owner_uid(), kAlice.uid);
  Say(gate, Call(Method::kCreateTap, 2, connection, "\xff"));
  Turn();
  EXPECT_EQ(Next(gate).status.text, "the request is not a protobuf message");
}

TEST_F(GatesTest, ACallOfAConnectionThatHasEndedOrIsAnothersIsNotBegun) {
  uint64_t alices, bobs;
  const uint64_t alice = Begin(kAlice, &alices);
  const uint64_t bob = Begin(kBob, &bobs);
  Say(alice, Call(Method::kCreateTap, 1, bobs, CreateOf("vm1")));
  Turn();
  EXPECT_EQ(Next(alice).status.code, static_cast<int>(absl::StatusCode::kCancelled));
  gates_->Closed(bobs);
  Say(bob, Call(Method::kCreateTap, 1, bobs, CreateOf("vm1")));
  Say(bob, Call(Method::kWatchTaps, 2, bobs));
  Turn();
  EXPECT_EQ(Next(bob).status.code, static_cast<int>(absl::StatusCode::kCancelled));
  EXPECT_EQ(Next(bob).kind, MessageKind::kEnd);
  EXPECT_EQ(registry().lease_count(), 0u);
}

TEST_F(GatesTest, OneMessageOfEachInTurn) {
  uint64_t alices, bobs;
  const uint64_t alice = Begin(kAlice, &alices);
  const uint64_t bob = Begin(kBob, &bobs);
  Turn();
  for (uint64_t id = 1; id <= 10; ++id) Say(alice, Call(Method::kHealthCheck, id, alices));
  for (uint64_t id = 1; id <= 2; ++id) Say(bob, Call(Method::kHealthCheck, id, bobs));
  EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
  EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
  EXPECT_EQ(All(bob).size(), 2u);
  EXPECT_EQ(All(alice).size(), 2u);
}

// What a gate may not say: each ends that gate and its connections, and nothing else.
TEST_F(GatesTest, WhatBreaksTheProtocolEndsThatGateAlone) {
  uint64_t bobs;
  const uint64_t bob = Begin(kBob, &bobs);
  const auto ends = [&](const std::string& what, const std::vector<std::string>& packets) {
    Pass(absl::Hours(1));
    uint64_t connection;
    const uint64_t gate = Begin(kAlice, &connection);
    Turn();
    lost_.clear();
    for (const std::string& packet : packets) EXPECT_TRUE(maker_.ends.at(gate).Send(packet).ok());
    Turn();
    EXPECT_FALSE(IsThere(gate)) << what;
    EXPECT_THAT(lost_, ElementsAre(connection)) << what;
  };
  const auto call = [&](uint64_t id) { return Encode(Call(Method::kHealthCheck, id, 1)); };
  const auto of_kind = [](MessageKind kind, uint64_t id = 0) {
    return Encode({.kind = kind, .id = id});
  };
  ends("a short packet", {"x"});
  ends("a long packet", {std::string(kMaxPacket + 1, 'x')});
  ends("a wrong size", {call(1) + "x"});
  ends("ready twice", {of_kind(MessageKind::kReady)});
  ends("an id twice", {call(1), call(1)});
  ends("an id of 0", {call(0)});
  ends("a falling id", {call(9), call(8)});
  ends("the core's kinds", {of_kind(MessageKind::kAnswer, 1)});
  ends("a drain that nobody wanted", {of_kind(MessageKind::kDrained)});
  ends("a cancel of the future", {of_kind(MessageKind::kCancel, 1)});
  ends("a pull of the future", {of_kind(MessageKind::kPull, 1)});
  ends("a request that is too long",
       {Encode(Call(Method::kCreateTap, 1, 1, std::string(kMaxRequestSize + 1, 'x')))});
  ends("a page of metrics", {Encode(Call(Method::kMetricsPage, 1, 1))});
  Message message = Call(Method::kHealthCheck, 1, 1);
  message.status.text = "x";
  ends("a call with a status", {Encode(message)});
  message = Call(Method::kHealthCheck, 1, 1);
  message.more = true;
  ends("a call in parts", {Encode(message)});
  ends("a cancel with a body", {Encode({.kind = MessageKind::kCancel, .id = 0, .body = "x"})});
  EXPECT_TRUE(IsThere(bob));
}

TEST_F(GatesTest, PullsTwiceOrOpensTooManyWatchesAndIsEnded) {
  uint64_t connection;
  uint64_t gate = Begin(kAlice, &connection);
  Say(gate, Call(Method::kWatchTaps, 1, connection));
  Say(gate, {.kind = MessageKind::kPull, .id = 1});  // the end of the snapshot
  Turn();
  Say(gate, {.kind = MessageKind::kPull, .id = 1});
  Turn();
  ASSERT_TRUE(IsThere(gate));
  Say(gate, {.kind = MessageKind::kPull, .id = 1});
  Turn();
  EXPECT_FALSE(IsThere(gate));
}

TEST_F(GatesTest, AWatchSaysNextWhenItIsPulled) {
  uint64_t alices, bobs;
  const uint64_t alice = Begin(kAlice, &alices);
  const uint64_t bob = Begin(kBob, &bobs);
  Say(alice, Call(Method::kWatchTaps, 1, alices));
  Turn();
  EXPECT_EQ(Next(alice).kind, MessageKind::kBegun);
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm1");
  MustCreate(kAlice, "vm2");
  Turn();
  EXPECT_THAT(All(alice), IsEmpty());
  const auto pull = [&] {
    Say(alice, {.kind = MessageKind::kPull, .id = 1});
    Turn();
    const Message next = Next(alice);
    v1::TapEvent event;
    EXPECT_TRUE(event.ParseFromString(next.body));
    return event.has_tap() ? event.tap().vm_id() : v1::TapEventType_Name(event.type());
  };
  EXPECT_EQ(pull(), "TAP_EVENT_TYPE_SNAPSHOT_END");
  EXPECT_EQ(pull(), "vm1");
  EXPECT_EQ(pull(), "vm2");
  EXPECT_EQ(pull(), "TAP_EVENT_TYPE_UNSPECIFIED");  // no event: not yet
  MustCreate(kAlice, "vm3");
  Turn();
  EXPECT_EQ(Next(alice).kind, MessageKind::kEvent);
  Say(alice, {.kind = MessageKind::kCancel, .id = 1});
  Turn();
  EXPECT_EQ(Next(alice).kind, MessageKind::kEnd);
  Say(alice, {.kind = MessageKind::kPull, .id = 1});  // crossed the end
  Turn();
  EXPECT_TRUE(IsThere(alice));
  EXPECT_THAT(All(bob), IsEmpty());
}

TEST_F(GatesTest, ACallThatCannotGoOnWaitsAndNobodyWithIt) {
  uint64_t alices, bobs;
  const uint64_t alice = Begin(kAlice, &alices);
  const uint64_t bob = Begin(kBob, &bobs);
  for (int i = 0; i < 5; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm0")).ok());
  Say(alice, Call(Method::kCreateTap, 1, alices, CreateOf("new")));
  Say(bob, Call(Method::kListTaps, 1, bobs));
  Turn();
  EXPECT_THAT(All(alice), IsEmpty());
  EXPECT_EQ(All(bob).size(), 1u);
  Reap();
  gates_->Resume();
  Turn();
  const Message answer = Next(alice);
  EXPECT_EQ(answer.id, 1u);
  EXPECT_TRUE(answer.status.ok()) << answer.status.text;
}

TEST_F(GatesTest, ACallThatWaitsCanBeCancelledAndEndsWithADrain) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  for (int i = 0; i < 5; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm0")).ok());
  Say(gate, Call(Method::kCreateTap, 1, connection, CreateOf("one")));
  Say(gate, Call(Method::kCreateTap, 2, connection, CreateOf("two")));
  Say(gate, {.kind = MessageKind::kCancel, .id = 1});
  Turn();
  EXPECT_EQ(Next(gate).status.code, static_cast<int>(absl::StatusCode::kCancelled));
  EXPECT_THAT(All(gate), IsEmpty());
  gates_->Drain(absl::UnavailableError("svnetd is shutting down"));
  const std::vector<Message> said = All(gate);
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0].kind, MessageKind::kDrain);
  EXPECT_THAT(said[0].status.text, HasSubstr("shutting down"));
  EXPECT_EQ(said[1].id, 2u);
  EXPECT_FALSE(said[1].status.ok());
  EXPECT_FALSE(gates_->AreDrained());
  Say(gate, {.kind = MessageKind::kDrained});
  Turn();
  EXPECT_TRUE(gates_->AreDrained());
}

TEST_F(GatesTest, NoMoreCallsWaitThanMay) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  for (int i = 0; i < 5; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm0")).ok());
  for (uint64_t id = 1; id <= kMaxCallsInCore; ++id) {
    Say(gate, Call(Method::kCreateTap, id, connection, CreateOf(absl::StrCat("n", id))));
  }
  Turn();
  EXPECT_TRUE(IsThere(gate));
  Say(gate, Call(Method::kListTaps, kMaxCallsInCore + 1, connection));
  Turn();
  EXPECT_FALSE(IsThere(gate));
}

TEST_F(GatesTest, AGateThatTakesNoAnswerIsNotReadAndAtLastEnded) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  int sent = 0;
  for (; sent < 100'000; ++sent) {
    const Message call = Call(Method::kHealthWatch, sent + 1, connection, "\xff");
    if (!maker_.ends.at(gate).Send(Encode(call)).ok()) break;
    if (sent % 50 == 0) Turn();
  }
  Turn();
  EXPECT_LT(sent, 100'000);
  EXPECT_TRUE(IsThere(gate));
  time_ = MonotonicNow() + GateLink::kPatience;
  gates_->Tick();
  EXPECT_FALSE(IsThere(gate));
}

TEST_F(GatesTest, OneThatHangsIsFoundAlsoIfNobodyCalls) {
  uint64_t alices, bobs;
  time_ = MonotonicNow();
  const uint64_t alice = Begin(kAlice, &alices);
  const uint64_t bob = Begin(kBob, &bobs);
  Turn();
  for (int i = 0; i < 4; ++i) {
    Pass(GateLink::kPatience / 2);
    for (const Message& each : All(bob)) EXPECT_EQ(each.kind, MessageKind::kPing);
  }
  EXPECT_FALSE(IsThere(alice));
  EXPECT_THAT(lost_, ElementsAre(alices));
  EXPECT_TRUE(IsThere(bob));
  EXPECT_THAT(metrics_.Render(api().Measure()),
              HasSubstr("svnet_gates_ended_total{why=\"stuck\"} 1"));
}

TEST_F(GatesTest, OneThatIsIdleEndsAfterAWhile) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  Pass(absl::Hours(1));
  EXPECT_TRUE(IsThere(gate));
  gates_->Closed(connection);
  Pass(GateReaper::kIdle - absl::Seconds(1));
  EXPECT_TRUE(IsThere(gate));
  EXPECT_EQ(gates_->NextDue(), time_ + absl::Seconds(1));
  Pass(absl::Seconds(1));
  EXPECT_FALSE(IsThere(gate));
  EXPECT_THAT(lost_, IsEmpty());
  EXPECT_THAT(metrics_.Render(api().Measure()),
              HasSubstr("svnet_gates_ended_total{why=\"idle\"} 1"));
}

TEST_F(GatesTest, TheLogSaysWhyOneHasEnded) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
  uint64_t connection;
  maker_.ends.erase(Begin(kAlice, &connection));  // it dies
  Turn();
  spdlog::set_default_logger(before);
  EXPECT_THAT(said.str(),
              HasSubstr("the gate of uid 1000 has ended (died), and with it 1 connections"));
}

TEST_F(GatesTest, ACallerWhoseGateDiesAgainAndAgainWaitsLongerEachTime) {
  std::vector<int64_t> waits;
  for (int i = 0; i < 9; ++i) {
    const size_t before = maker_.roles.size();
    const uint64_t connection = Connect(kAlice);
    const absl::Time since = time_;
    uint64_t gate = 0;
    for (int step = 0; step < 100 && gate == 0; ++step) {
      for (auto& [number, end] : maker_.ends) {
        if (Next(number).connection == connection) gate = number;
      }
      if (gate == 0) Pass(absl::Milliseconds(100));
    }
    ASSERT_NE(gate, 0u) << before;
    waits.push_back((time_ - since) / absl::Milliseconds(1));
    maker_.ends.erase(gate);  // it dies
    Turn();
    EXPECT_EQ(lost_.back(), connection);
  }
  EXPECT_THAT(waits, ElementsAre(0, 0, 100, 200, 400, 800, 1600, 3200, 5000));
  // Others do not wait, and who waits can give up.
  uint64_t bobs;
  Begin(kBob, &bobs);
  const uint64_t waiting = Connect(kAlice);
  gates_->Closed(waiting);
  Pass(absl::Seconds(10));
  for (auto& [number, end] : maker_.ends) {
    for (const Message& each : All(number)) EXPECT_NE(each.connection, waiting);
  }
  Pass(RestartDelays::kForgotten);
  uint64_t alices;
  Begin(kAlice, &alices);
}

TEST_F(GatesTest, ACallerWhoseGateHasJustBeenFoundDeadGetsAnother) {
  uint64_t alices;
  const uint64_t first = Begin(kAlice, &alices);
  Turn();
  Pass(GateSupply::kSpareAfter);
  const uint64_t spare = maker_.last;
  maker_.ends.erase(first);
  maker_.ends.erase(spare);
  // One turn finds both, before Tick.
  EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
  const uint64_t again = Connect(kAlice);
  const uint64_t third = maker_.last;
  EXPECT_NE(third, spare);
  EXPECT_EQ(Next(third).connection, again);
  gates_->Tick();
  EXPECT_THAT(lost_, ElementsAre(alices));
  EXPECT_FALSE(IsThere(first));
  EXPECT_FALSE(IsThere(spare));
  EXPECT_TRUE(IsThere(third));
}

TEST_F(GatesTest, ACallerWhoseSharedGateHasJustBeenFoundDeadGetsAnother) {
  const absl::Status no = absl::PermissionDeniedError("no");
  const uint64_t before = Connect(kAlice, no);
  const uint64_t first = maker_.last;
  maker_.ends.erase(first);
  EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
  const uint64_t after = Connect(kBob, no);
  EXPECT_EQ(Next(maker_.last).connection, after);
  gates_->Tick();
  EXPECT_THAT(lost_, ElementsAre(before));
}

TEST_F(GatesTest, GateThatCannotBeKilledNowIsKilledLater) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  Turn();
  Pass(GateSupply::kSpareAfter);  // so that no other thing is due soon
  maker_.is_full = true;
  gates_->Revoke(connection);
  gates_->Tick();
  EXPECT_EQ(gates_->NextDue(), time_ + GateSupply::kKillAgain);
  Pass(GateSupply::kKillAgain);
  EXPECT_TRUE(IsThere(gate));
  EXPECT_EQ(gates_->NextDue(), time_ + GateSupply::kKillAgain);
  maker_.is_full = false;
  Pass(GateSupply::kKillAgain);
  EXPECT_FALSE(IsThere(gate));
}

TEST_F(GatesTest, ThereAreNoMoreThanMayBeAndOthersShareOne) {
  std::set<uint64_t> gates;
  uint64_t connection;
  for (uid_t uid = 2000; uid < 2000 + GateTable::kMost; ++uid) {
    gates.insert(Begin({.uid = uid, .gid = uid}, &connection));
  }
  EXPECT_EQ(gates.size(), GateTable::kMost);
  const uint64_t shared = Begin({.uid = 3000, .gid = 3000}, &connection);
  const uint64_t second = Connect({.uid = 3001, .gid = 3001});
  EXPECT_EQ(Next(shared).connection, second);
  // Each of them is who it is all the same.
  Say(shared, Call(Method::kCreateTap, 1, connection, CreateOf("a")));
  Say(shared, Call(Method::kCreateTap, 2, second, CreateOf("b")));
  Turn();
  for (const uid_t uid : {3000u, 3001u}) {
    v1::CreateTapResponse response;
    ASSERT_TRUE(response.ParseFromString(Next(shared).body));
    EXPECT_EQ(response.tap().owner_uid(), uid);
  }
  // Root has one of its own, whatever there is.
  EXPECT_EQ(gates.count(Begin(kRoot, &connection)), 0u);
  // One that nobody uses makes room.
  gates_->Closed(1);
  EXPECT_NE(Begin({.uid = 3002, .gid = 3002}, &connection), shared);
  EXPECT_FALSE(IsThere(*gates.begin()));
}

TEST_F(GatesTest, OneThatIsSharedIsFollowedByAnotherInTime) {
  uint64_t connection;
  for (uid_t uid = 2000; uid < 2000 + GateTable::kMost; ++uid) {
    Begin({.uid = uid, .gid = uid}, &connection);
  }
  const uint64_t first = Begin({.uid = 3000, .gid = 3000}, &connection);
  EXPECT_EQ(maker_.roles.at(first), GateMaker::Role::kSharedCalls);
  for (uint32_t i = 1; i < GateMaker::kMostOfShared; ++i) {
    const uint64_t next = Connect({.uid = 3000, .gid = 3000});
    ASSERT_EQ(Next(first).connection, next);
    gates_->Closed(next);
  }
  uint64_t other;
  const uint64_t second = Begin({.uid = 3000, .gid = 3000}, &other);
  EXPECT_NE(second, first);
  EXPECT_TRUE(IsThere(first));  // its connection is served until it ends
  gates_->Closed(connection);
  Pass(GateReaper::kIdle);
  EXPECT_FALSE(IsThere(first));
}

// A gate that is slow, or wants to be, is handed only what is still there.
TEST_F(GatesTest, ConnectionsThatEndBeforeTheirGateTakesThemAreForgotten) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return std::distance(begin(entries), end(entries));
  };
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  const auto before = descriptors();
  for (int i = 0; i < 3000; ++i) gates_->Closed(Connect(kAlice));
  EXPECT_LE(descriptors(), before);
  const uint64_t last = Connect(kAlice);
  uint64_t taken = 0;
  do {
    for (const Message& message : All(gate)) taken = message.connection;
    Turn();
  } while (taken != last && IsThere(gate) && taken != 0);
  EXPECT_EQ(taken, last);
  // Nothing hinders its calls.
  Say(gate, Call(Method::kListTaps, 1, last, ""));
  Turn();
  EXPECT_EQ(Next(gate).kind, MessageKind::kAnswer);
}

TEST_F(GatesTest, AUidHasFourAtMost) {
  std::set<uint64_t> gates;
  uint64_t connection;
  for (gid_t gid = 1; gid <= 6; ++gid) gates.insert(Begin({.uid = 1000, .gid = gid}, &connection));
  EXPECT_EQ(gates.size(), 5u);  // the fifth is shared
}

TEST_F(GatesTest, AllWhoAreRefusedShareOneAndAreToldWhy) {
  const uint64_t first = Connect(kAlice, absl::PermissionDeniedError("uid 1000 may not"));
  const uint64_t second = Connect(kBob, absl::PermissionDeniedError("uid 1001 may not"));
  const uint64_t gate = maker_.last;
  EXPECT_EQ(maker_.roles.at(gate), GateMaker::Role::kRefusedCalls);
  const std::vector<Message> said = All(gate);
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0].connection, first);
  EXPECT_EQ(said[0].status.text, "uid 1000 may not");
  EXPECT_EQ(said[1].connection, second);
  EXPECT_EQ(said[1].status.text, "uid 1001 may not");
  // A call of theirs that comes all the same is not begun.
  Say(gate, {.kind = MessageKind::kReady});
  Say(gate, Call(Method::kCreateTap, 1, first, CreateOf("vm1")));
  Turn();
  EXPECT_EQ(Next(gate).status.code, static_cast<int>(absl::StatusCode::kCancelled));
  EXPECT_EQ(registry().lease_count(), 0u);
}

TEST_F(GatesTest, WhatIsRevokedBeginsNoCallAnyMore) {
  uint64_t connection;
  const uint64_t gate = Begin(kAlice, &connection);
  Say(gate, Call(Method::kCreateTap, 1, connection, CreateOf("vm1")));
  gates_->Revoke(connection);
  gates_->Closed(connection);
  Turn();
  EXPECT_EQ(registry().lease_count(), 0u);
  EXPECT_FALSE(IsThere(gate));
  uint64_t again;
  EXPECT_NE(Begin(kAlice, &again), gate);
}

TEST_F(GatesTest, AGateThatCannotBeMadeIsSaid) {
  uint64_t connection;
  Begin(kAlice, &connection);  // the spare one
  maker_.fails = true;
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const UniqueFd client(ends[1]);
  EXPECT_THAT(gates_->Serve(99, kCarol, absl::OkStatus(), UniqueFd(ends[0])).message(),
              HasSubstr("no more processes"));
  gates_->Closed(99);
  maker_.fails = false;
  Pass(absl::Seconds(1));
  uint64_t carols;
  Begin(kCarol, &carols);
}

TEST_F(GatesTest, MetricsHaveAGateThatMayAskForNothingElse) {
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const UniqueFd reader(ends[1]);
  ASSERT_TRUE(gates_->ServeMetrics(UniqueFd(ends[0])).ok());
  const uint64_t gate = maker_.last;
  EXPECT_EQ(maker_.roles.at(gate), GateMaker::Role::kMetrics);
  Say(gate, {.kind = MessageKind::kReady});
  Say(gate, Call(Method::kMetricsPage, 1, Next(gate).connection));
  Turn();
  EXPECT_EQ(Next(gate).body, "page");
  Say(gate, Call(Method::kListTaps, 2, 1));
  Turn();
  EXPECT_FALSE(IsThere(gate));
}

TEST_F(GatesTest, ALargeAnswerComesInParts) {
  const std::string page(3 * kMaxPart + 1, 'x');
  GateLink::Services services = {
      .poller = poller_.get(), .runner = &*runner_, .wakes = wakes_, .metrics_page = [&] {
        return page;
      }};
  auto ends = *Channel::Pair();
  GateLink link(1, true, std::move(ends.first), &services, [](GateLink::End) { FAIL(); });
  ASSERT_TRUE(link.Start().ok());
  ASSERT_TRUE(ends.second.Send(Encode({.kind = MessageKind::kReady})).ok());
  ASSERT_TRUE(ends.second.Send(Encode(Call(Method::kMetricsPage, 1, 1))).ok());
  std::string body;
  bool more = true;
  for (int i = 0; i < 50 && more; ++i) {
    EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
    const auto packet = ends.second.Receive(kMaxPacket, false);
    if (!packet.ok()) continue;
    const Message part = *Decode(packet->bytes);
    body += part.body;
    more = part.more;
  }
  EXPECT_EQ(body, page);
}

TEST(GateParentLinkTest, SaysThatItCannotKillWhileItsParentIsBusy) {
  auto ends = *Channel::Pair();
  GateParentLink link(std::move(ends.first).Release());
  int sent = 0;
  while (sent < 100'000 && link.Kill(1)) ++sent;
  EXPECT_LT(sent, 100'000);
  EXPECT_TRUE(ends.second.Receive(sizeof(GateRequest), false).ok());
  while (ends.second.Receive(sizeof(GateRequest), false).ok()) {
  }
  EXPECT_TRUE(link.Kill(1));
  // One that has ended has no gates.
  ends.second = Channel(UniqueFd());
  EXPECT_TRUE(link.Kill(1));
}

TEST(RestartDelaysTest, KnowsNobodyForLong) {
  RestartDelays delays;
  absl::Time now = absl::UnixEpoch();
  for (uid_t uid = 0; uid < 1000; ++uid) {
    delays.Died(uid, now);
    now += absl::Seconds(1);
  }
  EXPECT_LE(delays.kept(), 61u);
}

}  // namespace
}  // namespace svnet

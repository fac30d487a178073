// What waits in a gate.
#include "daemon/gate/core_calls.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/gate/outbox.h"
#include "daemon/wire/channel.h"

namespace svnet {
namespace {

class Listener final : public CallListener {
 public:
  void OnBegun() override { heard += "begun "; }
  void OnEvent(std::string body) override { heard += "event(" + body + ") "; }
  void OnEnd(const WireStatus& status, std::string body) override {
    heard += "end(" + std::to_string(status.code) + body + ") ";
  }
  std::string heard;
};

using Ends = std::pair<Channel, Channel>;

// Never destroyed: an outbox's thread does not end.
template <typename Object>
Object* Keep(Object* object) {
  static auto* const kept = new std::vector<Object*>;
  kept->push_back(object);
  return object;
}

class CoreCallsTest : public ::testing::Test {
 protected:
  CoreCallsTest()
      : ends_(Keep(new Ends(Channel::Pair().value()))), calls_(Keep(new Outbox(&ends_->first))) {}

  CoreCalls& calls() { return calls_; }
  std::shared_ptr<Listener> Begin(Method method = Method::kGetNetwork) {
    auto listener = std::make_shared<Listener>();
    const grpc::Status status =
        calls_.Begin({.method = method, .connection = 1, .body = ""}, listener);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return listener;
  }
  grpc::Status GoOn(const std::shared_ptr<Listener>& listener) {
    return calls_.GoOn({.method = Method::kCreateTap, .connection = 1, .body = ""}, listener);
  }
  std::vector<std::shared_ptr<Listener>> Fill() {
    std::vector<std::shared_ptr<Listener>> listeners;
    for (int i = 0; i < kMaxCallsInCore; ++i) listeners.push_back(Begin());
    Said();
    return listeners;
  }
  absl::Status Answer(uint64_t id, const std::string& body = "", bool more = false) {
    return calls_.Receive({.kind = MessageKind::kAnswer, .more = more, .id = id, .body = body});
  }
  // "call 1 CreateTap, cancel 1": what svnetd has heard since the last time.
  std::string Said() {
    std::string said;
    while (true) {
      const auto packet = ends_->second.Receive(kMaxPacket, false);
      if (!packet.ok()) return said;
      const Message message = Decode(packet->bytes).value();
      if (!said.empty()) said += ", ";
      said += Name(message.kind);
      if (message.id != 0) said += " " + std::to_string(message.id);
      if (message.kind == MessageKind::kCall) said += " " + std::string(MethodName(message.method));
    }
  }

 private:
  static std::string Name(MessageKind kind) {
    switch (kind) {
      case MessageKind::kCall:
        return "call";
      case MessageKind::kCancel:
        return "cancel";
      case MessageKind::kPull:
        return "pull";
      case MessageKind::kDrained:
        return "drained";
      default:
        return "?";
    }
  }

  Ends* const ends_;
  CoreCalls calls_;
};

TEST_F(CoreCallsTest, ACallThatIsCancelledWhileItWaitsIsNotBegun) {
  const auto first = Fill();
  const auto cancelled = Begin();
  const auto next = Begin(Method::kListTaps);
  EXPECT_TRUE(calls().Cancel(cancelled.get()));
  EXPECT_FALSE(calls().Cancel(cancelled.get()));
  EXPECT_EQ(Said(), "");
  EXPECT_TRUE(Answer(3, "body").ok());
  EXPECT_EQ(first[2]->heard, "end(0body) ");
  EXPECT_EQ(Said(), "call 17 ListTaps");
  EXPECT_EQ(cancelled->heard, "");
}

TEST_F(CoreCallsTest, ACallThatIsCancelledInSvnetdHearsNothingAndKeepsItsPlace) {
  const auto first = Fill();
  const auto next = Begin();
  EXPECT_TRUE(calls().Cancel(first[0].get()));
  EXPECT_FALSE(calls().Cancel(first[0].get()));
  EXPECT_EQ(Said(), "cancel 1");
  EXPECT_TRUE(Answer(1, "too late").ok());
  EXPECT_EQ(first[0]->heard, "");
  EXPECT_EQ(Said(), "call 17 GetNetwork");
}

TEST_F(CoreCallsTest, CancelAfterTheAnswerIsTooLate) {
  const auto call = Begin();
  EXPECT_TRUE(Answer(1).ok());
  EXPECT_FALSE(calls().Cancel(call.get()));
  EXPECT_EQ(Said(), "call 1 GetNetwork");
}

TEST_F(CoreCallsTest, WhoGoesOnIsNext) {
  const auto first = Fill();
  const auto waiting = Begin(Method::kListTaps);
  EXPECT_TRUE(Answer(1).ok());
  const auto later = Begin(Method::kGetTap);
  EXPECT_EQ(Said(), "call 17 ListTaps");
  EXPECT_TRUE(GoOn(first[0]).ok());
  EXPECT_TRUE(Answer(2).ok());
  EXPECT_EQ(Said(), "call 18 CreateTap");
  EXPECT_TRUE(Answer(18, "again").ok());
  EXPECT_EQ(first[0]->heard, "end(0) end(0again) ");
  EXPECT_EQ(Said(), "call 19 GetTap");
}

TEST_F(CoreCallsTest, WhoGoesOnCanBeCancelledWhileItWaitsAndEndsWithADrain) {
  const auto first = Fill();
  EXPECT_TRUE(Answer(1).ok());
  const auto another = Begin();
  EXPECT_EQ(Said(), "call 17 GetNetwork");
  EXPECT_TRUE(GoOn(first[0]).ok());
  EXPECT_TRUE(calls().Cancel(first[0].get()));
  EXPECT_TRUE(Answer(2).ok());
  EXPECT_EQ(Said(), "");
  calls().Drain({.code = 14, .text = "svnetd ends"});
  EXPECT_EQ(GoOn(first[1]).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(CoreCallsTest, HealthIsAskedFirst) {
  const auto first = Fill();
  const auto next = Begin(Method::kListTaps);
  const auto health = Begin(Method::kHealthCheck);
  EXPECT_TRUE(Answer(1).ok());
  EXPECT_EQ(Said(), "call 17 Check");
}

TEST_F(CoreCallsTest, WatchesAreNoPartOfTheSixteen) {
  const auto first = Fill();
  const auto watch = Begin(Method::kWatchTaps);
  EXPECT_EQ(Said(), "call 17 WatchTaps");
  EXPECT_TRUE(calls().Receive({.kind = MessageKind::kBegun, .id = 17}).ok());
  calls().Pull(watch.get());
  EXPECT_TRUE(
      calls().Receive({.kind = MessageKind::kEvent, .more = true, .id = 17, .body = "a"}).ok());
  EXPECT_TRUE(calls().Receive({.kind = MessageKind::kEvent, .id = 17, .body = "b"}).ok());
  EXPECT_TRUE(calls().Receive({.kind = MessageKind::kEnd, .id = 17, .status = {.code = 8}}).ok());
  calls().Pull(watch.get());
  EXPECT_EQ(watch->heard, "begun event(ab) end(8) ");
  EXPECT_EQ(Said(), "pull 17");
}

TEST_F(CoreCallsTest, WatchesAreLimited) {
  std::vector<std::shared_ptr<Listener>> watches;
  for (int i = 0; i < kMaxWatchesOfGate; ++i) {
    watches.push_back(Begin(Method::kHealthWatch));
    Said();
  }
  const auto request = CoreCalls::Request{.method = Method::kWatchTaps, .body = ""};
  const grpc::Status status = calls().Begin(request, std::make_shared<Listener>());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(),
            "this user has 256 watches open, and may have no more: close some");
  // One that is cancelled is one until svnetd says so.
  EXPECT_TRUE(calls().Cancel(watches[0].get()));
  EXPECT_FALSE(calls().Begin(request, std::make_shared<Listener>()).ok());
  EXPECT_TRUE(calls().Receive({.kind = MessageKind::kEnd, .id = 1}).ok());
  Begin(Method::kWatchTaps);
}

TEST_F(CoreCallsTest, IsDrainedWhenGrpcHasLetGoOfAll) {
  const auto first = Fill();
  const auto waits = Begin();
  calls().Drain({.code = 14, .text = "down"});
  const grpc::Status refused =
      calls().Begin({.method = Method::kCreateTap, .body = ""}, std::make_shared<Listener>());
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.error_message(), "down");
  for (uint64_t id = 1; id <= 17; ++id) EXPECT_TRUE(Answer(id).ok());
  EXPECT_EQ(Said(), "call 17 GetNetwork");
  for (int i = 0; i < 16; ++i) calls().Done();
  EXPECT_EQ(Said(), "");
  calls().Done();
  EXPECT_EQ(Said(), "drained");
}

TEST_F(CoreCallsTest, WhatWasNotAskedIsAnError) {
  EXPECT_FALSE(Answer(1).ok());
  const auto call = Begin();
  EXPECT_FALSE(calls().Receive({.kind = MessageKind::kEvent, .id = 1}).ok());
  EXPECT_FALSE(calls().Receive({.kind = MessageKind::kReady, .id = 1}).ok());
  EXPECT_TRUE(Answer(1).ok());
  EXPECT_FALSE(Answer(1).ok());
  const auto watch = Begin(Method::kWatchTaps);
  EXPECT_FALSE(calls().Receive({.kind = MessageKind::kEvent, .id = 2}).ok());  // not pulled
}

// svnetd reads nothing for a while: nobody waits, nothing is lost, and the order stays.
TEST_F(CoreCallsTest, WhatDoesNotFitIsSentLater) {
  std::vector<std::shared_ptr<Listener>> watches;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    watches.push_back(std::make_shared<Listener>());
    EXPECT_TRUE(
        calls()
            .Begin({.method = Method::kWatchTaps, .body = std::string(12'000, 'x')}, watches.back())
            .ok());
    EXPECT_TRUE(calls().Cancel(watches.back().get()));
    const std::string id = std::to_string(i + 1);
    absl::StrAppend(&expected, i == 0 ? "" : ", ", "call ", id, " WatchTaps, cancel ", id);
  }
  std::string said = Said();
  while (said.size() < expected.size()) {
    const std::string more = Said();
    if (!more.empty()) said += ", " + more;
  }
  EXPECT_EQ(said, expected);
}

}  // namespace
}  // namespace svnet

// Readers of events, without the network that the events are about.
#include "daemon/network/watchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "daemon/base/error.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using testing::Iface;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Mac;
using testing::Name;
using testing::ReasonIn;
using testing::Vm;

const Caller kAlice = {.uid = 1000, .gid = 1000};
const Caller kRoot = {.uid = 0, .gid = 0, .administrator = true};

TapEvent EventOf(uid_t owner, const std::string& message,
                 TapEvent::Type type = TapEvent::Type::kAdded) {
  return {.type = type,
          .lease = Lease{.spec = {.key = {.owner = owner, .vm = Vm("vm1"), .iface = Iface("eth0")},
                                  .tap = Name("svvm1eth0"),
                                  .ip = Ip("172.30.0.2"),
                                  .mac = Mac("02:29:a3:2f:41:c8")},
                         .state = {.ifindex = 1}},
          .message = message};
}

TapEvent EventOfNetwork(const std::string& message) {
  return {.type = TapEvent::Type::kRepaired, .message = message};
}

class WatchersTest : public ::testing::Test {
 protected:
  std::shared_ptr<Watch> Add(const Caller& caller, std::deque<TapEvent> snapshot = {}) {
    auto watch = watchers_.Add(caller, std::nullopt, std::move(snapshot), [this] { ++wakes_; });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  // The messages of all events that wait, but for the end of the snapshot; the last is the end's,
  // if there is one.
  static std::vector<std::string> Take(Watch& watch) {
    std::vector<std::string> messages;
    while (const auto event = watch.Take()) {
      if (event->ok() && (*event)->type == TapEvent::Type::kSnapshotEnd) continue;
      messages.emplace_back(event->ok() ? (*event)->message : event->status().message());
      if (!event->ok()) break;
    }
    return messages;
  }

  Watchers watchers_;
  int wakes_ = 0;
};

TEST_F(WatchersTest, GiveTheSnapshotFirstAndThenEventsInOrder) {
  const auto watch = Add(kAlice, {EventOf(1000, "one"), EventOf(1000, "two")});
  watchers_.Publish(EventOf(1000, "three"));
  watchers_.Publish(EventOf(1000, "four"));
  EXPECT_THAT(Take(*watch), ElementsAre("one", "two", "three", "four"));
  EXPECT_THAT(Take(*watch), IsEmpty());
}

TEST_F(WatchersTest, WakeAReaderOnceAndOnlyIfItFoundNothing) {
  const auto watch = Add(kAlice);
  watchers_.Publish(EventOf(1000, "before it has looked"));
  EXPECT_EQ(wakes_, 0);
  EXPECT_THAT(Take(*watch), ElementsAre("before it has looked"));
  watchers_.Publish(EventOf(1000, "one"));
  watchers_.Publish(EventOf(1000, "two"));
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(Take(*watch), ElementsAre("one", "two"));
}

TEST_F(WatchersTest, GiveOwnersTheirOwnAndWhatIsAboutTheNetwork) {
  const auto alices = Add(kAlice);
  const auto roots = Add(kRoot);
  watchers_.Publish(EventOf(1001, "bob's"));
  watchers_.Publish(EventOf(1000, "alice's"));
  watchers_.Publish(EventOfNetwork("all"));
  EXPECT_THAT(Take(*alices), ElementsAre("alice's", "all"));
  EXPECT_THAT(Take(*roots), ElementsAre("bob's", "alice's", "all"));
}

TEST_F(WatchersTest, KeepWhatIsForTheLogFromReaders) {
  const auto watch = Add(kRoot);
  watchers_.Publish(EventOf(1000, "noted", TapEvent::Type::kNoted));
  watchers_.Publish(EventOf(1000, "failed", TapEvent::Type::kFailed));
  EXPECT_THAT(Take(*watch), IsEmpty());
}

TEST_F(WatchersTest, EndAReaderWhoIsTooFarBehind) {
  const auto slow = Add(kAlice, {EventOf(1000, "snapshot")});
  for (size_t i = 0; i < Watch::kMaxBehind; ++i) watchers_.Publish(EventOf(1000, "event"));
  EXPECT_EQ(watchers_.count(), 1u);
  watchers_.Publish(EventOf(1000, "one too many"));
  const auto end = slow->Take();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(ReasonIn(end->status()), "QUOTA_EXCEEDED");
}

TEST_F(WatchersTest, GiveThePlaceOfAClosedReaderToTheNext) {
  std::vector<std::shared_ptr<Watch>> watches;
  for (size_t i = 0; i < Quota::kOfStreams.of_one_uid; ++i) watches.push_back(Add(kAlice));
  EXPECT_EQ(ReasonIn(watchers_.Add(kAlice, std::nullopt, {}, [] {}).status()), "QUOTA_EXCEEDED");
  watches.front()->Close();
  Add(kAlice);
  EXPECT_EQ(watchers_.count(), Quota::kOfStreams.of_one_uid);
}

TEST_F(WatchersTest, GiveAClosedReaderNothingMore) {
  const auto watch = Add(kAlice, {EventOf(1000, "snapshot")});
  EXPECT_THAT(Take(*watch), ElementsAre("snapshot"));
  watch->Close();
  watchers_.Publish(EventOf(1000, "late"));
  watchers_.EndAll(absl::UnavailableError("over"));
  EXPECT_THAT(Take(*watch), IsEmpty());
  EXPECT_EQ(wakes_, 0);
}

TEST_F(WatchersTest, EndAllAfterWhatWaits) {
  const auto busy = Add(kAlice, {EventOf(1000, "snapshot")});
  const auto idle = Add(kAlice);
  EXPECT_THAT(Take(*idle), IsEmpty());
  watchers_.EndAll(absl::UnavailableError("over"));
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(Take(*busy), ElementsAre("snapshot", "over"));
  EXPECT_THAT(Take(*idle), ElementsAre("over"));
}

}  // namespace
}  // namespace svnet

// Where events go.
#include "daemon/network/event_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "daemon/base/error.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using testing::ReasonIn;
using ::testing::SizeIs;

const Caller kUser = {.uid = 1000, .gid = 1000};

TapEvent EventWith(TapEvent::Type type, const std::string& message) {
  return {.type = type, .lease = std::nullopt, .message = message};
}

class EventSinkTest : public ::testing::Test {
 protected:
  // Past the snapshot, in which there are no leases.
  std::shared_ptr<Watch> Watching() {
    std::shared_ptr<Watch> watch = sink_.AddWatch(kUser, std::nullopt, {}, [] {}).value();
    EXPECT_EQ(watch->Take().value()->type, TapEvent::Type::kSnapshotEnd);
    return watch;
  }

  std::vector<std::string> first_;
  std::vector<std::string> second_;
  EventSink sink_{{[this](const TapEvent& event) { first_.push_back(event.message); },
                   [this](const TapEvent& event) { second_.push_back(event.message); }}};
};

TEST_F(EventSinkTest, TellsEveryObserverWhatNoCallerAskedFor) {
  sink_.Publish(EventWith(TapEvent::Type::kRepaired, "repaired"));
  sink_.Publish(EventWith(TapEvent::Type::kAdded, ""));
  EXPECT_THAT(first_, ElementsAre("repaired"));
  EXPECT_EQ(first_, second_);
}

TEST_F(EventSinkTest, TellsWatchesAllButWhatIsForTheLog) {
  const auto watch = Watching();
  sink_.Publish(EventWith(TapEvent::Type::kFailed, "failed"));
  sink_.Publish(EventWith(TapEvent::Type::kNoted, "noted"));
  EXPECT_FALSE(watch->Take().has_value());
  sink_.Publish(EventWith(TapEvent::Type::kAdded, ""));
  EXPECT_EQ(watch->Take().value()->type, TapEvent::Type::kAdded);
  EXPECT_THAT(first_, ElementsAre("failed", "noted"));
}

TEST_F(EventSinkTest, EndsAllWatches) {
  const auto watch = Watching();
  EXPECT_EQ(sink_.watch_count(), 1u);
  sink_.EndWatches(Error(Reason::kUnsupported, "over"));
  EXPECT_EQ(ReasonIn(watch->Take()->status()), "UNSUPPORTED");
}

TEST_F(EventSinkTest, TakesEventsFromAnyThread) {
  constexpr int kEach = 1000;
  const auto publish = [this] {
    for (int i = 0; i < kEach; ++i) sink_.Publish(EventWith(TapEvent::Type::kRepaired, "x"));
  };
  std::thread other(publish);
  publish();
  other.join();
  EXPECT_THAT(first_, SizeIs(2 * kEach));
  EXPECT_EQ(first_, second_);
}

TEST(EmptyEventSinkTest, NeedsNoObservers) {
  EventSink sink({});
  sink.Publish(EventWith(TapEvent::Type::kRepaired, "x"));
  EXPECT_EQ(sink.watch_count(), 0u);
}

}  // namespace
}  // namespace svnet

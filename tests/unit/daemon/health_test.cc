// Which components serve, and who hears of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "daemon/rpc/health_board.h"
#include "grpc/health/v1/health.pb.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using grpc::health::v1::HealthCheckResponse;
using ::testing::ElementsAre;

class HealthBoardTest : public ::testing::Test {
 protected:
  std::shared_ptr<MessageSource> Watch(const Caller& caller, const std::string& component) {
    const auto watch = board_.Watch(caller, component, [this] { ++woken_; });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *watch;
  }

  // "SERVING"; the code of an end; "" for nothing yet.
  static std::string Next(MessageSource& watch) {
    const std::optional<absl::StatusOr<std::string>> next = watch.Take();
    if (!next.has_value()) return "";
    if (!next->ok()) return absl::StatusCodeToString(next->status().code());
    HealthCheckResponse response;
    EXPECT_TRUE(response.ParseFromString(**next));
    return HealthCheckResponse::ServingStatus_Name(response.status());
  }

  std::vector<bool> Serving() {
    std::vector<bool> serving;
    for (const std::string& each : board_.Components()) {
      serving.push_back(board_.IsServing(each).value());
    }
    return serving;
  }

  HealthBoard board_;
  int woken_ = 0;
};

TEST_F(HealthBoardTest, TheWholeServesAsLongAsEachPartDoes) {
  EXPECT_THAT(Serving(), ElementsAre(true, true, true, true, true, true));
  board_.SetNetworks({{NetworkName(), {.network = false}}});
  EXPECT_THAT(Serving(), ElementsAre(false, true, false, true, true, false));
  board_.SetNetworks({{NetworkName(), {.firewall = false, .monitor = false}}});
  EXPECT_THAT(Serving(), ElementsAre(false, true, true, false, false, false));
  board_.SetNetworks({{NetworkName(), {}}});
  EXPECT_THAT(Serving(), ElementsAre(true, true, true, true, true, true));
  board_.StopServing();
  EXPECT_THAT(Serving(), ElementsAre(false, false, false, false, false, false));
  EXPECT_EQ(board_.IsServing("nonsense"), std::nullopt);
}

TEST_F(HealthBoardTest, AWatchTellsOfChangesOfItsComponentAlone) {
  const auto firewall = Watch(kAlice, "firewall");
  EXPECT_EQ(Next(*firewall), "SERVING");
  EXPECT_EQ(Next(*firewall), "");
  board_.SetNetworks({{NetworkName(), {.network = false}}});
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(Next(*firewall), "");
  board_.SetNetworks({{NetworkName(), {.firewall = false}}});
  EXPECT_EQ(Next(*firewall), "NOT_SERVING");
  // What comes and goes unread is no change.
  board_.SetNetworks({{NetworkName(), {}}});
  board_.SetNetworks({{NetworkName(), {.firewall = false}}});
  EXPECT_EQ(Next(*firewall), "");
}

TEST_F(HealthBoardTest, AnUnknownComponentIsSaidToBeUnknownAndStaysSo) {
  const auto watch = Watch(kAlice, "nonsense");
  EXPECT_EQ(Next(*watch), "SERVICE_UNKNOWN");
  board_.StopServing();
  EXPECT_EQ(Next(*watch), "");
}

TEST_F(HealthBoardTest, TheEndComesAfterTheLastChange) {
  const auto watch = Watch(kAlice, "");
  EXPECT_EQ(Next(*watch), "SERVING");
  board_.StopServing();
  board_.EndWatches(absl::UnavailableError("the end"));
  EXPECT_EQ(Next(*watch), "NOT_SERVING");
  EXPECT_EQ(Next(*watch), "UNAVAILABLE");
}

TEST_F(HealthBoardTest, WatchesOfAUidAreLimitedAndThoseThatCloseMakeRoom) {
  std::vector<std::shared_ptr<MessageSource>> watches;
  for (size_t i = 0; i < Quota::kOfStreams.of_one_uid; ++i) watches.push_back(Watch(kAlice, ""));
  EXPECT_EQ(ReasonIn(board_.Watch(kAlice, "", [] {}).status()), "QUOTA_EXCEEDED");
  EXPECT_EQ(ReasonIn(board_.Watch(kAlice, "nonsense", [] {}).status()), "QUOTA_EXCEEDED");
  Watch(kBob, "");
  watches.back()->Close();
  watches[0].reset();
  watches[0] = Watch(kAlice, "");
  watches.back() = Watch(kAlice, "");
  EXPECT_EQ(ReasonIn(board_.Watch(kAlice, "", [] {}).status()), "QUOTA_EXCEEDED");
}

// What the network's manager reports.
class NetworkHealthTest : public NetworkRegistryTest {
 protected:
  NetworkHealthTest() {
    on_health_ = [this](const HealthOfNetworks& health) {
      reported_.push_back(health.at(NetworkName()));
    };
  }
  // Lets time pass until what failed is tried again.
  void HandleEvents() {
    now_ += absl::Seconds(2);
    registry().HandleEvents();
  }
  std::vector<NetworkHealth> reported_;
};

TEST_F(NetworkHealthTest, WithoutLeasesNobodyLacksANetwork) {
  ASSERT_TRUE(Start().ok());
  firewall_.Flush();
  HandleEvents();
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{}));
}

TEST_F(NetworkHealthTest, ANetworkThatCannotBeMadeIsIllUntilItIs) {
  ASSERT_TRUE(Start().ok());
  reported_.clear();
  faults_.FailNext("EnsureBridge", absl::InternalError("injected"));
  EXPECT_FALSE(Create(kAlice, "vm1").ok());
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.network = false}));
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.network = false}, NetworkHealth{}));
}

TEST_F(NetworkHealthTest, RulesThatCannotBeMadeAreTheFirewalls) {
  MustCreate(kAlice, "vm1");
  reported_.clear();
  firewall_.Flush();
  faults_.FailNext("Apply", absl::InternalError("injected"));
  registry().HandleEvents();
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.firewall = false}));
  HandleEvents();
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.firewall = false}, NetworkHealth{}));
}

TEST_F(NetworkHealthTest, LinksThatCannotBeReadAreTheMonitors) {
  MustCreate(kAlice, "vm1");
  reported_.clear();
  faults_.FailNext("TakeChanges", absl::InternalError("injected"));
  faults_.FailNext("ListLinks", absl::InternalError("injected"));
  registry().HandleEvents();
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.monitor = false}));
  HandleEvents();
  EXPECT_THAT(reported_, ElementsAre(NetworkHealth{.monitor = false}, NetworkHealth{}));
}

}  // namespace
}  // namespace svnet

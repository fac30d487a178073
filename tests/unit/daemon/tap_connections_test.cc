// Whose turn it is among those who want TAPs as descriptors.
#include "daemon/accept/tap_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "svnet/v1/network.pb.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

// Over real sockets, whose other end is this process, of whatever uid.
class TapConnectionsTest : public NetworkRegistryTest {
 protected:
  TapConnectionsTest() {
    spdlog::set_level(spdlog::level::off);
    EXPECT_TRUE(Start().ok());
    runner_.emplace(
        CallRunner::Parts{.metrics = &metrics_, .health = &health_, .board = &board_, .log = &log_},
        Unstarted{.networks = {}, .why = absl::OkStatus()});
    runner_->SetNetwork(&api());
    poller_ = *Poller::Open();
    AdmissionRules rules;
    rules.all_users = true;
    admission_ = *AdmissionControl::Create(&log_, rules, {.users = 64, .administrators = 64});
    connections_ = *TapConnections::Create({.admission = admission_.get(),
                                            .poller = poller_.get(),
                                            .runner = &*runner_,
                                            .metrics = &metrics_.connections(),
                                            .log = &log_});
  }
  ~TapConnectionsTest() override { spdlog::set_level(spdlog::level::info); }

  // The caller's end of a connection on which it has asked for that TAP.
  UniqueFd Ask(const std::string& tap) {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends.data()), 0);
    UniqueFd client(ends[1]);
    EXPECT_TRUE(admission_->Admit(UniqueFd(ends[0])).ok());
    v1::OpenTapRequest request;
    request.set_tap_name(tap);
    const std::string bytes = request.SerializeAsString();
    EXPECT_EQ(send(client.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    return client;
  }
  // Reads what has come, and serves nobody yet.
  void Read() {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(poller_->Wait(absl::ZeroDuration()).ok());
  }
  static bool IsAnswered(const UniqueFd& client) {
    char byte = 0;
    return recv(client.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }
  bool HasSomebodyToServe() const { return connections_->NextDue() == absl::InfinitePast(); }

  Metrics metrics_;
  HealthBoard health_;
  StatusBoard board_;
  LimitedLog log_{MonotonicNow};
  std::optional<CallRunner> runner_;
  std::unique_ptr<Poller> poller_;
  std::unique_ptr<AdmissionControl> admission_;
  std::unique_ptr<TapConnections> connections_;
};

TEST_F(TapConnectionsTest, AUidHasOneTurnAtATime) {
  const UniqueFd first = Ask("tap1");
  const UniqueFd second = Ask("tap1");
  Read();
  connections_->Tick();
  EXPECT_TRUE(IsAnswered(first));
  EXPECT_FALSE(IsAnswered(second));
  EXPECT_TRUE(HasSomebodyToServe());
  connections_->Tick();
  EXPECT_TRUE(IsAnswered(second));
  EXPECT_FALSE(HasSomebodyToServe());
}

// Otherwise the line would grow with each of them, as long as they come faster than turns.
TEST_F(TapConnectionsTest, WhoHasAskedAndHungUpTakesNoTurn) {
  std::vector<UniqueFd> gone;
  for (int i = 0; i < 10; ++i) gone.push_back(Ask("tap1"));
  Read();
  gone.clear();
  const UniqueFd stays = Ask("tap1");
  Read();
  connections_->Tick();
  EXPECT_TRUE(IsAnswered(stays));
  EXPECT_FALSE(HasSomebodyToServe());
}

}  // namespace
}  // namespace svnet

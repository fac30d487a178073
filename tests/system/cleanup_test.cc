// A Cleanup that is ended in the middle: what it had not removed stays, whole.
#include <grp.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::IsEmpty;

// Many pieces of it, and less than a bridge takes; and where svnetd is held.
constexpr size_t kTaps = 900;
constexpr size_t kRemoved = 100;
const Ipv4Address kOutside(0xcb007101);

// In the middle of a Cleanup.
enum class Event { kCallIsCancelled, kSvnetctlIsKilled, kSvnetdIsKilled, kSvnetdIsStopped };

struct Case {
  Event event;
  NetworkKind kind;
};

class InterruptedCleanupTest : public SystemTest, public ::testing::WithParamInterface<Case> {
 protected:
  InterruptedCleanupTest() {
    const std::string fault = absl::StrCat("tap.retire:", kRemoved, ":stop");
    setenv("SVNET_FAULT", fault.c_str(), 1);
    Serve();
    Client alice(svnetd_->socket(), Member(kAlice));
    for (size_t i = 0; i < kTaps; ++i) alice.MustCreate(absl::StrCat("vm", i));
  }
  ~InterruptedCleanupTest() override {
    unsetenv("SVNET_FAULT");
    if (caller_.joinable()) caller_.join();
  }

  Guests guests() const override { return {GetParam().kind}; }

  void Serve() {
    svnetd_.reset(new Daemon(Start({"--subnet=10.30.0.0/20", "--taps-per-user=2000"})));
    ASSERT_TRUE(svnetd_->running()) << svnetd_->log();
  }

  bool IsStopped() const {
    return absl::StrContains(Shell(absl::StrCat("cat /proc/", svnetd_->pid(), "/stat")), ") T ");
  }

  void BeginCleanup() {
    if (GetParam().event == Event::kSvnetctlIsKilled) {
      svnetctl_ = fork();
      if (svnetctl_ != 0) return;
      if (setgroups(1, &kSocketGroup) != 0 || setgid(kAlice) != 0 || setuid(kAlice) != 0) _exit(1);
      execl(kSvnetctl, kSvnetctl, "--socket", svnetd_->socket().c_str(), "cleanup", nullptr);
      _exit(127);
    }
    caller_ =
        std::thread([this, alice = std::make_shared<Client>(svnetd_->socket(), Member(kAlice))] {
          v1::CleanupRequest request;
          request.set_scope(v1::CLEANUP_SCOPE_CALLER);
          v1::CleanupResponse response;
          EXPECT_EQ(alice->stub().Cleanup(&call_, request, &response).ok(),
                    GetParam().event == Event::kSvnetdIsStopped);
        });
  }

  // svnetd stands still meanwhile.
  void Interrupt() {
    unsetenv("SVNET_FAULT");
    switch (GetParam().event) {
      case Event::kCallIsCancelled:
        call_.TryCancel();
        break;
      case Event::kSvnetctlIsKilled:
        kill(svnetctl_, SIGKILL);
        waitpid(svnetctl_, nullptr, 0);
        break;
      case Event::kSvnetdIsKilled:
        svnetd_->Stop(SIGKILL);
        Serve();
        break;
      case Event::kSvnetdIsStopped:
        kill(svnetd_->pid(), SIGTERM);
        break;
    }
    kill(svnetd_->pid(), SIGCONT);
    if (GetParam().event == Event::kSvnetdIsStopped) {
      svnetd_->Stop(SIGTERM);
      Serve();
    }
    if (caller_.joinable()) caller_.join();
  }

  Daemon& svnetd() { return *svnetd_; }

 private:
  std::unique_ptr<Daemon> svnetd_;
  grpc::ClientContext call_;
  std::thread caller_;
  pid_t svnetctl_ = -1;
};

// A network's TAPs, and no other link.
TEST_P(InterruptedCleanupTest, WhatItHadNotRemovedStaysWhole) {
  const Internet internet;
  BeginCleanup();
  ASSERT_TRUE(Eventually([&] { return IsStopped(); }));
  Interrupt();
  const std::vector<v1::Tap> left = Client(svnetd().socket(), Member(kAlice)).MustList();
  switch (GetParam().event) {
    case Event::kSvnetdIsKilled:
      EXPECT_EQ(left.size(), kTaps - kRemoved + 1);
      break;
    case Event::kSvnetdIsStopped:  // ends what it has begun
      EXPECT_THAT(left, IsEmpty());
      break;
    default:  // depends on how soon svnetd hears of it
      EXPECT_LE(left.size(), kTaps - kRemoved);
  }
  if (!left.empty()) {
    EXPECT_TRUE(TapGuest(left.front()).Pings(kOutside));
    EXPECT_TRUE(TapGuest(left.back()).Pings(kOutside));
  }
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(static_cast<int>(left.size()), GetParam().kind));
  Client alice(svnetd().socket(), Member(kAlice));
  EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
  EXPECT_EQ(alice.MustCleanup(v1::CLEANUP_SCOPE_CALLER).taps_removed(), left.size());
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(0, GetParam().kind));
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const NetworkKind kind : kBothKinds) {
    for (const Event event : {Event::kCallIsCancelled, Event::kSvnetctlIsKilled,
                              Event::kSvnetdIsKilled, Event::kSvnetdIsStopped}) {
      cases.push_back({event, kind});
    }
  }
  return cases;
}

std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  static constexpr const char* kEvents[] = {"CallIsCancelled", "SvnetctlIsKilled", "SvnetdIsKilled",
                                            "SvnetdIsStopped"};
  return absl::StrCat(kEvents[static_cast<size_t>(info.param.event)], "_",
                      KindName(info.param.kind));
}

INSTANTIATE_TEST_SUITE_P(Events, InterruptedCleanupTest, ::testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace svnet::testing

// Many TAPs in one call.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kTaps = 400;
const Ipv4Address kOutside(0xcb007101);

struct Answer {
  grpc::Status status;
  v1::CreateTapsResponse response;
};

Answer CreateTaps(Client& caller, const v1::CreateTapsRequest& request,
                  grpc::ClientContext* context) {
  Answer answer;
  answer.status = caller.stub().CreateTaps(context, request, &answer.response);
  return answer;
}

Answer CreateTaps(Client& caller, const v1::CreateTapsRequest& request) {
  grpc::ClientContext context;
  return CreateTaps(caller, request, &context);
}

v1::CreateTapsRequest Request(int count) {
  v1::CreateTapsRequest request;
  for (int i = 0; i < count; ++i) {
    v1::CreateTapRequest* each = request.add_requests();
    each->set_vm_id(absl::StrCat("vm", i));
    each->set_iface_id("eth0");
  }
  return request;
}

std::string ReasonOf(const google::rpc::Status& error) {
  google::rpc::ErrorInfo info;
  return error.details_size() == 1 && error.details(0).UnpackTo(&info) ? info.reason() : "none";
}

class CreateTapsTest : public OnEachKind<SystemTest> {
 protected:
  ~CreateTapsTest() override { unsetenv("SVNET_FAULT"); }

  Daemon Serve() { return Start({"--subnet=10.30.0.0/20", "--taps-per-user=1000"}); }
  static bool IsStopped(const Daemon& svnetd) {
    return absl::StrContains(Shell(absl::StrCat("cat /proc/", svnetd.pid(), "/stat")), ") T ");
  }
};

TEST_P(CreateTapsTest, AnswersEachInOrderAndIsSafeToRepeat) {
  const Internet internet;
  const Daemon svnetd = Serve();
  Client alice(svnetd.socket(), Member(kAlice));
  for (const bool first : {true, false}) {
    const auto [status, response] = CreateTaps(alice, Request(kTaps));
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_THAT(response.results(), SizeIs(kTaps));
    for (int i = 0; i < kTaps; ++i) {
      EXPECT_EQ(response.results(i).tap().vm_id(), absl::StrCat("vm", i));
      EXPECT_EQ(response.results(i).created(), first);
    }
    EXPECT_TRUE(TapGuest(response.results(kTaps - 1).tap()).Pings(kOutside));
  }
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(kTaps, network_kind()));
}

TEST_P(CreateTapsTest, AnItemThatFailsFailsAlone) {
  const Daemon svnetd = Serve();
  Client alice(svnetd.socket(), Member(kAlice));
  v1::CreateTapsRequest request = Request(6);
  request.mutable_requests(1)->set_vm_id("no/id");
  request.mutable_requests(2)->set_ip_address("10.30.0.1");
  request.mutable_requests(3)->set_vm_id("vm0");
  request.mutable_requests(3)->set_queues(4);
  request.mutable_requests(4)->set_owner_uid(kBob);
  const auto [status, response] = CreateTaps(alice, request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::vector<std::string> reasons;
  for (const v1::CreateTapsResult& each : response.results()) {
    reasons.push_back(each.has_tap() ? "" : ReasonOf(each.error()));
  }
  EXPECT_THAT(reasons, ElementsAre("", "INVALID_ID", "INVALID_ADDRESS", "LEASE_CONFLICT",
                                   "PERMISSION_DENIED", ""));
  EXPECT_THAT(alice.MustList(), SizeIs(2));
}

TEST_P(CreateTapsTest, OthersComeBetween) {
  const Daemon svnetd = Serve();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  std::atomic<bool> over = false;
  std::thread creating([&] {
    EXPECT_TRUE(CreateTaps(alice, Request(kTaps)).status.ok());
    over = true;
  });
  int between = 0;
  for (int i = 0; !over; ++i) {
    bob.MustCreate(absl::StrCat("own", i % 50));
    const auto used = bob.MustGetNetwork().addresses().used();
    if (used > 50 && used < kTaps) ++between;
  }
  creating.join();
  EXPECT_GT(between, 0);
}

TEST_P(CreateTapsTest, OneThatIsCancelledBeginsNoMore) {
  setenv("SVNET_FAULT", "tap.persist:100:stop", 1);
  const Daemon svnetd = Serve();
  Client alice(svnetd.socket(), Member(kAlice));
  grpc::ClientContext context;
  std::thread creating([&] {
    EXPECT_EQ(CreateTaps(alice, Request(kTaps), &context).status.error_code(),
              grpc::StatusCode::CANCELLED);
  });
  EXPECT_TRUE(Eventually([&] { return IsStopped(svnetd); }));
  context.TryCancel();
  creating.join();
  kill(svnetd.pid(), SIGCONT);
  // Some more may come until its gate hears of it.
  size_t leases = 0;
  EXPECT_TRUE(Eventually([&] {
    leases = alice.MustList().size();
    return CountSettledKernel() == CountOfLeases(static_cast<int>(leases), network_kind());
  }));
  EXPECT_GE(leases, 100u);
  EXPECT_LT(leases, size_t{kTaps});
}

TEST_P(CreateTapsTest, WhenSvnetdStopsEachSaysWhatBecameOfIt) {
  setenv("SVNET_FAULT", "tap.persist:100:stop", 1);
  std::vector<std::string> made;
  {
    Daemon svnetd = Serve();
    Client alice(svnetd.socket(), Member(kAlice));
    std::thread creating([&] {
      const auto [status, response] = CreateTaps(alice, Request(kTaps));
      EXPECT_TRUE(status.ok()) << status.error_message();
      EXPECT_THAT(response.results(), SizeIs(kTaps));
      for (const v1::CreateTapsResult& each : response.results()) {
        if (each.has_tap()) made.push_back(each.tap().tap_name());
        if (each.has_error()) {
          EXPECT_EQ(each.error().code(), grpc::StatusCode::UNAVAILABLE);
        }
      }
    });
    EXPECT_TRUE(Eventually([&] { return IsStopped(svnetd); }));
    kill(svnetd.pid(), SIGTERM);
    kill(svnetd.pid(), SIGCONT);
    creating.join();
    svnetd.Stop(SIGTERM);
  }
  EXPECT_GE(made.size(), 100u);
  EXPECT_LT(made.size(), size_t{kTaps});
  unsetenv("SVNET_FAULT");
  const Daemon svnetd = Serve();
  EXPECT_THAT(Client(svnetd.socket(), Member(kAlice)).MustList(), SizeIs(made.size()));
}

TEST_P(CreateTapsTest, HasLimits) {
  const Daemon svnetd = Serve();
  Client alice(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(CreateTaps(alice, Request(1001)).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(CreateTaps(alice, Request(0)).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::CreateTapsRequest large = Request(1000);
  for (v1::CreateTapRequest& each : *large.mutable_requests())
    each.set_vm_id(std::string(4000, 'x'));
  const Answer refused = CreateTaps(alice, large);
  ASSERT_TRUE(refused.status.ok()) << refused.status.error_message();
  EXPECT_EQ(ReasonOf(refused.response.results(999).error()), "INVALID_ID");
  for (v1::CreateTapRequest& each : *large.mutable_requests())
    each.set_vm_id(std::string(5000, 'x'));
  EXPECT_EQ(CreateTaps(alice, large).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(alice.MustList(), IsEmpty());
  EXPECT_TRUE(CreateTaps(alice, Request(1)).status.ok());
}

INSTANTIATE_TEST_SUITE_P(Kinds, CreateTapsTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

}  // namespace
}  // namespace svnet::testing

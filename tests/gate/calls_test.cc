// Calls through a gate.
#include <future>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/gate/core_calls.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/gate/gate_test.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Calls = std::vector<std::unique_ptr<CallUnderWay>>;

const WireStatus kNone = {};
const WireStatus kRefusal = {.code = 7, .text = "not for you", .details = ""};

// The name in the contract; empty if there is none.
std::string ReasonIn(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details().empty()) return "";
  details.details(0).UnpackTo(&info);
  return info.reason();
}

class GateCallsTest : public GateTest {
 protected:
  // So many calls that svnetd hears of; the first of a new connection each 32.
  Calls Begin(size_t count, std::vector<std::shared_ptr<grpc::Channel>>* connections) {
    Calls calls;
    for (size_t i = 0; i < count; ++i) {
      if (i % 32 == 0) connections->push_back(gate().Connect(connections->size() + 1));
      calls.push_back(std::make_unique<CallUnderWay>(connections->back()));
    }
    return calls;
  }
  // The ids of so many calls that come.
  std::vector<uint64_t> Take(size_t count) {
    std::vector<uint64_t> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back(gate().Next(MessageKind::kCall).id);
    return ids;
  }
};

TEST_F(GateCallsTest, RequestAndResponseAreHandedOnAsTheyAre) {
  v1::CreateTapRequest request;
  request.set_vm_id("vm1");
  request.set_iface_id("eth0");
  const auto channel = gate().Connect(7);
  v1::NetworkService::Stub stub(channel);
  v1::CreateTapResponse response;
  grpc::ClientContext context;
  std::future<grpc::Status> status =
      std::async(std::launch::async, [&] { return stub.CreateTap(&context, request, &response); });
  const Message call = gate().Next(MessageKind::kCall);
  EXPECT_EQ(call.method, Method::kCreateTap);
  EXPECT_EQ(call.connection, 7u);
  EXPECT_EQ(call.id, 1u);
  EXPECT_EQ(call.body, request.SerializeAsString());
  v1::CreateTapResponse answer;
  answer.mutable_tap()->set_tap_name("svvm1eth0");
  gate().Answer(call.id, answer.SerializeAsString());
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(response.tap().tap_name(), "svvm1eth0");
}

TEST_F(GateCallsTest, LongAnswerComesInParts) {
  const std::string text(200'000, 'x');
  CallUnderWay call(gate().Connect());
  gate().Answer(gate().Next(MessageKind::kCall).id, Metrics(text));
  EXPECT_EQ(ToString(call.Wait()), "OK: ");
  EXPECT_EQ(call.text(), text);
}

TEST_F(GateCallsTest, ErrorComesWithItsDetails) {
  CallUnderWay call(gate().Connect());
  gate().Refuse(gate().Next(MessageKind::kCall).id,
                {.code = 5, .text = "there is none", .details = "details"});
  EXPECT_EQ(ToString(call.Wait()), "NOT_FOUND: there is none");
  EXPECT_EQ(call.Wait().error_details(), "details");
}

TEST_F(GateCallsTest, TooLongRequestIsRefusedByTheGate) {
  v1::CreateTapRequest request;
  request.set_vm_id(std::string(kMaxRequestSize, 'x'));
  v1::NetworkService::Stub stub(gate().Connect());
  grpc::ClientContext context;
  v1::CreateTapResponse response;
  const grpc::Status status = stub.CreateTap(&context, request, &response);
  EXPECT_EQ(ReasonIn(status), "QUOTA_EXCEEDED");
  EXPECT_EQ(status.error_message(), "the request has 12291 bytes, and may have 12288");
  EXPECT_TRUE(gate().IsQuiet(absl::ZeroDuration()));
}

TEST_F(GateCallsTest, SeventeenthCallWaitsForAnAnswer) {
  std::vector<std::shared_ptr<grpc::Channel>> connections;
  Calls calls = Begin(kMaxCallsInCore + 1, &connections);
  const std::vector<uint64_t> ids = Take(kMaxCallsInCore);
  EXPECT_TRUE(gate().IsQuiet(absl::Seconds(1)));
  gate().Answer(ids[3], Metrics("a"));
  EXPECT_EQ(gate().Next(MessageKind::kCall).id, 17u);
  for (uint64_t id = 1; id <= 17; ++id) {
    if (id != ids[3]) gate().Answer(id, Metrics("a"));
  }
  for (const auto& call : calls) EXPECT_EQ(ToString(call->Wait()), "OK: ");
}

TEST_F(GateCallsTest, TwoHundredAndFiftySixWaitAndTheNextIsRefused) {
  constexpr size_t kMost = kMaxCallsInCore + CoreCalls::kMaxWaiting;
  std::vector<std::shared_ptr<grpc::Channel>> connections;
  Calls calls = Begin(kMost + 1, &connections);
  // Which of them comes last is not known.
  std::vector<CallUnderWay*> refused;
  ASSERT_TRUE(Eventually([&] {
    refused.clear();
    for (const auto& call : calls) {
      if (call->done()) refused.push_back(call.get());
    }
    return !refused.empty();
  }));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(ReasonIn(refused[0]->Wait()), "QUOTA_EXCEEDED");
  EXPECT_THAT(refused[0]->Wait().error_message(), HasSubstr("256 calls waiting"));
  for (size_t i = 0; i < kMost; ++i) gate().Answer(gate().Next(MessageKind::kCall).id, "");
  size_t answered = 0;
  for (const auto& call : calls) answered += call->Wait().ok() ? 1 : 0;
  EXPECT_EQ(answered, kMost);
}

TEST_F(GateCallsTest, CancelledInSvnetdItKeepsItsPlaceUntilItsAnswer) {
  std::vector<std::shared_ptr<grpc::Channel>> connections;
  Calls calls = Begin(kMaxCallsInCore, &connections);
  const std::vector<uint64_t> ids = Take(kMaxCallsInCore);
  calls[0]->Cancel();
  EXPECT_EQ(calls[0]->Wait().error_code(), grpc::StatusCode::CANCELLED);
  const uint64_t cancelled = gate().Next(MessageKind::kCancel).id;
  CallUnderWay next(connections[0]);
  EXPECT_TRUE(gate().IsQuiet(absl::Seconds(1)));
  gate().Answer(cancelled, "");
  EXPECT_EQ(gate().Next(MessageKind::kCall).id, 17u);
  for (uint64_t id = 1; id <= 17; ++id) {
    if (id != cancelled) gate().Answer(id, "");
  }
  EXPECT_TRUE(next.Wait().ok());
}

TEST_F(GateCallsTest, DeadlineInSvnetdIsACancel) {
  CallUnderWay call(gate().Connect(), absl::Seconds(1));
  const uint64_t id = gate().Next(MessageKind::kCall).id;
  EXPECT_EQ(gate().Next(MessageKind::kCancel).id, id);
  EXPECT_EQ(call.Wait().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

// gRPC keeps a descriptor, and so its number, as long as a call of that connection lives.
TEST_F(GateCallsTest, CallsHaveTheNumberOfTheirConnection) {
  for (uint64_t number = 10; number < 60; ++number) {
    auto channel = gate().Connect(number);
    CallUnderWay call(channel);
    channel.reset();
    const Message begun = gate().Next(MessageKind::kCall);
    EXPECT_EQ(begun.connection, number);
    if (number % 2 == 0) {
      call.Cancel();
      EXPECT_EQ(gate().Next(MessageKind::kCancel).id, begun.id);
    }
    gate().Answer(begun.id, "");
  }
}

TEST_F(GateCallsTest, HealthIsAskedBeforeWhatWaits) {
  std::vector<std::shared_ptr<grpc::Channel>> connections;
  Calls calls = Begin(kMaxCallsInCore + 10, &connections);
  const std::vector<uint64_t> ids = Take(kMaxCallsInCore);
  grpc::health::v1::Health::Stub stub(connections[0]);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("network");
  grpc::health::v1::HealthCheckResponse response;
  std::future<grpc::Status> status =
      std::async(std::launch::async, [&] { return stub.Check(&context, request, &response); });
  // One after the other, so that it comes in at some time.
  size_t answered = 0;
  Message next = {.kind = MessageKind::kCall, .id = ids[0]};
  for (; next.method != Method::kHealthCheck && answered < calls.size(); ++answered) {
    gate().Answer(next.id, "");
    next = gate().Next(MessageKind::kCall);
  }
  EXPECT_EQ(next.method, Method::kHealthCheck);
  EXPECT_EQ(next.body, request.SerializeAsString());
  response.set_status(grpc::health::v1::HealthCheckResponse::SERVING);
  gate().Answer(next.id, response.SerializeAsString());
  EXPECT_TRUE(status.get().ok());
  for (const auto& call : calls) call->Cancel();
}

// What it can be asked, and the answer to each.
std::vector<std::string> AskEverything(const std::shared_ptr<grpc::Channel>& channel) {
  std::vector<std::string> answers;
  const auto unary = [&](auto&& call) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    answers.push_back(ToString(call(&context)));
  };
  v1::NetworkService::Stub stub(channel);
  const auto ask =
      [&]<typename Request, typename Response>(grpc::Status (v1::NetworkService::Stub::*method)(
          grpc::ClientContext*, const Request&, Response*)) {
        Response response;
        unary([&](grpc::ClientContext* context) {
          return (stub.*method)(context, Request(), &response);
        });
      };
  using Stub = v1::NetworkService::Stub;
  ask(&Stub::CreateTap);
  ask(&Stub::RemoveTap);
  ask(&Stub::GetBootArgs);
  ask(&Stub::Cleanup);
  ask(&Stub::ListTaps);
  ask(&Stub::GetNetwork);
  ask(&Stub::GetMetrics);
  unary([&](grpc::ClientContext* context) { return stub.WatchTaps(context, {})->Finish(); });
  grpc::health::v1::Health::Stub health(channel);
  grpc::health::v1::HealthCheckResponse response;
  unary([&](grpc::ClientContext* context) { return health.Check(context, {}, &response); });
  unary([&](grpc::ClientContext* context) { return health.Watch(context, {})->Finish(); });
  grpc::reflection::v1::ServerReflection::Stub reflection(channel);
  unary([&](grpc::ClientContext* context) {
    return reflection.ServerReflectionInfo(context)->Finish();
  });
  return answers;
}

TEST_F(GateCallsTest, RefusedConnectionHasItsStatusForEveryCall) {
  EXPECT_THAT(
      AskEverything(gate().Connect(3, kRefusal)),
      ::testing::AllOf(::testing::SizeIs(11), ::testing::Each("PERMISSION_DENIED: not for you")));
  EXPECT_TRUE(gate().IsQuiet(absl::ZeroDuration()));
  // The one beside it is served.
  CallUnderWay call(gate().Connect(4, kNone));
  gate().Answer(gate().Next(MessageKind::kCall).id, "");
  EXPECT_TRUE(call.Wait().ok());
}

TEST_F(GateCallsTest, ReflectionIsAnsweredByTheGate) {
  grpc::reflection::v1::ServerReflection::Stub stub(gate().Connect());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  const auto begin = [&](grpc::reflection::v1::ServerReflectionResponse* response) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    auto stream = stub.ServerReflectionInfo(contexts.back().get());
    grpc::reflection::v1::ServerReflectionRequest request;
    request.set_list_services("*");
    return stream->Write(request) && stream->Read(response) ? grpc::Status::OK : stream->Finish();
  };
  grpc::reflection::v1::ServerReflectionResponse response;
  EXPECT_TRUE(begin(&response).ok());
  EXPECT_EQ(response.list_services_response().service(0).name(), "svnet.v1.NetworkService");
  EXPECT_TRUE(gate().IsQuiet(absl::ZeroDuration()));
}

TEST_F(GateCallsTest, DrainAnswersWhatHasBegunAndRefusesTheRest) {
  const auto channel = gate().Connect();
  CallUnderWay begun(channel);
  const uint64_t id = gate().Next(MessageKind::kCall).id;
  gate().Send({.kind = MessageKind::kDrain,
               .status = {.code = 14, .text = "svnetd is shutting down", .details = ""}});
  // gRPC's threads race with the one that hears of the drain.
  ASSERT_TRUE(Eventually([&] {
    CallUnderWay late(channel, absl::Milliseconds(100));
    return ToString(late.Wait()) == "UNAVAILABLE: svnetd is shutting down";
  }));
  gate().Answer(id, Metrics("done"));
  EXPECT_TRUE(begun.Wait().ok());
  EXPECT_EQ(begun.text(), "done");
  while (true) {
    const Message message = gate().Next();
    if (message.kind == MessageKind::kDrained) break;
    // Of those that came before the drain.
    if (message.kind == MessageKind::kCall) gate().Answer(message.id, "");
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(GateCallsTest, DrainOfAnIdleGateIsDoneAtOnce) {
  gate().Send({.kind = MessageKind::kDrain, .status = {.code = 14, .text = "", .details = ""}});
  gate().Next(MessageKind::kDrained);
}

// The gate takes answers also while svnetd takes nothing from it.
TEST_F(GateCallsTest, FullChannelStopsNobodyWhoReads) {
  v1::CreateTapRequest request;
  request.set_vm_id(std::string(12'000, 'x'));
  constexpr size_t kCalls = 64;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::CreateTapResponse> responses(kCalls);
  std::atomic<size_t> answered = 0;
  std::vector<std::unique_ptr<v1::NetworkService::Stub>> stubs;
  for (size_t i = 0; i < kCalls; ++i) {
    // More at a time than HTTP/2's window has room for, and gRPC's client now and then waits for
    // its own next ping, 10 s.
    if (i % 4 == 0) stubs.push_back(v1::NetworkService::NewStub(gate().Connect()));
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    stubs.back()->async()->CreateTap(contexts.back().get(), &request, &responses[i],
                                     [&](const grpc::Status& status) { answered += status.ok(); });
  }
  for (size_t i = 0; i < kCalls; ++i) {
    const Message call = gate().Next(MessageKind::kCall);
    EXPECT_EQ(call.id, i + 1);
    EXPECT_EQ(call.body.size(), request.ByteSizeLong());
    gate().Answer(call.id, "");
  }
  EXPECT_TRUE(Eventually([&] { return answered == kCalls; }));
}

}  // namespace
}  // namespace svnet::testing

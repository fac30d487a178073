// Watches through a gate.
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/gate/gate_test.h"

namespace svnet::testing {
namespace {

// A caller's watch.
class CallersWatch {
 public:
  explicit CallersWatch(const std::shared_ptr<grpc::Channel>& channel,
                        absl::Duration timeout = kPatience)
      : stub_(channel) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    reader_ = stub_.WatchTaps(&context_, {});
  }

  // Until nothing is missed any more.
  void WaitForBegin() { reader_->WaitForInitialMetadata(); }
  // The next event's message; empty at the end.
  std::string Read() {
    v1::TapEvent event;
    return reader_->Read(&event) ? event.message() : "";
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  v1::NetworkService::Stub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::TapEvent>> reader_;
};

std::string Event(const std::string& message) {
  v1::TapEvent event;
  event.set_message(message);
  return event.SerializeAsString();
}

class GateWatchesTest : public GateTest {
 protected:
  // The id of the watch that has come, and is to be told that it has begun.
  uint64_t Begin() {
    const Message call = gate().Next(MessageKind::kCall);
    EXPECT_EQ(call.method, Method::kWatchTaps);
    gate().Send({.kind = MessageKind::kBegun, .id = call.id});
    EXPECT_EQ(gate().Next(MessageKind::kPull).id, call.id);
    return call.id;
  }
  void SendEvent(uint64_t id, const std::string& message) {
    gate().Send({.kind = MessageKind::kEvent, .id = id, .body = Event(message)});
  }
};

TEST_F(GateWatchesTest, EventsArePulledOneByOne) {
  CallersWatch watch(gate().Connect());
  const uint64_t id = Begin();
  watch.WaitForBegin();
  for (const char* message : {"one", "two", "three"}) {
    SendEvent(id, message);
    EXPECT_EQ(watch.Read(), message);
    EXPECT_EQ(gate().Next(MessageKind::kPull).id, id);
  }
  gate().Send({.kind = MessageKind::kEnd,
               .id = id,
               .status = {.code = 14, .text = "svnetd is shutting down", .details = "why"}});
  EXPECT_EQ(watch.Read(), "");
  const grpc::Status status = watch.Finish();
  EXPECT_EQ(ToString(status), "UNAVAILABLE: svnetd is shutting down");
  EXPECT_EQ(status.error_details(), "why");
}

// The watch ends by its own deadline, not by "too_many_pings".
TEST_F(GateWatchesTest, QuietWatchOutlivesPings) {
  grpc::ChannelArguments pings;
  pings.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1100);
  pings.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  CallersWatch watch(gate().Connect(1, {}, pings), absl::Seconds(7));
  const uint64_t id = Begin();
  EXPECT_EQ(watch.Read(), "");
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(gate().Next(MessageKind::kCancel).id, id);
}

TEST_F(GateWatchesTest, ReaderWhoDoesNotReadStopsThePulls) {
  CallersWatch watch(gate().Connect());
  const uint64_t id = Begin();
  // More than HTTP/2's window and gRPC's own buffers have room for.
  const std::string large(kMaxPart - 100, 'x');
  int sent = 0;
  while (sent < 1000) {
    SendEvent(id, large);
    ++sent;
    if (gate().IsQuiet(absl::Milliseconds(200))) break;
    gate().Next(MessageKind::kPull);
  }
  EXPECT_LT(sent, 1000);
  for (int i = 0; i < sent; ++i) EXPECT_EQ(watch.Read().size(), large.size());
  EXPECT_EQ(gate().Next(MessageKind::kPull).id, id);
}

TEST_F(GateWatchesTest, RefusedOneHasNoBegin) {
  CallersWatch watch(gate().Connect());
  const uint64_t id = gate().Next(MessageKind::kCall).id;
  gate().Send({.kind = MessageKind::kEnd, .id = id, .status = {.code = 8, .text = "too many"}});
  EXPECT_EQ(watch.Read(), "");
  EXPECT_EQ(ToString(watch.Finish()), "RESOURCE_EXHAUSTED: too many");
}

TEST_F(GateWatchesTest, CancelIsToldAndEventsThatComeAreDropped) {
  const auto channel = gate().Connect();
  CallersWatch watch(channel);
  const uint64_t id = Begin();
  watch.Cancel();
  EXPECT_EQ(gate().Next(MessageKind::kCancel).id, id);
  SendEvent(id, "late");
  gate().Send({.kind = MessageKind::kEnd, .id = id, .status = {.code = 1}});
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::CANCELLED);
  CallersWatch another(channel);
  EXPECT_EQ(Begin(), id + 1);
  another.Cancel();
}

TEST_F(GateWatchesTest, DeadlineIsACancel) {
  CallersWatch watch(gate().Connect(), absl::Seconds(1));
  const uint64_t id = gate().Next(MessageKind::kCall).id;
  EXPECT_EQ(gate().Next(MessageKind::kCancel).id, id);
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(GateWatchesTest, ClosedConnectionIsACancel) {
  auto channel = gate().Connect();
  auto watch = std::make_unique<CallersWatch>(channel);
  const uint64_t id = Begin();
  watch->Cancel();
  watch.reset();
  channel.reset();
  EXPECT_EQ(gate().Next(MessageKind::kCancel).id, id);
}

TEST_F(GateWatchesTest, DrainWaitsForTheEndOfWatches) {
  CallersWatch watch(gate().Connect());
  const uint64_t id = Begin();
  gate().Send({.kind = MessageKind::kDrain, .status = {.code = 14, .text = "down"}});
  EXPECT_TRUE(gate().IsQuiet(absl::Seconds(1)));
  gate().Send({.kind = MessageKind::kEnd, .id = id, .status = {.code = 14, .text = "down"}});
  EXPECT_EQ(watch.Read(), "");
  EXPECT_EQ(ToString(watch.Finish()), "UNAVAILABLE: down");
  gate().Next(MessageKind::kDrained);
}

TEST_F(GateWatchesTest, HealthIsWatchedAlike) {
  grpc::health::v1::Health::Stub stub(gate().Connect(5));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  auto reader = stub.Watch(&context, {});
  const Message call = gate().Next(MessageKind::kCall);
  EXPECT_EQ(call.method, Method::kHealthWatch);
  EXPECT_EQ(call.connection, 5u);
  gate().Send({.kind = MessageKind::kBegun, .id = call.id});
  gate().Next(MessageKind::kPull);
  grpc::health::v1::HealthCheckResponse serving;
  serving.set_status(grpc::health::v1::HealthCheckResponse::SERVING);
  gate().Send({.kind = MessageKind::kEvent, .id = call.id, .body = serving.SerializeAsString()});
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), serving.status());
  context.TryCancel();
}

}  // namespace
}  // namespace svnet::testing

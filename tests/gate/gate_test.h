// Tests that are svnetd for a gate.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "daemon/wire/channel.h"
#include "daemon/wire/gate_request.h"
#include "daemon/wire/message.h"
#include "svnet/v1/network.grpc.pb.h"
#include "tests/eventually.h"
#include "tests/gate/launcher.h"

namespace svnet::testing {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// svnetd's end of a gate.
class GateEnd {
 public:
  explicit GateEnd(Launched launched) : pid_(launched.pid), core_(std::move(launched.channel)) {}

  pid_t pid() const { return pid_; }
  const Channel& channel() const { return core_; }
  Channel Release() && { return std::move(core_); }

  // What the gate says next; none within 20 seconds fails the test.
  Message Next();
  // The same, of that kind.
  Message Next(MessageKind kind);
  // Whether nothing comes within that time.
  bool IsQuiet(absl::Duration time);
  // Whether the gate has closed its end, or does within 20 seconds, and says nothing before.
  bool IsClosed();

  void Send(const Message& message, int descriptor = -1);
  // In parts of kMaxPart.
  void Answer(uint64_t id, const std::string& body);
  void Refuse(uint64_t id, const WireStatus& status);

  // The caller's end of a new connection.
  UniqueFd ConnectRaw(uint64_t connection = 1, const WireStatus& status = {});
  std::shared_ptr<grpc::Channel> Connect(uint64_t connection = 1, const WireStatus& status = {},
                                         const grpc::ChannelArguments& arguments = {});

  // A line of /proc/PID/status: its value.
  std::string Status(const std::string& name) const;
  size_t Descriptors() const;

 private:
  pid_t pid_;
  Channel core_;
};

// svnetd's end of a parent of gates.
class GateParentEnd {
 public:
  // That svnetd has when it is started by hand, if not another.
  explicit GateParentEnd(Launched launched = LaunchGateParent()) : launched_(std::move(launched)) {}

  pid_t pid() const { return launched_.pid; }
  // That of which the gate is ready.
  GateEnd Make(GateRequest request = {.kind = GateRequest::Kind::kMakeForCalls});
  void Kill(uint64_t number);
  uint64_t last_number() const { return last_number_; }
  // As if svnetd had gone.
  void Leave() { launched_.channel = Channel(UniqueFd()); }

 private:
  Launched launched_;
  uint64_t last_number_ = 0;
};

// A GetMetrics that is under way, of a caller's; its response is a text of any length.
class CallUnderWay {
 public:
  explicit CallUnderWay(const std::shared_ptr<grpc::Channel>& channel,
                        absl::Duration timeout = kPatience);
  ~CallUnderWay() { done_.WaitForNotification(); }

  void Cancel() { context_.TryCancel(); }
  bool done() const { return done_.HasBeenNotified(); }
  // Its end.
  const grpc::Status& Wait();
  const std::string& text() const { return response_.text(); }

 private:
  v1::NetworkService::Stub stub_;
  grpc::ClientContext context_;
  const v1::GetMetricsRequest request_;
  v1::GetMetricsResponse response_;
  grpc::Status status_;
  absl::Notification done_;
};

// The bytes of a response with that text.
std::string Metrics(const std::string& text);

// "UNAVAILABLE: text".
std::string ToString(const grpc::Status& status);

class GateTest : public ::testing::Test {
 protected:
  GateTest() : gate_(parent_.Make()) {}

  GateParentEnd& parent() { return parent_; }
  GateEnd& gate() { return gate_; }

 private:
  GateParentEnd parent_;
  GateEnd gate_;
};

}  // namespace svnet::testing

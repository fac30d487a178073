// What the tests of gates share.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/system/http2_frame.h"
#include "tests/system/process_tree.h"
#include "tests/system/raw_call.h"
#include "tests/system/system_test.h"
#include "tests/test_run.h"

namespace svnet::testing {

inline absl::Duration Allowed(absl::Duration time) { return IsSanitized() ? 20 * time : time; }

// A caller who does nothing special, all the time: it notices whatever others do to it.
class Bystander {
 public:
  Bystander(const std::string& socket, const RunAs& who)
      : client_(socket, who), watcher_(client_), thread_([this] { Work(); }) {}
  ~Bystander() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }

  // Ends it.
  void ExpectNothingWasNoticed() {
    stopped_ = true;
    thread_.join();
    EXPECT_EQ(failed_, 0);
    EXPECT_GT(answered_, 0);
    // Its watch goes on.
    const v1::Tap tap = client_.MustCreate("last");
    watcher_.WaitFor(v1::TAP_EVENT_TYPE_ADDED, tap.tap_name());
  }

 private:
  void Work() {
    while (!stopped_) {
      grpc::ClientContext context;
      v1::ListTapsResponse response;
      const bool ok = client_.stub().ListTaps(&context, {}, &response).ok();
      ++(ok ? answered_ : failed_);
    }
  }

  Client client_;
  Watcher watcher_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> answered_ = 0;
  std::atomic<int> failed_ = 0;
  std::thread thread_;
};

// svnetd, and callers of it who write HTTP/2 by hand.
class GateFixture : public SystemTest {
 protected:
  explicit GateFixture(std::vector<std::string> flags = {}) : svnetd_(Start(std::move(flags))) {}

  Daemon& svnetd() { return svnetd_; }

  struct Called {
    UniqueFd connection;
    std::string answer;  // all that came
  };
  // By a connection of its own.
  Called Call(const RunAs& who, const std::string& method, const std::string& message = "") {
    Called called = {.connection = ConnectAs(svnetd_.socket(), who)};
    SendAll(called.connection, RawStart() + RawCall(method, 1, message));
    called.answer = ReceiveUntil(called.connection, "grpc-status");
    return called;
  }

  template <typename Response>
  static Response ResponseIn(const std::string& answer) {
    Response response;
    EXPECT_TRUE(response.ParseFromString(FirstMessageIn(answer)));
    return response;
  }

  // -1: it has none.
  pid_t GateFor(const RunAs& who) {
    const Called called = Call(who, "ListTaps");
    EXPECT_NE(called.answer, "");
    return GateOf(svnetd_.pid(), called.connection);
  }

  // How long it takes until a new connection of that caller is served.
  absl::Duration TimeUntilServed(const RunAs& who) {
    const absl::Time start = absl::Now();
    const absl::Time end = start + absl::Seconds(20);
    while (!IsServed(who) && absl::Now() < end) std::this_thread::yield();
    return absl::Now() - start;
  }

 private:
  bool IsServed(const RunAs& who) {
    const std::string answer = Call(who, "ListTaps").answer;
    return absl::StrContains(answer, "grpc-status") && !absl::StrContains(answer, "grpc-message");
  }

  Daemon svnetd_;
};

}  // namespace svnet::testing

// Reading metrics over TCP, as a process on this host does; the test is svnetd's accept loop.
#include "daemon/metrics/metrics_listener.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/gate/http_request.h"
#include "daemon/gate/metrics_gate.h"
#include "daemon/wire/message.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kPatience = 20'000;  // ms

ListenAddress Address() { return ListenAddress::Parse("127.0.0.1:9464").value(); }

// Counts how often it is read.
class Reads final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::ClientMetric metric;
    metric.counter.value = ++times_;
    return {
        {.name = "reads", .help = "", .type = prometheus::MetricType::Counter, .metric = {metric}}};
  }

 private:
  mutable int times_ = 0;
};

class MetricsListenerTest : public ::testing::Test {
 protected:
  MetricsListenerTest() { testing::EnterFreshNetworkNamespace(); }

  std::unique_ptr<MetricsListener> Listen() {
    return MetricsListener::Listen(Address(), &reads_, [this] { return now_; }).value();
  }
  void Pass(absl::Duration time) { now_ += time; }

 private:
  const Reads reads_;
  absl::Time now_ = MonotonicNow();
};

TEST_F(MetricsListenerTest, ReadsMetricsNoMoreThanOnceASecond) {
  const auto listener = Listen();
  EXPECT_THAT(listener->Page(), HasSubstr("\nreads 1\n"));
  Pass(MetricsListener::kFresh - absl::Nanoseconds(1));
  EXPECT_THAT(listener->Page(), HasSubstr("\nreads 1\n"));
  Pass(absl::Nanoseconds(1));
  EXPECT_THAT(listener->Page(), HasSubstr("\nreads 2\n"));
}

TEST_F(MetricsListenerTest, SaysWhenAnAddressIsTaken) {
  const Reads reads;
  {
    const auto first = Listen();
    const auto second = MetricsListener::Listen(Address(), &reads, MonotonicNow);
    EXPECT_THAT(std::string(second.status().message()),
                HasSubstr("metrics_listen: cannot listen at 127.0.0.1:9464: another program "
                          "listens there"));
  }
  EXPECT_TRUE(MetricsListener::Listen(Address(), &reads, MonotonicNow).ok());
}

bool WaitFor(int fd, short events, int timeout = kPatience) {
  pollfd wait = {.fd = fd, .events = events};
  return poll(&wait, 1, timeout) == 1;
}

// The listener, and the process that speaks HTTP.
class MetricsOverTcpTest : public MetricsListenerTest {
 protected:
  MetricsOverTcpTest() : listener_(Listen()) {
    auto ends = Channel::Pair().value();
    core_.emplace(std::move(ends.first));
    gate_ = fork();
    if (gate_ == 0) {
      core_.reset();
      RunMetricsGate(std::move(ends.second));
    }
    EXPECT_EQ(Next().kind, MessageKind::kReady);
  }
  ~MetricsOverTcpTest() override {
    core_.reset();
    int status = 0;
    waitpid(gate_, &status, 0);
    EXPECT_EQ(status, 0);
  }

  UniqueFd Connect() const {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const ListenAddress address = Address();
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.address()),
                      sizeof(address.address())),
              0);
    return fd;
  }
  // Hands a connection to the gate; what svnetd keeps.
  UniqueFd Accept() {
    EXPECT_TRUE(WaitFor(listener_->fd(), POLLIN));
    UniqueFd fd(accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const Message connection = {.kind = MessageKind::kConnection, .connection = ++connections_};
    EXPECT_TRUE(core_->Send(Encode(connection), fd.get()).ok());
    return fd;
  }
  void GivePage() {
    const Message call = Next();
    EXPECT_EQ(call.method, Method::kMetricsPage);
    const Message answer = {.kind = MessageKind::kAnswer, .id = call.id, .body = listener_->Page()};
    EXPECT_TRUE(core_->Send(Encode(answer)).ok());
  }

 private:
  Message Next() {
    WaitFor(core_->fd(), POLLIN);
    return Decode(core_->Receive(kMaxPacket, /*with_descriptor=*/false).value().bytes).value();
  }

  const std::unique_ptr<MetricsListener> listener_;
  std::optional<Channel> core_;
  pid_t gate_ = -1;
  uint64_t connections_ = 0;
};

std::string HearAll(const UniqueFd& fd) {
  std::string heard;
  std::array<char, 4096> bytes;
  while (WaitFor(fd.get(), POLLIN)) {
    const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (count <= 0) return count == 0 ? heard : "reset: " + heard;
    heard.append(bytes.data(), count);
  }
  return heard;
}

void Say(const UniqueFd& fd, absl::string_view text) {
  EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
}

TEST_F(MetricsOverTcpTest, ThePageIsReadAndTheEndIsSeen) {
  UniqueFd reader = Connect();
  const UniqueFd kept = Accept();
  Say(reader, "GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\n\r\n");
  GivePage();
  const std::string answer = HearAll(reader);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\nreads 1\n"));
  EXPECT_FALSE(WaitFor(kept.get(), 0, 0));  // not before the reader has closed, too
  reader.Reset();
  EXPECT_TRUE(WaitFor(kept.get(), 0));
}

TEST_F(MetricsOverTcpTest, AReaderMayCloseItsOwnDirection) {
  const UniqueFd reader = Connect();
  const UniqueFd kept = Accept();
  Say(reader, "GET /metrics HTTP/1.0\r\n\r\n");
  shutdown(reader.get(), SHUT_WR);
  GivePage();
  EXPECT_THAT(HearAll(reader), HasSubstr("\nreads 1\n"));
  EXPECT_TRUE(WaitFor(kept.get(), 0));
}

TEST_F(MetricsOverTcpTest, AReaderWhoGoesIsSeen) {
  UniqueFd reader = Connect();
  const UniqueFd kept = Accept();
  Say(reader, "GET /met");
  reader.Reset();
  EXPECT_TRUE(WaitFor(kept.get(), 0));
}

TEST_F(MetricsOverTcpTest, AReaderThatSendsTooMuchIsToldWhy) {
  const UniqueFd reader = Connect();
  const UniqueFd kept = Accept();
  Say(reader, std::string(3 * kMaxRequestHead, 'x'));
  EXPECT_THAT(HearAll(reader), StartsWith("HTTP/1.1 431 "));  // and not "reset"
  EXPECT_TRUE(WaitFor(kept.get(), 0));
}

}  // namespace
}  // namespace svnet

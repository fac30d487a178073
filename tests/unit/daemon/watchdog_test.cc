// Whether svnetd answers: the bytes of the question, and those who ask it.
#include "daemon/accept/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/accept/health_exchange.h"
#include "daemon/accept/watchdog_probe.h"
#include "daemon/base/clock.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(20);  // not reached
constexpr absl::Duration kShort = absl::Milliseconds(100);

std::string Bytes(std::initializer_list<int> bytes) { return {bytes.begin(), bytes.end()}; }

const std::string kSettings = Bytes({0, 0, 0, 4, 0, 0, 0, 0, 0});
const std::string kSettingsAck = Bytes({0, 0, 0, 4, 1, 0, 0, 0, 0});
const std::string kHeaders = Bytes({0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88});
const std::string kTrailers = Bytes({0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88});
std::string Data(int status) {
  return Bytes({0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 8, status});
}

TEST(HealthExchangeTest, AsksAsAGrpcClientDoes) {
  EXPECT_EQ(HealthExchange::Request(),
            absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kSettings,
                         Bytes({0, 0, 72, 1, 4, 0, 0, 0, 1}), "\x83\x86\x04\x1c",
                         "/grpc.health.v1.Health/Check", "\x01\x06svnetd",
                         "\x0f\x10\x10"
                         "application/grpc",
                         Bytes({0, 2}), "te\x08trailers",
                         Bytes({0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0})));
}

TEST(HealthExchangeTest, EitherStatusIsAnAnswer) {
  for (const int status : {1, 2}) {
    HealthExchange exchange;
    EXPECT_EQ(exchange.Take(kSettings + kHeaders).value(), kSettingsAck);
    EXPECT_FALSE(exchange.is_answered());
    EXPECT_EQ(exchange.Take(kSettingsAck + Data(status) + kTrailers).value(), "");
    EXPECT_TRUE(exchange.is_answered());
  }
}

TEST(HealthExchangeTest, BytesMayComeOneByOne) {
  HealthExchange exchange;
  for (const char& byte : kSettings + kHeaders + Data(1)) {
    EXPECT_FALSE(exchange.is_answered());
    EXPECT_TRUE(exchange.Take(absl::string_view(&byte, 1)).ok());
  }
  EXPECT_TRUE(exchange.is_answered());
}

TEST(HealthExchangeTest, AMessageMayComeInSeveralFrames) {
  HealthExchange exchange;
  EXPECT_TRUE(exchange.Take(Bytes({0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2})).ok());
  EXPECT_FALSE(exchange.is_answered());
  EXPECT_TRUE(exchange.Take(Bytes({0, 0, 2, 0, 1, 0, 0, 0, 1, 8, 1})).ok());
  EXPECT_TRUE(exchange.is_answered());
}

TEST(HealthExchangeTest, PingsAreAnswered) {
  HealthExchange exchange;
  EXPECT_EQ(exchange.Take(Bytes({0, 0, 8, 6, 0, 0, 0, 0, 0}) + "12345678").value(),
            Bytes({0, 0, 8, 6, 1, 0, 0, 0, 0}) + "12345678");
  EXPECT_EQ(exchange.Take(Bytes({0, 0, 8, 6, 1, 0, 0, 0, 0}) + "12345678").value(), "");
}

TEST(HealthExchangeTest, WhatIsNoAnswerIsAnError) {
  for (const std::string& bytes : {
           kTrailers,                                                // an error, as gRPC says it
           kHeaders + kTrailers,                                     // the same, later
           Bytes({0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8}),           // RST_STREAM
           Data(0),                                                  // UNKNOWN
           Data(3),                                                  // SERVICE_UNKNOWN
           Bytes({0, 0, 7, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 2, 8, 1}),  // compressed
           std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
       }) {
    HealthExchange exchange;
    EXPECT_FALSE(exchange.Take(bytes).ok());
    EXPECT_FALSE(exchange.is_answered());
  }
}

TEST(HealthExchangeTest, TheOtherStreamsDoNotMatter) {
  HealthExchange exchange;
  std::string other = Data(1);
  other[8] = 3;
  EXPECT_TRUE(exchange.Take(other).ok());
  EXPECT_FALSE(exchange.is_answered());
}

TEST(HealthExchangeTest, ItDoesNotListenForEver) {
  HealthExchange exchange;
  absl::Status status;
  int times = 0;
  while (status.ok() && ++times < 100) {
    status =
        exchange.Take(Bytes({0, 0x10, 0, 8, 0, 0, 0, 0, 0}) + std::string(0x1000, 'x')).status();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(HealthExchange().Take(std::string(9, '\xff')).status()));
}

bool WaitFor(int fd, short events) {
  pollfd wait = {.fd = fd, .events = events};
  return poll(&wait, 1, 20'000) == 1;
}

// A socket at which something else than svnetd listens.
class WatchdogTest : public ::testing::Test {
 protected:
  WatchdogTest() {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/sock";
    listening_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(listening_.get(), reinterpret_cast<sockaddr*>(&Address()), sizeof(address_)), 0);
    EXPECT_EQ(listen(listening_.get(), 1), 0);
    called_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  }
  ~WatchdogTest() override {
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

  sockaddr_un& Address() {
    address_ = {.sun_family = AF_UNIX};
    std::strncpy(address_.sun_path, path_.c_str(), sizeof(address_.sun_path) - 1);
    return address_;
  }
  UniqueFd Accept() const {
    EXPECT_TRUE(WaitFor(listening_.get(), POLLIN));
    return UniqueFd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  static void Say(const UniqueFd& fd, const std::string& bytes) {
    EXPECT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  std::unique_ptr<Watchdog> Start(absl::Duration limit = kLong) {
    return Watchdog::Start(path_, limit, [this] { eventfd_write(called_.get(), 1); }).value();
  }
  // How often it was called since, of which there must be one.
  uint64_t Calls() const {
    eventfd_t times = 0;
    if (WaitFor(called_.get(), POLLIN)) eventfd_read(called_.get(), &times);
    return times;
  }
  bool WasCalled() const {
    pollfd wait = {.fd = called_.get(), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
  }

  std::string folder_ = "/tmp/svnet-watchdog-XXXXXX";
  std::string path_;
  sockaddr_un address_;
  UniqueFd listening_;
  UniqueFd called_;
};

TEST_F(WatchdogTest, AListenerThatNeverAnswersIsGivenUp) {
  const absl::Time begin = MonotonicNow();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Probe(path_, kShort)));
  EXPECT_GE(MonotonicNow() - begin, kShort);
}

TEST_F(WatchdogTest, AListenerThatNeverAcceptsIsGivenUp) {
  std::array<UniqueFd, 2> waiting;  // that is how many may wait
  for (UniqueFd& each : waiting) {
    each = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(each.get(), reinterpret_cast<sockaddr*>(&Address()), sizeof(address_)), 0);
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(Probe(path_, kShort)));
}

TEST_F(WatchdogTest, ASocketWithoutAListenerIsNoAnswer) {
  listening_.Reset();
  EXPECT_THAT(std::string(Probe(path_, kLong).message()), HasSubstr("refused"));
  EXPECT_TRUE(absl::IsNotFound(Probe(path_ + "x", kLong)));
  EXPECT_TRUE(absl::IsInvalidArgument(Probe(std::string(200, 'x'), kLong)));
}

TEST_F(WatchdogTest, AnAnswerIsReported) {
  const auto watchdog = Start();
  for (int i = 0; i < 2; ++i) {
    watchdog->Ask();
    const UniqueFd connection = Accept();
    Say(connection, kSettings + kHeaders + Data(1));
    EXPECT_EQ(Calls(), 1);
  }
}

TEST_F(WatchdogTest, AListenerThatClosesHasNotAnswered) {
  const auto watchdog = Start();
  watchdog->Ask();
  Accept().Reset();
  watchdog->Ask();
  const UniqueFd second = Accept();
  EXPECT_FALSE(WasCalled());
  Say(second, kHeaders + Data(2));
  EXPECT_EQ(Calls(), 1);
}

TEST_F(WatchdogTest, OneProbeAtATime) {
  const auto watchdog = Start();
  watchdog->Ask();
  const UniqueFd first = Accept();
  for (int i = 0; i < 3; ++i) watchdog->Ask();
  pollfd another = {.fd = listening_.get(), .events = POLLIN};
  EXPECT_EQ(poll(&another, 1, 50), 0);
  Say(first, kHeaders + Data(1));
  EXPECT_EQ(Calls(), 1);
  const UniqueFd second = Accept();
  Say(second, kHeaders + Data(1));
  EXPECT_EQ(Calls(), 1);
  EXPECT_EQ(poll(&another, 1, 50), 0);  // the three became one
}

TEST_F(WatchdogTest, EndsWithAProbeUnderWay) {
  const absl::Time begin = MonotonicNow();
  {
    const auto watchdog = Start();
    watchdog->Ask();
    const UniqueFd first = Accept();
  }
  {
    const auto watchdog = Start();
    watchdog->Ask();
    EXPECT_TRUE(WaitFor(listening_.get(), POLLIN));
  }
  EXPECT_LT(MonotonicNow() - begin, kLong);
  EXPECT_FALSE(WasCalled());
}

}  // namespace
}  // namespace svnet

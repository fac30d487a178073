// The process that speaks HTTP with those who read metrics; the test is svnetd.
#include "daemon/gate/metrics_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/gate/metrics_reader.h"
#include "daemon/wire/message.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGet[] = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n";
constexpr char kHead[] = "HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n";
constexpr int kPatience = 20'000;  // ms; a sanitizer's build on a busy machine

bool WaitFor(int fd, short events, int timeout = kPatience) {
  pollfd wait = {.fd = fd, .events = events};
  return poll(&wait, 1, timeout) == 1;
}

struct Reader {
  UniqueFd fd;
  UniqueFd svnetds;  // the duplicate of the other end

  void Say(absl::string_view text) const {
    EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // Until the gate closes.
  std::string Hear() const {
    std::string heard;
    std::array<char, 65536> bytes;
    while (WaitFor(fd.get(), POLLIN)) {
      const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      heard.append(bytes.data(), count);
    }
    return heard;
  }
  // As svnetd sees it.
  bool EndsInTime() const { return WaitFor(svnetds.get(), 0); }
};

class MetricsGateTest : public ::testing::Test {
 protected:
  MetricsGateTest() {
    auto ends = Channel::Pair().value();
    core_.emplace(std::move(ends.first));
    pid_ = fork();
    if (pid_ == 0) {
      core_.reset();
      RunMetricsGate(std::move(ends.second));
    }
    ends.second = Channel(UniqueFd());
    EXPECT_EQ(Next().kind, MessageKind::kReady);
    descriptors_ = CountDescriptors();
  }
  ~MetricsGateTest() override {
    if (pid_ > 0) {
      EXPECT_EQ(End(), 0);
    }
  }

  // What the gate says next; kDrained, which it never says: nothing in time.
  Message Next() {
    WaitFor(core_->fd(), POLLIN);
    const auto packet = core_->Receive(kMaxPacket, /*with_descriptor=*/false);
    if (!packet.ok()) return {.kind = MessageKind::kDrained};
    return Decode(packet->bytes).value_or(Message{.kind = MessageKind::kDrained});
  }
  bool IsSilent() const { return !core_->Receive(kMaxPacket, false).ok(); }

  void Tell(const Message& message, int descriptor = -1) {
    EXPECT_TRUE(core_->Send(Encode(message), descriptor, /*wait=*/true).ok());
  }
  Reader Connect() {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    Tell({.kind = MessageKind::kConnection, .connection = ++connections_}, ends[1]);
    return {.fd = UniqueFd(ends[0]), .svnetds = UniqueFd(ends[1])};
  }
  Reader ConnectAndSay(absl::string_view text) {
    Reader reader = Connect();
    reader.Say(text);
    return reader;
  }
  // Answers the call that comes now.
  void GivePage(const std::string& page) {
    const Message call = Next();
    EXPECT_EQ(call.kind, MessageKind::kCall);
    EXPECT_EQ(call.method, Method::kMetricsPage);
    EXPECT_EQ(call.id, ++calls_);
    for (size_t at = 0; at == 0 || at < page.size(); at += kMaxPart) {
      Tell({.kind = MessageKind::kAnswer,
            .more = at + kMaxPart < page.size(),
            .id = call.id,
            .body = page.substr(at, kMaxPart)});
    }
  }
  // A whole exchange, after which the gate has done all that it had to do before.
  void ExpectServes() {
    const Reader reader = ConnectAndSay(kGet);
    GivePage("served\n");
    EXPECT_THAT(reader.Hear(), HasSubstr("\r\n\r\nserved\n"));
  }
  size_t CountDescriptors() const {
    const std::filesystem::directory_iterator all(absl::StrCat("/proc/", pid_, "/fd"));
    return std::distance(begin(all), end(all));
  }
  // That those of all readers but one, of which there is no end yet, are gone.
  void ExpectDescriptorsReturn() {
    const Reader waiting = ConnectAndSay(kGet);
    GivePage(std::string(2 << 20, 'x'));
    EXPECT_TRUE(WaitFor(waiting.fd.get(), POLLIN));
    EXPECT_EQ(CountDescriptors(), descriptors_ + 1);
  }
  // svnetd's end is closed: how the gate ends.
  int End() {
    core_.reset();
    return Reap();
  }
  int Reap() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  std::optional<Channel> core_;
  pid_t pid_ = -1;
  uint64_t connections_ = 0;
  uint64_t calls_ = 0;
  size_t descriptors_ = 0;  // of the gate without readers
};

TEST_F(MetricsGateTest, GetHasThePage) {
  const Reader reader = ConnectAndSay(kGet);
  GivePage("svnet_leases 1\n");
  EXPECT_EQ(reader.Hear(), RenderResponseHead(HttpStatus::kOk, 15) + "svnet_leases 1\n");
  EXPECT_TRUE(IsSilent());
}

TEST_F(MetricsGateTest, ALargePageComesInParts) {
  const std::string page(1'000'000, 'x');
  const Reader reader = ConnectAndSay(kGet);
  GivePage(page);
  EXPECT_EQ(reader.Hear(), RenderResponseHead(HttpStatus::kOk, page.size()) + page);
}

TEST_F(MetricsGateTest, HeadHasNoBody) {
  const Reader reader = ConnectAndSay(kHead);
  GivePage("svnet_leases 1\n");
  EXPECT_EQ(reader.Hear(), RenderResponseHead(HttpStatus::kOk, 15));
}

TEST_F(MetricsGateTest, ARequestMayComeByteByByte) {
  const Reader reader = Connect();
  for (const char& c : absl::string_view(kGet)) reader.Say(absl::string_view(&c, 1));
  GivePage("x");
  EXPECT_THAT(reader.Hear(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(MetricsGateTest, AReaderMayCloseItsOwnDirection) {
  const Reader reader = ConnectAndSay(kGet);
  shutdown(reader.fd.get(), SHUT_WR);
  GivePage("x");
  EXPECT_THAT(reader.Hear(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(MetricsGateTest, OthersAreToldWhyWithoutAskingSvnetd) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GET / HTTP/1.0\r\n\r\n", "404 Not Found"},
      {"POST /metrics HTTP/1.0\r\n\r\n", "405 Method Not Allowed"},
      {"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 Forbidden"},
      {"\x16\x03\x01\x02", "400 Bad Request"},
      {std::string(9000, 'x'), "431 Request Header Fields Too Large"},
  };
  for (const auto& [request, status] : cases) {
    const Reader reader = ConnectAndSay(request);
    const std::string answer = reader.Hear();
    EXPECT_THAT(answer, StartsWith(absl::StrCat("HTTP/1.1 ", status, "\r\n")));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("\r\n\r\n", status)));
    EXPECT_TRUE(IsSilent());
  }
}

TEST_F(MetricsGateTest, AReaderThatSendsMoreThanItsRequestIsAnswered) {
  const Reader reader = ConnectAndSay(absl::StrCat(kGet, std::string(30'000, 'x')));
  GivePage("page");
  EXPECT_TRUE(absl::EndsWith(reader.Hear(), "\r\n\r\npage"));
  EXPECT_TRUE(reader.EndsInTime());
}

TEST_F(MetricsGateTest, ReadersThatWaitShareOneCall) {
  std::vector<Reader> readers;
  for (int i = 0; i < kMaxMetricsReaders - 1; ++i) readers.push_back(ConnectAndSay(kGet));
  // Heard after all others, so that they wait by then.
  const Reader last = ConnectAndSay("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(last.Hear(), HasSubstr("404"));
  GivePage("one page");
  for (const Reader& each : readers) EXPECT_THAT(each.Hear(), HasSubstr("one page"));
  EXPECT_TRUE(IsSilent());
}

TEST_F(MetricsGateTest, ReadersWhoLeaveAreForgotten) {
  for (int i = 0; i < 3; ++i) {
    ConnectAndSay("GET /met");  // and closed
    ConnectAndSay("GET / HTTP/1.0\r\n\r\n");
  }
  {
    const Reader gone = ConnectAndSay(kGet);
    shutdown(gone.fd.get(), SHUT_RDWR);
    EXPECT_TRUE(gone.EndsInTime());
  }
  GivePage("for nobody");
  ExpectDescriptorsReturn();
}

TEST_F(MetricsGateTest, WhatSvnetdDoesNotGiveIsUnavailable) {
  const Reader reader = ConnectAndSay(kGet);
  Tell({.kind = MessageKind::kAnswer, .id = Next().id, .status = {.code = 14, .text = "ends"}});
  EXPECT_THAT(reader.Hear(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_F(MetricsGateTest, ASlowHeadIsCutOffAndHoldsUpNobody) {
  const absl::Time begin = MonotonicNow();
  std::vector<Reader> slow;
  for (int i = 0; i < kMaxMetricsReaders - 1; ++i) slow.push_back(ConnectAndSay("GET /metrics HT"));
  ExpectServes();
  EXPECT_LT(MonotonicNow() - begin, MetricsReader::kHeadTime);
  // Some go on sending.
  while (!WaitFor(slow[0].svnetds.get(), 0, 50) && MonotonicNow() - begin < absl::Seconds(20)) {
    slow[0].Say("T");
  }
  for (const Reader& each : slow) EXPECT_TRUE(each.EndsInTime());
  EXPECT_GE(MonotonicNow() - begin, MetricsReader::kHeadTime);
  ExpectDescriptorsReturn();
}

TEST_F(MetricsGateTest, AReaderThatNeverReadsIsCutOffAndDelaysNoOther) {
  const absl::Time begin = MonotonicNow();
  std::vector<Reader> readers;
  for (int i = 0; i < kMaxMetricsReaders - 1; ++i) {
    readers.push_back(ConnectAndSay(kGet));
    GivePage(std::string(2 << 20, 'x'));
    EXPECT_TRUE(WaitFor(readers.back().fd.get(), POLLIN));
  }
  ExpectServes();
  EXPECT_LT(MonotonicNow() - begin, MetricsReader::kExchangeTime);
  for (const Reader& each : readers) EXPECT_TRUE(each.EndsInTime());
  EXPECT_GE(MonotonicNow() - begin, MetricsReader::kExchangeTime);
  ExpectDescriptorsReturn();
}

TEST_F(MetricsGateTest, AReaderIsCutOffIfThePageDoesNotCome) {
  const absl::Time begin = MonotonicNow();
  const Reader reader = ConnectAndSay(kGet);
  EXPECT_EQ(reader.Hear(), "");
  EXPECT_GE(MonotonicNow() - begin, MetricsReader::kExchangeTime);
  GivePage("too late");
  ExpectServes();
}

TEST_F(MetricsGateTest, OneMoreTakesThePlaceOfTheOldestThatSaysNothing) {
  std::vector<Reader> asking;
  asking.push_back(ConnectAndSay(kGet));
  std::vector<Reader> silent;
  for (int i = 0; i < kMaxMetricsReaders - 1; ++i) silent.push_back(ConnectAndSay("GET "));
  for (const Reader& each : silent) {
    asking.push_back(ConnectAndSay(kGet));
    EXPECT_EQ(each.Hear(), "");
  }
  EXPECT_EQ(Connect().Hear(), "");  // all wait for their answer
  GivePage("page");
  for (const Reader& each : asking) EXPECT_THAT(each.Hear(), HasSubstr("page"));
}

TEST_F(MetricsGateTest, ManyWhoSayNothingKeepNobodyOut) {
  std::vector<Reader> silent;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 3 * kMaxMetricsReaders; ++j) silent.push_back(ConnectAndSay("GET "));
    ExpectServes();
  }
}

TEST_F(MetricsGateTest, EndsWithItsChannel) {
  const Reader reader = ConnectAndSay(kGet);
  EXPECT_EQ(Next().kind, MessageKind::kCall);
  EXPECT_EQ(End(), 0);
}

TEST_F(MetricsGateTest, EndsWhenItIsToldWhatItDoesNotKnow) {
  Tell({.kind = MessageKind::kAnswer, .id = 1});
  EXPECT_EQ(Reap(), 1);
}

}  // namespace
}  // namespace svnet

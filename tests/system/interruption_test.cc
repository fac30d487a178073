// Another program loads the host's firewall anew, as `systemctl reload nftables` does: how long
// guests are without the network.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/guest_and_outside.h"
#include "tests/test_run.h"

namespace svnet::testing {
namespace {

constexpr int kReloads = 5;

// A guest sends a datagram each millisecond, and what is outside sends it back.
class EchoStream {
 public:
  // Both are datagram sockets; the guest's is connected to the other.
  EchoStream(UniqueFd guest, UniqueFd outside)
      : guest_(std::move(guest)),
        outside_(std::move(outside)),
        echo_([this] { Echo(); }),
        stream_([this] { Stream(); }) {}
  ~EchoStream() { Stop(); }

  void Stop() {
    stop_ = true;
    if (stream_.joinable()) stream_.join();
    if (echo_.joinable()) echo_.join();
  }

  uint32_t sent() const { return sent_; }
  uint32_t answered() const { return answered_; }
  // Waits for answers to all that has been sent until now, and a few more.
  bool IsAnswered() const {
    constexpr uint32_t kMore = 10;
    const uint32_t until = sent_ + kMore;
    return Eventually([&] { return last_answer_ >= until; });
  }
  // Since the last call: between the first datagram that was not answered and the next that was.
  absl::Duration TakeLongestSilence() { return absl::Nanoseconds(longest_silence_.exchange(0)); }

 private:
  using Datagram = std::array<uint32_t, 1>;
  static constexpr int kStep = 1;  // milliseconds

  void Echo() {
    while (!stop_) {
      pollfd readable = {.fd = outside_.get(), .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, 10 * kStep) <= 0) continue;
      Datagram datagram;
      sockaddr_in from = {};
      socklen_t size = sizeof(from);
      const auto name = reinterpret_cast<sockaddr*>(&from);
      if (recvfrom(outside_.get(), &datagram, sizeof(datagram), 0, name, &size) < 0) continue;
      sendto(outside_.get(), &datagram, sizeof(datagram), 0, name, size);
    }
  }

  void Stream() {
    while (!stop_) {
      const Datagram datagram = {++sent_};
      times_.push_back(absl::Now());
      send(guest_.get(), &datagram, sizeof(datagram), 0);
      pollfd readable = {.fd = guest_.get(), .events = POLLIN, .revents = 0};
      const absl::Time next = absl::Now() + absl::Milliseconds(kStep);
      while (absl::Now() < next) {
        if (poll(&readable, 1, kStep) > 0) TakeAnswer();
      }
    }
  }

  void TakeAnswer() {
    Datagram datagram;
    if (recv(guest_.get(), &datagram, sizeof(datagram), MSG_DONTWAIT) < 0) return;
    const uint32_t number = datagram[0];
    ++answered_;
    if (number <= last_answer_) return;  // one that was overtaken
    if (number > last_answer_ + 1) {
      const absl::Duration silence = times_[number - 1] - times_[last_answer_];
      longest_silence_ = std::max<int64_t>(longest_silence_, absl::ToInt64Nanoseconds(silence));
    }
    last_answer_ = number;
  }

  const UniqueFd guest_;
  const UniqueFd outside_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint32_t> sent_ = 0;
  std::atomic<uint32_t> answered_ = 0;
  std::atomic<uint32_t> last_answer_ = 0;
  std::atomic<int64_t> longest_silence_ = 0;  // nanoseconds
  std::vector<absl::Time> times_;             // when each was sent; stream_'s own
  std::thread echo_;
  std::thread stream_;
};

class InterruptionTest : public WithAllGuests<GuestAndOutsideTest> {
 protected:
  static EchoStream StartStream() {
    sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr = {}, .sin_zero = {}};
    inet_pton(AF_INET, "198.51.100.1", &address.sin_addr);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    UniqueFd outside = InNamespace("outside", [&] {
      UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(bind(fd.get(), name, sizeof(address)), 0);
      return fd;
    });
    UniqueFd guest = InNamespace("guest", [&] {
      UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(connect(fd.get(), name, sizeof(address)), 0);
      return fd;
    });
    return {std::move(guest), std::move(outside)};
  }

  // A host's own firewall, which begins with "flush ruleset", as Debian's does.
  std::string WriteRules(int chains) {
    const std::string path = folder() + "/nftables.conf";
    std::ofstream file(path);
    file << "flush ruleset\ntable inet host {\n";
    for (int i = 0; i < chains; ++i) {
      file << "chain c" << i << " { ip saddr 192.0.2." << i % 256 << " counter accept; }\n";
    }
    file << "chain input { type filter hook input priority 0; policy accept; }\n}\n";
    return path;
  }
};

INSTANTIATE_TEST_SUITE_P(Guests, InterruptionTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

TEST_P(InterruptionTest, AReloadOfTheHostsRulesInterruptsNoGuest) {
  const Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  AddGuest(MustCreateGuest(alice, "vm1"));
  if (RulesTable() == "svnet-svbr0") GTEST_SKIP() << "this kernel has no persistent tables (6.9)";
  const std::string rules = WriteRules(8'000);
  EchoStream stream = StartStream();
  ASSERT_TRUE(stream.IsAnswered());
  stream.TakeLongestSilence();
  for (int i = 0; i < kReloads; ++i) Shell("nft -f " + rules);
  EXPECT_TRUE(stream.IsAnswered());
  EXPECT_EQ(stream.TakeLongestSilence(), absl::ZeroDuration());
}

// There others can delete svnetd's rules: they are back as soon as svnetd hears of it.
TEST_P(InterruptionTest, OnAnOlderKernelAReloadInterruptsGuestsForMilliseconds) {
  const OlderKernel kernel;
  const Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  AddGuest(MustCreateGuest(alice, "vm1"));
  const std::string rules = WriteRules(1'000);
  EchoStream stream = StartStream();
  ASSERT_TRUE(stream.IsAnswered());
  std::vector<absl::Duration> beyond;
  for (int i = 0; i < kReloads; ++i) {
    stream.TakeLongestSilence();
    const absl::Time start = absl::Now();
    Shell("nft -f " + rules);
    const absl::Duration reload = absl::Now() - start;
    EXPECT_TRUE(stream.IsAnswered());
    const absl::Duration silence = stream.TakeLongestSilence();
    std::cout << "  the reload took " << reload << ", guests had no answers for " << silence
              << "\n";
    beyond.push_back(silence - reload);
  }
  if (IsSanitized()) return;
  std::sort(beyond.begin(), beyond.end());
  EXPECT_LE(beyond[kReloads / 2], absl::Milliseconds(50));
}

}  // namespace
}  // namespace svnet::testing

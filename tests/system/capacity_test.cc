// As many guests as a platform puts on one host.
#include <signal.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/pinging.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::IsEmpty;

constexpr int kGuests = 10'000;
constexpr int kCallers = 8;
constexpr int kPinging = 100;
constexpr int kMemory = 3 << 10;  // MiB; a TAP takes the kernel 80 KiB and more
const Ipv4Address kOutside(0xcb007101);

// In MiB (proc(5)).
int AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::ostringstream text;
  text << file.rdbuf();
  const size_t at = text.str().find("MemAvailable:");
  return at == std::string::npos ? 0 : std::stoi(text.str().substr(at + 13)) / 1024;
}

class CapacityTest : public SystemTest {
 protected:
  void Serve() {
    svnetd_.reset(
        new Daemon(Start({"--kind=routed", "--subnet=10.30.0.0/18", "--taps-per-user=20000"})));
    ASSERT_TRUE(svnetd_->running()) << svnetd_->log();
  }
  Daemon& svnetd() { return *svnetd_; }
  Client As(uid_t uid) { return Client(svnetd_->socket(), Member(uid)); }

  // By several callers at once.
  void CreateAll() {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([this, caller] {
        Client alice = As(kAlice);
        for (int i = caller; i < kGuests; i += kCallers) {
          alice.MustCreate(absl::StrCat("vm", i));
        }
      });
    }
    for (std::thread& each : callers) each.join();
  }

 private:
  std::unique_ptr<Daemon> svnetd_;
};

TEST_F(CapacityTest, TenThousandGuestsOnARoutedNetwork) {
  const int memory = AvailableMemory();
  ASSERT_GE(memory, kMemory) << "10,000 TAPs need " << kMemory << " MiB of free memory";
  const Internet internet;
  Serve();
  CreateAll();
  std::vector<TapGuest> guests;
  guests.reserve(kPinging);
  {
    Client alice = As(kAlice);
    // Taken from all over the network.
    for (int i = 0; i < kGuests; i += kGuests / kPinging) {
      guests.emplace_back(alice.MustCreate(absl::StrCat("vm", i)));
      // Whatever the kernel has to do for those that were made just now.
      EXPECT_TRUE(guests.back().Pings(kOutside, absl::Seconds(2))) << "vm" << i;
    }
  }

  Pinging pinging(guests, kOutside);
  EXPECT_EQ(CountKernel().taps, kGuests);
  for (const int signal : {SIGTERM, SIGKILL}) {
    svnetd().Stop(signal);
    Serve();
    Client alice = As(kAlice);
    EXPECT_EQ(alice.MustList().size(), kGuests);
    EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
    EXPECT_EQ(alice.MustGetNetwork().addresses().used(), kGuests);
  }
  pinging.WaitForAll();
  pinging.ExpectNoneIsLost();

  EXPECT_EQ(As(kAlice).MustCleanup(v1::CLEANUP_SCOPE_CALLER).taps_removed(), kGuests);
  EXPECT_TRUE(Eventually([] { return CountKernel().taps == 0; }, absl::Seconds(60)));
}

}  // namespace
}  // namespace svnet::testing

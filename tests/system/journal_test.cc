// The log in systemd's journal, in a place of which the test is the journal.
#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <fstream>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class JournalTest : public SystemTest {
 protected:
  JournalTest() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    mkdir("/run/systemd", 0755);
    EXPECT_EQ(mount("tmpfs", "/run/systemd", "tmpfs", 0, "mode=755"), 0);
    mkdir("/run/systemd/journal", 0755);
    sockaddr_un address = {.sun_family = AF_UNIX};
    std::strcpy(address.sun_path, "/run/systemd/journal/socket");
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~JournalTest() override { umount2("/run/systemd", MNT_DETACH); }

  // With standard error as systemd has it: a stream that the variable names.
  Daemon StartInJournal() {
    const std::string log = folder() + "/svnetd.log";
    std::ofstream(log) << "";
    struct stat status = {};
    EXPECT_EQ(stat(log.c_str(), &status), 0);
    return Daemon(folder(), {kSocketGroupFlag}, "",
                  {"env", absl::StrCat("JOURNAL_STREAM=", status.st_dev, ":", status.st_ino)});
  }

  // The entry whose message has that text; empty if none comes in 20 seconds.
  std::string WaitForText(const std::string& text) const {
    return WaitForEntry([&](const std::string& entry) {
      return absl::StrContains(entry.substr(0, entry.find('\n')), text);
    });
  }
  // The entry, a line for each field (systemd's "Native Journal Protocol"), that begins
  // with this message; empty if none comes in 20 seconds.
  std::string WaitFor(const std::string& message) const {
    return WaitForEntry(
        [&](const std::string& entry) { return absl::StartsWith(entry, "MESSAGE=" + message); });
  }

 private:
  std::string WaitForEntry(const std::function<bool(const std::string&)>& is_it) const {
    constexpr int kPatience = 20'000;  // ms
    std::array<char, 65536> entry;
    pollfd wait = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    while (poll(&wait, 1, kPatience) > 0) {
      const ssize_t size = recv(fd_.get(), entry.data(), entry.size(), 0);
      if (size < 0) break;
      const std::string text(entry.data(), size);
      if (is_it(text)) return text;
    }
    return "";
  }

  const UniqueFd fd_;
};

TEST_F(JournalTest, HasFieldsForEachCall) {
  Daemon svnetd = StartInJournal();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  const std::string created = WaitFor("CreateTap uid=1000 vm=vm1 iface=eth0 tap=svvm1eth0");
  for (const char* field :
       {"PRIORITY=6", "SYSLOG_IDENTIFIER=svnetd", "NETWORK=default", "VM_ID=vm1", "IFACE_ID=eth0",
        "TAP=svvm1eth0", "OWNER_UID=1000", "CALLER_UID=1000"}) {
    EXPECT_THAT(created, HasSubstr(absl::StrCat("\n", field, "\n")));
  }
  EXPECT_THAT(created, Not(HasSubstr("REASON=")));
  // Nobody's call, and a lease's all the same.
  Shell("ip link set svvm1eth0 down");
  const std::string repaired = WaitFor("Repaired");
  EXPECT_THAT(repaired, HasSubstr("\nVM_ID=vm1\n"));
  EXPECT_THAT(repaired, Not(HasSubstr("CALLER_UID=")));
  // Found by its TAP.
  alice.MustRemove("svvm1eth0");
  EXPECT_THAT(WaitFor("RemoveTap"), HasSubstr("\nVM_ID=vm1\n"));
  EXPECT_THAT(svnetd.log(), IsEmpty());
}

// More lines than wait in the journal's queue, or in a pipe.
void FillTheLog(const Daemon& svnetd) {
  Client alice(svnetd.socket(), Member(kAlice));
  for (int i = 0; i < 300; ++i) {
    const v1::Tap tap = alice.MustCreate("vm1");
    ASSERT_TRUE(alice.MustRemove(tap.tap_name()));
  }
}

std::string Metrics(const Daemon& svnetd) {
  return Shell(absl::StrCat(kSvnetctl, " --socket ", svnetd.socket(), " metrics"));
}

TEST_F(JournalTest, AJournalThatReadsNothingDelaysNoCall) {
  Daemon svnetd = StartInJournal();
  FillTheLog(svnetd);
  EXPECT_THAT(Metrics(svnetd), Not(HasSubstr("svnet_log_lines_lost_total 0\n")));
  EXPECT_NE(WaitFor("CreateTap"), "");  // there is room
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm2");
  // The first that came since says what is missing.
  EXPECT_THAT(WaitForText(" lines are missing"), HasSubstr("\nPRIORITY=4\n"));
  EXPECT_THAT(svnetd.log(), IsEmpty());
}

TEST_F(JournalTest, AStandardErrorThatNobodyReadsDelaysNoCall) {
  const std::string pipe = folder() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const UniqueFd reader(open(pipe.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ASSERT_TRUE(reader.valid());
  ASSERT_GE(fcntl(reader.get(), F_SETPIPE_SZ, 16384), 0);
  Daemon svnetd(folder(), {kSocketGroupFlag}, "", {"bash", "-c", "exec \"$0\" \"$@\" 2>" + pipe});
  FillTheLog(svnetd);
  EXPECT_THAT(Metrics(svnetd), Not(HasSubstr("svnet_log_lines_lost_total 0\n")));
  std::array<char, 65536> buffer;
  ASSERT_GT(read(reader.get(), buffer.data(), buffer.size()), 0);
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm2");
  const ssize_t size = read(reader.get(), buffer.data(), buffer.size());
  ASSERT_GT(size, 0);
  EXPECT_THAT(std::string(buffer.data(), size),
              AllOf(HasSubstr(" lines are missing: nobody took them\n"),
                    HasSubstr("CreateTap uid=1000 vm=vm2")));
}

TEST_F(JournalTest, NoCallerForgesAField) {
  Daemon svnetd = StartInJournal();
  Client mallory(svnetd.socket(), Member(kBob));
  EXPECT_FALSE(mallory.Create("vm1\nOWNER_UID=0\nREASON=x").status.ok());
  const std::string refused = WaitFor("CreateTap");
  EXPECT_THAT(refused, HasSubstr("\nREASON=INVALID_ID\n"));
  EXPECT_THAT(refused, HasSubstr("\nCALLER_UID=1001\n"));
  EXPECT_THAT(refused, Not(HasSubstr("\nVM_ID")));
  EXPECT_THAT(refused, Not(HasSubstr("\nOWNER_UID")));
  EXPECT_THAT(refused, Not(HasSubstr("\nREASON=x")));
}

TEST_F(JournalTest, IsNotUsedIfStandardErrorIsNotTheJournal) {
  Daemon svnetd(folder(), {kSocketGroupFlag}, "", {"env", "JOURNAL_STREAM=1:1"});
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  EXPECT_THAT(svnetd.log(), HasSubstr(" info: CreateTap uid=1000 vm=vm1"));
}

}  // namespace
}  // namespace svnet::testing

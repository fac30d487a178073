// Gates and their parent as processes.
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/gate/confinement.h"
#include "daemon/gate/gate_parent.h"
#include "daemon/gate/privileges.h"
#include "tests/eventually.h"
#include "tests/gate/gate_test.h"

namespace svnet::testing {
namespace {

constexpr char kNothing[] = "0000000000000000";  // as /proc has a set of capabilities

class GateProcessTest : public GateTest {};

TEST_F(GateProcessTest, HasNoPrivilege) {
  const std::string ids = absl::StrCat(kGateId, "\t", kGateId, "\t", kGateId, "\t", kGateId);
  EXPECT_EQ(gate().Status("Uid"), ids);
  EXPECT_EQ(gate().Status("Gid"), ids);
  EXPECT_EQ(gate().Status("Groups"), "");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(gate().Status(set), kNothing) << set;
  }
  EXPECT_EQ(gate().Status("NoNewPrivs"), "1");
  EXPECT_EQ(gate().Status("Seccomp"), kConfinesSystemCalls ? "2" : "0");
  std::array<char, 64> root = {};
  const std::string link = absl::StrCat("/proc/", gate().pid(), "/root");
  EXPECT_GT(readlink(link.c_str(), root.data(), root.size() - 1), 0);
  EXPECT_NE(std::string(root.data()).find("(deleted)"), std::string::npos) << root.data();
}

TEST_F(GateProcessTest, ParentHasOneThreadAndNoPrivilege) {
  const GateEnd parents({.pid = parent().pid(), .channel = Channel(UniqueFd())});
  EXPECT_EQ(parents.Status("Threads"), "1");
  EXPECT_EQ(parents.Status("Name"), "svnet-gates");
  EXPECT_EQ(parents.Status("CapPrm"), kNothing);
  EXPECT_EQ(parents.Status("CapBnd"), kNothing);
  EXPECT_EQ(parents.Status("NoNewPrivs"), "1");
}

TEST_F(GateProcessTest, GoesFirstWithoutMemory) {
  std::ifstream file(absl::StrCat("/proc/", gate().pid(), "/oom_score_adj"));
  int adjustment = 0;
  file >> adjustment;
  EXPECT_EQ(adjustment, 1000);
}

// All of it: each thread has a priority of its own.
TEST_F(GateProcessTest, GivesWayToOthersIfItIsOfTheRefused) {
  GateEnd refused = parent().Make({.kind = GateRequest::Kind::kMakeForCalls, .nice = 19});
  CallUnderWay call(refused.Connect());
  refused.Answer(refused.Next(MessageKind::kCall).id, "");
  EXPECT_TRUE(call.Wait().ok());
  int threads = 0;
  for (const auto& each :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", refused.pid(), "/task"))) {
    EXPECT_EQ(getpriority(PRIO_PROCESS, std::stoi(each.path().filename())), 19);
    ++threads;
  }
  EXPECT_GT(threads, 1);
  EXPECT_EQ(getpriority(PRIO_PROCESS, gate().pid()), getpriority(PRIO_PROCESS, parent().pid()));
}

TEST_F(GateProcessTest, EndsWithItsChannel) {
  const pid_t pid = gate().pid();
  CallUnderWay call(gate().Connect());
  gate().Next(MessageKind::kCall);
  const Channel closed = std::move(gate()).Release();
  shutdown(closed.fd(), SHUT_RDWR);
  EXPECT_TRUE(Ends(pid));
  EXPECT_EQ(call.Wait().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GateProcessTest, EndsWhenSvnetdSpeaksNonsense) {
  EXPECT_TRUE(gate().channel().Send("nonsense").ok());
  EXPECT_TRUE(gate().IsClosed());
}

TEST_F(GateProcessTest, IsKilledByItsNumberAndTheOthersGoOn) {
  GateEnd other = parent().Make();
  CallUnderWay call(gate().Connect());
  gate().Next(MessageKind::kCall);
  parent().Kill(1);
  EXPECT_TRUE(gate().IsClosed());
  EXPECT_TRUE(Ends(gate().pid()));
  EXPECT_EQ(call.Wait().error_code(), grpc::StatusCode::UNAVAILABLE);
  // What has ended is known by no number, nor is one that never was.
  parent().Kill(1);
  parent().Kill(99);
  CallUnderWay next(other.Connect());
  other.Answer(other.Next(MessageKind::kCall).id, "");
  EXPECT_TRUE(next.Wait().ok());
  // Nor is it left as a zombie.
  EXPECT_TRUE(Eventually([&] { return kill(gate().pid(), 0) != 0; }));
}

TEST_F(GateProcessTest, EndsWithItsParent) {
  kill(parent().pid(), SIGKILL);
  EXPECT_TRUE(gate().IsClosed());
  EXPECT_TRUE(Ends(gate().pid()));
}

TEST_F(GateProcessTest, EndsWithSvnetd) {
  const pid_t pid = parent().pid();
  parent().Leave();
  EXPECT_TRUE(Ends(pid));
  EXPECT_TRUE(gate().IsClosed());
  EXPECT_TRUE(Ends(gate().pid()));
}

// A terminal's, or systemd's to the whole group: svnetd is to hear it, and drains.
TEST_F(GateProcessTest, SignalsToTheGroupAreSvnetds) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    kill(parent().pid(), signal);
    kill(gate().pid(), signal);
  }
  CallUnderWay call(gate().Connect());
  gate().Answer(gate().Next(MessageKind::kCall).id, "");
  EXPECT_TRUE(call.Wait().ok());
  parent().Make();
}

// Standard streams, the channel, ticks, and gRPC's: an epoll and its wake-ups.
constexpr size_t kOwn = 9;

TEST_F(GateProcessTest, DescriptorsAreOnePerConnectionAndComeBack) {
  const auto call = [&](const std::shared_ptr<grpc::Channel>& channel) {
    CallUnderWay under_way(channel);
    gate().Answer(gate().Next(MessageKind::kCall).id, "");
    EXPECT_TRUE(under_way.Wait().ok());
  };
  // gRPC makes what it needs at the first call.
  call(gate().Connect());
  EXPECT_TRUE(Eventually([&] { return gate().Descriptors() == kOwn; })) << gate().Descriptors();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 1; i <= 64; ++i) {
    channels.push_back(gate().Connect(i));
    call(channels.back());
    ASSERT_EQ(gate().Descriptors(), kOwn + i);
  }
  channels.clear();
  EXPECT_TRUE(Eventually([&] { return gate().Descriptors() == kOwn; })) << gate().Descriptors();
  // And none is passed on by who connects.
  call(gate().Connect());
}

// A call is known by the number of its connection's descriptor: one that comes late must not
// pass for a call of the caller who has come since.
TEST_F(GateProcessTest, NoConnectionOfASharedGateHasANumberOfAnEarlierOne) {
  GateEnd shared = parent().Make({.kind = GateRequest::Kind::kMakeForCalls, .is_shared = true});
  std::set<int> before;
  for (uint64_t i = 1; i <= 100; ++i) {
    const auto channel = shared.Connect(i);
    CallUnderWay under_way(channel);
    const Message call = shared.Next(MessageKind::kCall);
    EXPECT_EQ(call.connection, i);
    int highest = 0;
    for (const auto& each :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", shared.pid(), "/fd"))) {
      highest = std::max(highest, std::stoi(each.path().filename()));
    }
    EXPECT_TRUE(before.insert(highest).second) << highest;
    EXPECT_EQ(*before.rbegin(), highest);
    shared.Answer(call.id, "");
    EXPECT_TRUE(under_way.Wait().ok());
  }
}

// Each would wait for ever: svnetd keeps a duplicate, to see its end.
TEST_F(GateProcessTest, ConnectionThatItHasNoRoomForEndsIt) {
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const UniqueFd some(ends[0]);
  const UniqueFd other(ends[1]);
  const std::string connection = Encode({.kind = MessageKind::kConnection});
  EXPECT_TRUE(Eventually([&] {
    const absl::Status sent = gate().channel().Send(connection, some.get(), false);
    return !sent.ok() && !absl::IsUnavailable(sent);
  }));
  EXPECT_TRUE(gate().IsClosed());
}

TEST_F(GateProcessTest, GarbageHarmsOnlyItsConnection) {
  const auto good = gate().Connect(1);
  CallUnderWay before(good);
  const uint64_t id = gate().Next(MessageKind::kCall).id;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\0'), std::string(1000, '\xff'),
        preface + std::string(1000, '\xff'), preface + settings + std::string(100, '\x01'),
        preface + settings + std::string("\xff\xff\xff\x01\x04\0\0\0\1", 9)}) {
    const UniqueFd bad = gate().ConnectRaw(2);
    EXPECT_GT(send(bad.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    shutdown(bad.get(), SHUT_WR);
    // Until it has closed it.
    EXPECT_TRUE(Eventually([&] {
      char buffer[4096];
      const ssize_t size = recv(bad.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      return size == 0 || (size < 0 && errno != EAGAIN);
    }));
  }
  gate().Answer(id, "");
  EXPECT_TRUE(before.Wait().ok());
  EXPECT_TRUE(gate().IsQuiet(absl::ZeroDuration()));
}

// `svnetd --gates`.
class ServedGateParentTest : public ::testing::Test {
 protected:
  ServedGateParentTest() : pid_(LaunchServedGateParent().pid) {}
  ~ServedGateParentTest() override { kill(pid_, SIGKILL); }

  pid_t pid() const { return pid_; }
  GateParentEnd Connect() const {
    auto requests = ConnectGateParent(kGatesSocket);
    EXPECT_TRUE(requests.ok()) << requests.status();
    return GateParentEnd({.pid = pid_, .channel = Channel(*std::move(requests))});
  }

 private:
  const pid_t pid_;
};

TEST_F(ServedGateParentTest, NextSvnetdEndsTheGatesOfTheOneBefore) {
  GateParentEnd first = Connect();
  GateEnd gate = first.Make();
  EXPECT_EQ(gate.Status("NoNewPrivs"), "1");
  GateParentEnd second = Connect();
  GateEnd next = second.Make();
  EXPECT_TRUE(gate.IsClosed());
  EXPECT_TRUE(Ends(gate.pid()));
  EXPECT_EQ(second.last_number(), first.last_number());
  second.Leave();
  EXPECT_TRUE(next.IsClosed());
  Connect().Make();
  EXPECT_FALSE(ChildrenOf(pid()).size() > 1);
}

TEST_F(ServedGateParentTest, OnlyRootHasGatesMade) {
  GateParentEnd root = Connect();
  GateEnd gate = root.Make();
  const pid_t other = fork();
  if (other == 0) {
    if (setresuid(1000, 1000, 1000) != 0) _exit(2);
    const auto requests = ConnectGateParent(kGatesSocket);
    if (!requests.ok()) _exit(3);
    pollfd ready = {.fd = requests->get(), .events = POLLIN};
    char nothing = 0;
    _exit(poll(&ready, 1, 20'000) == 1 && read(requests->get(), &nothing, 1) == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
  // And root's are as before.
  CallUnderWay call(gate.Connect());
  gate.Answer(gate.Next(MessageKind::kCall).id, "");
  EXPECT_TRUE(call.Wait().ok());
}

TEST_F(ServedGateParentTest, GatesEndWithIt) {
  GateParentEnd parent = Connect();
  GateEnd gate = parent.Make();
  kill(pid(), SIGTERM);
  EXPECT_TRUE(Ends(pid()));
  EXPECT_TRUE(gate.IsClosed());
  EXPECT_TRUE(Ends(gate.pid()));
}

class ManyProcessorsTest : public ::testing::Test {
 protected:
  static constexpr char kPossible[] = "/sys/devices/system/cpu/possible";

  ManyProcessorsTest() {
    std::ofstream("/mnt/possible") << "0-63\n";
    EXPECT_EQ(mount("/mnt/possible", kPossible, nullptr, MS_BIND, nullptr), 0);
  }
  ~ManyProcessorsTest() override { umount2(kPossible, MNT_DETACH); }
};

TEST_F(ManyProcessorsTest, GateHasSixteenThreadsAtMost) {
  ASSERT_EQ(get_nprocs_conf(), 64);  // which is not asked by way of sysconf(3)
  GateEnd gate(LaunchBareGate());
  const absl::Cleanup end = [&] { kill(gate.pid(), SIGKILL); };
  gate.Next(MessageKind::kReady);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 64; ++i) channels.push_back(gate.Connect(i));
  int most = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<CallUnderWay>> calls;
    for (const auto& channel : channels) {
      for (int i = 0; i < 4; ++i) calls.push_back(std::make_unique<CallUnderWay>(channel));
    }
    for (size_t i = 0; i < calls.size(); ++i) {
      gate.Answer(gate.Next(MessageKind::kCall).id, "");
      if (i % 16 == 0) most = std::max(most, std::stoi(gate.Status("Threads")));
    }
    for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
  }
  EXPECT_LE(most, 16);
  RecordProperty("threads", most);
  EXPECT_GT(most, 2);
}

}  // namespace
}  // namespace svnet::testing

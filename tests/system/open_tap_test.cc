// TAPs as open descriptors: what is said on tap.sock.
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/doctor/frames.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"
#include "tests/eventually.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_connection.h"
#include "tests/system/tap_holder.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

using Answer = TapConnection::Answer;

constexpr size_t kHeader = 10;  // virtio_net_hdr

std::string NameOf(const UniqueFd& queue) {
  ifreq request = {};
  return ioctl(queue.get(), TUNGETIFF, &request) == 0 ? request.ifr_name : "";
}

// Whether the gateway answers a guest that has this queue.
bool ReachesGateway(const UniqueFd& queue, const v1::Tap& tap) {
  const MacAddress mac = *MacAddress::Parse(tap.mac());
  const std::string question = client::Arp({.operation = client::ArpOperation::kRequest,
                                            .sender_mac = mac,
                                            .sender_ip = *Ipv4Address::Parse(tap.guest_ip()),
                                            .target_ip = *Ipv4Address::Parse(tap.gateway_ip())});
  const std::string bytes = std::string(kHeader, '\0') +
                            client::Ethernet(client::kBroadcast, mac, client::kArpType, question);
  return Eventually([&] {
    if (write(queue.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      return false;
    }
    pollfd readable = {.fd = queue.get(), .events = POLLIN, .revents = 0};
    std::array<char, 2048> frame;
    while (poll(&readable, 1, 100) == 1) {
      const ssize_t size = read(queue.get(), frame.data(), frame.size());
      const bool is_arp = size > static_cast<ssize_t>(kHeader) + 21 &&
                          frame[kHeader + 12] == 0x08 && frame[kHeader + 13] == 0x06;
      if (is_arp && frame[kHeader + 21] == 2) return true;
    }
    return false;
  });
}

class OpenTapTest : public SystemTest {
 protected:
  Answer Open(const Daemon& svnetd, uid_t uid, const std::string& tap_name) {
    return TapConnection(svnetd.socket(), Member(uid)).Open(tap_name);
  }
  static v1::CreateTapRequest WithQueues(const std::string& vm, uint32_t queues) {
    v1::CreateTapRequest request;
    request.set_vm_id(vm);
    request.set_iface_id("eth0");
    request.set_queues(queues);
    return request;
  }
};

using OpenTapOnKindTest = OnEachKind<OpenTapTest>;
INSTANTIATE_TEST_SUITE_P(Kinds, OpenTapOnKindTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(OpenTapOnKindTest, HandsTheOwnerAQueueThatWorksAndKeepsNone) {
  const Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  {
    const Answer answer = Open(svnetd, kAlice, tap.tap_name());
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    ASSERT_EQ(answer.queues.size(), 1u);
    EXPECT_EQ(NameOf(answer.queues[0]), tap.tap_name());
    EXPECT_TRUE(ReachesGateway(answer.queues[0], tap));
    EXPECT_TRUE(Eventually([&] { return alice.MustGet(tap.tap_name()).attached(); }));
  }
  EXPECT_TRUE(Eventually([&] { return !alice.MustGet(tap.tap_name()).attached(); }));
  // Nor does the kernel take it for held.
  EXPECT_TRUE(Open(svnetd, kAlice, tap.tap_name()).status.ok());
}

// As a container has it: neither /dev/net/tun nor the host's network.
TEST_P(OpenTapOnKindTest, HandsItToACallerInAnotherNetworkNamespace) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    const Answer answer = Open(svnetd, kAlice, tap.tap_name());
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    ASSERT_EQ(answer.queues.size(), 1u);
    EXPECT_TRUE(ReachesGateway(answer.queues[0], tap));
  }).join();
}

// The descriptor is its holder's, and the TAP is that of the next svnetd.
TEST_P(OpenTapOnKindTest, OutlivesSvnetd) {
  auto svnetd = std::unique_ptr<Daemon>(new Daemon(Start()));
  const v1::Tap tap = Client(svnetd->socket(), Member(kAlice)).MustCreate("vm1");
  const Answer answer = Open(*svnetd, kAlice, tap.tap_name());
  ASSERT_EQ(answer.queues.size(), 1u) << answer.status.error_message();
  for (const int signal : {SIGKILL, SIGTERM}) {
    svnetd->Stop(signal);
    svnetd.reset();
    svnetd.reset(new Daemon(Start()));
    EXPECT_TRUE(ReachesGateway(answer.queues[0], tap));
    EXPECT_TRUE(Client(svnetd->socket(), Member(kAlice)).MustGet(tap.tap_name()).attached());
    EXPECT_EQ(ReasonOf(Open(*svnetd, kAlice, tap.tap_name()).status), "TAP_ATTACHED");
  }
}

// Who is gone before the answer costs svnetd no descriptor, and nobody a turn.
TEST_F(OpenTapTest, WhoAsksAndLeavesLeavesNothingOpen) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const v1::Tap bobs = Client(svnetd.socket(), Member(kBob)).MustCreate("vm1");
  v1::OpenTapRequest request;
  request.set_tap_name(tap.tap_name());
  for (int i = 0; i < 500; ++i) {
    TapConnection(svnetd.socket(), Member(kAlice)).TrySend(request.SerializeAsString());
  }
  EXPECT_TRUE(Open(svnetd, kBob, bobs.tap_name()).status.ok());
  EXPECT_TRUE(Eventually([&] { return Open(svnetd, kAlice, tap.tap_name()).status.ok(); }));
  const std::string left = absl::StrCat("ss -xa | grep 'ESTAB.*tap.sock'; readlink /proc/",
                                        svnetd.pid(), "/fd/* | grep net/tun");
  EXPECT_TRUE(Eventually([&] { return ShellExitCode(left) == 1; }));
}

TEST_F(OpenTapTest, FindsTheLeaseByItsIdsToo) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  v1::OpenTapRequest request;
  request.set_vm_id("vm1");
  request.set_iface_id("eth0");
  const TapConnection own(svnetd.socket(), Member(kAlice));
  own.Ask(request);
  const Answer answer = own.Take();
  ASSERT_EQ(answer.queues.size(), 1u) << answer.status.error_message();
  EXPECT_EQ(NameOf(answer.queues[0]), tap.tap_name());
}

TEST_F(OpenTapTest, AnothersTapLooksLikeNone) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const Answer absent = Open(svnetd, kBob, "svvm2eth0");
  const Answer anothers = Open(svnetd, kBob, tap.tap_name());
  EXPECT_EQ(ReasonOf(absent.status), "TAP_NOT_FOUND");
  EXPECT_EQ(ReasonOf(anothers.status), "TAP_NOT_FOUND");
  EXPECT_EQ(anothers.status.error_message(), absl::StrCat("there is no TAP ", tap.tap_name()));
  EXPECT_TRUE(anothers.queues.empty());
  v1::OpenTapRequest request;
  request.set_vm_id("vm1");
  request.set_iface_id("eth0");
  request.set_owner_uid(kAlice);
  const TapConnection bob(svnetd.socket(), Member(kBob));
  bob.Ask(request);
  EXPECT_EQ(ReasonOf(bob.Take().status), "PERMISSION_DENIED");
  // No link of the host's is opened or made either.
  EXPECT_EQ(ReasonOf(Open(svnetd, 0, "svbr0").status), "TAP_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Open(svnetd, 0, "tap7").status), "TAP_NOT_FOUND");
  EXPECT_EQ(Shell("ip -o link show tap7 2>/dev/null || true"), "");
  const Answer by_root = Open(svnetd, 0, tap.tap_name());
  EXPECT_TRUE(by_root.status.ok()) << by_root.status.error_message();
}

TEST_F(OpenTapTest, SaysThatAProcessHasTheTapOpen) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  auto holder = std::make_unique<TapHolder>(tap, kAlice, 1);
  const Answer answer = Open(svnetd, kAlice, tap.tap_name());
  EXPECT_EQ(ReasonOf(answer.status), "TAP_ATTACHED");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  holder.reset();
  const Answer again = Open(svnetd, kAlice, tap.tap_name());
  EXPECT_TRUE(again.status.ok()) << again.status.error_message();
}

TEST_F(OpenTapTest, HandsOutAllQueuesThatWereGrantedAndNoMore) {
  const Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  for (const uint32_t queues : {2u, 253u, 254u, 256u}) {
    SCOPED_TRACE(queues);
    const v1::Tap tap = alice.MustCreate(WithQueues(absl::StrCat("vm", queues), queues));
    {
      const Answer answer = Open(svnetd, kAlice, tap.tap_name());
      ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
      ASSERT_EQ(answer.queues.size(), queues);
      for (const UniqueFd& each : answer.queues) EXPECT_EQ(NameOf(each), tap.tap_name());
      EXPECT_EQ(ReasonOf(Open(svnetd, kAlice, tap.tap_name()).status), "TAP_ATTACHED");
    }
    EXPECT_TRUE(alice.MustRemove(tap.tap_name()));
  }
}

// A guest that is restored begins with what its VMM sets, and not with what another has left.
TEST_F(OpenTapTest, ResetsWhatTheLastHolderHasSet) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const auto offloads = [&](const UniqueFd& socket) {
    ethtool_value value = {.cmd = ETHTOOL_GTSO, .data = 0};
    ifreq request = {};
    std::strncpy(request.ifr_name, tap.tap_name().c_str(), IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    EXPECT_EQ(ioctl(socket.get(), SIOCETHTOOL, &request), 0);
    return value.data;
  };
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  {
    const TapHolder holder(tap, kAlice, 1);
    int header = 12;
    int buffer = 1000;
    int little_endian = 1;
    ASSERT_EQ(holder.Control(TUNSETVNETHDRSZ, &header), 0);
    ASSERT_EQ(holder.Control(TUNSETSNDBUF, &buffer), 0);
    ASSERT_EQ(holder.Control(TUNSETVNETLE, &little_endian), 0);
    ASSERT_EQ(holder.Control(TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
    // A tun_filter: its flags, the number of addresses, and one.
    std::array<uint8_t, 10> one = {0, 0, 1, 0, 2, 0, 0, 0, 0, 99};
    holder.Control(TUNSETTXFILTER, one.data());  // what it answers is how many it compares
    EXPECT_NE(offloads(socket), 0u);
  }
  const Answer answer = Open(svnetd, kAlice, tap.tap_name());
  ASSERT_EQ(answer.queues.size(), 1u) << answer.status.error_message();
  const int fd = answer.queues[0].get();
  int value = 0;
  EXPECT_EQ(ioctl(fd, TUNGETVNETHDRSZ, &value), 0);
  EXPECT_EQ(value, static_cast<int>(kHeader));
  EXPECT_EQ(ioctl(fd, TUNGETSNDBUF, &value), 0);
  EXPECT_EQ(value, INT_MAX);
  EXPECT_EQ(ioctl(fd, TUNGETVNETLE, &value), 0);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(offloads(socket), 0u);
  // The filter would let no answer of the gateway's through.
  EXPECT_TRUE(ReachesGateway(answer.queues[0], tap));
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(OpenTapTest, AnswersEveryPacketThatIsNoRequest) {
  const Daemon svnetd = Start();
  const auto reason = [&](const std::string& packet) {
    const TapConnection connection(svnetd.socket(), Member(kAlice));
    connection.Send(packet);
    return ReasonOf(connection.Take().status);
  };
  EXPECT_EQ(reason("no protobuf message"), "INVALID_REQUEST");
  EXPECT_EQ(reason(std::string(2000, 'a')), "INVALID_REQUEST");
  EXPECT_EQ(reason("\x0a\x02\xff\xff"), "INVALID_ID");
  v1::OpenTapRequest both;
  both.set_tap_name("svvm1eth0");
  both.set_vm_id("vm1");
  EXPECT_EQ(reason(both.SerializeAsString()), "INVALID_REQUEST");
  // Neither.
  const TapConnection nothing(svnetd.socket(), Member(kAlice));
  nothing.Send("");
  EXPECT_EQ(ReasonOf(nothing.Take().status), "INVALID_REQUEST");
}

TEST_F(OpenTapTest, ClosesOnThoseWhoDoNotAsk) {
  const Daemon svnetd = Start();
  const TapConnection silent(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(silent.Take().status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(OpenTapTest, TellsThoseWhoAreRefusedWhy) {
  const Daemon svnetd = Start({}, "[callers]\nallow_users = [\"1000\"]\n");
  const v1::Tap tap = Client(svnetd.socket(), kAlice).MustCreate("vm1");
  const auto open = [&](uid_t uid) {
    return TapConnection(svnetd.socket(), {.uid = uid, .gid = uid, .groups = {}})
        .Open(tap.tap_name());
  };
  const Answer bob = open(kBob);
  EXPECT_EQ(ReasonOf(bob.status), "PERMISSION_DENIED");
  EXPECT_TRUE(bob.queues.empty());
  const Answer alice = open(kAlice);
  EXPECT_TRUE(alice.status.ok()) << alice.status.error_message();
}

// What nobody takes stays open in the kernel, which lets svnetd send only so many.
TEST_F(OpenTapTest, WhoTakesNothingKeepsNobodyElseOut) {
  const Daemon svnetd = Start({}, "[limits]\nqueues_per_user = 1024\n");
  Client alice(svnetd.socket(), Member(kAlice));
  std::vector<TapConnection> untaken;
  for (int i = 0; i < 2; ++i) {
    const v1::Tap tap = alice.MustCreate(WithQueues(absl::StrCat("vm", i), 256));
    untaken.emplace_back(svnetd.socket(), Member(kAlice));
    untaken.back().Ask(tap.tap_name());
    EXPECT_TRUE(Eventually([&] { return alice.MustGet(tap.tap_name()).attached(); }));
  }
  const v1::Tap more = alice.MustCreate("more");
  EXPECT_TRUE(Eventually(
      [&] { return ReasonOf(Open(svnetd, kAlice, more.tap_name()).status) == "QUOTA_EXCEEDED"; }));
  const v1::Tap bobs = Client(svnetd.socket(), Member(kBob)).MustCreate("vm1");
  const Answer bob = Open(svnetd, kBob, bobs.tap_name());
  EXPECT_TRUE(bob.status.ok()) << bob.status.error_message();
  // What is taken late counts no more.
  EXPECT_EQ(untaken.back().Take().queues.size(), 256u);
  EXPECT_TRUE(Eventually([&] { return Open(svnetd, kAlice, more.tap_name()).status.ok(); }));
}

TEST_F(OpenTapTest, AUidHasNoMoreConnectionsThanItNeeds) {
  const Daemon svnetd = Start();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  std::vector<TapConnection> silent;
  for (int i = 0; i < 16; ++i) silent.emplace_back(svnetd.socket(), Member(kAlice));
  const Answer answer = Open(svnetd, kAlice, tap.tap_name());
  EXPECT_EQ(ReasonOf(answer.status), "QUOTA_EXCEEDED");
  const v1::Tap bobs = Client(svnetd.socket(), Member(kBob)).MustCreate("vm1");
  EXPECT_TRUE(Open(svnetd, kBob, bobs.tap_name()).status.ok());
  silent.clear();
  EXPECT_TRUE(Eventually([&] { return Open(svnetd, kAlice, tap.tap_name()).status.ok(); }));
}

// A guest's descriptor is of no more use when its lease has ended.
TEST_F(OpenTapTest, TheLeasesEndCutsOffWhoeverHasTheQueue) {
  const Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  const Answer answer = Open(svnetd, kAlice, tap.tap_name());
  ASSERT_EQ(answer.queues.size(), 1u) << answer.status.error_message();
  EXPECT_TRUE(alice.MustRemove(tap.tap_name()));
  const char byte = 0;
  EXPECT_TRUE(
      Eventually([&] { return write(answer.queues[0].get(), &byte, 1) < 0 && errno == EBADFD; }));
}

}  // namespace
}  // namespace svnet::testing

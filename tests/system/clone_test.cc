// Guests that were restored from one snapshot: all believe that they have the same address, MAC and
// gateway.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/clones.h"
#include "tests/system/pinging.h"
#include "tests/system/spec_files.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/tap_holder.h"
#include "tests/system/three_guests.h"
#include "tests/system/udp.h"
#include "tests/test_run.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Ipv4Address kOutside(0xcb007101);
constexpr uint16_t kServerPort = 7777;
constexpr uint16_t kClientPort = 40000;  // of all clones: UdpFields
constexpr char kStateDir[] = "/run/svnet/state-svbr0";

uint32_t NumberAt(absl::string_view bytes, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

// The Internet checksum of all of that, which is 0 if one in it is right.
uint16_t Sum(absl::string_view bytes, uint32_t sum = 0) {
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += NumberAt(bytes, i, 1) << 8 | (i + 1 < bytes.size() ? NumberAt(bytes, i + 1, 1) : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// An IPv4 packet without options.
class Packet {
 public:
  explicit Packet(absl::string_view bytes) : bytes_(bytes) {}
  static Packet In(absl::string_view frame) {
    const absl::string_view rest = frame.substr(14);
    return Packet(rest.substr(0, NumberAt(rest, 2, 2)));
  }

  Ipv4Address source() const { return Ipv4Address(NumberAt(bytes_, 12, 4)); }
  Ipv4Address destination() const { return Ipv4Address(NumberAt(bytes_, 16, 4)); }
  int protocol() const { return static_cast<int>(NumberAt(bytes_, 9, 1)); }
  absl::string_view payload() const { return bytes_.substr(20); }
  // What an ICMP error quotes.
  Packet quoted() const { return Packet(payload().substr(8)); }
  int icmp_type() const { return static_cast<int>(NumberAt(payload(), 0, 1)); }

  bool HeaderIsWhole() const { return Sum(bytes_.substr(0, 20)) == 0; }
  bool IsWhole() const {
    if (!HeaderIsWhole()) return false;
    if (protocol() == IPPROTO_ICMP) return Sum(payload()) == 0;
    // With the pseudo header; a datagram may have none.
    if (protocol() == IPPROTO_UDP && NumberAt(payload(), 6, 2) == 0) return true;
    uint32_t sum = static_cast<uint32_t>(protocol()) + static_cast<uint32_t>(payload().size());
    for (const size_t at : {12, 14, 16, 18}) sum += NumberAt(bytes_, at, 2);
    return Sum(payload(), sum) == 0;
  }

 private:
  absl::string_view bytes_;
};

// A server on the internet that sends back what it gets, until it has sent so much.
class Echo {
 public:
  Echo(const Internet& internet, int count) {
    thread_ = std::thread([this, &internet, count] {
      const UniqueFd place(open(internet.namespace_file().c_str(), O_RDONLY | O_CLOEXEC));
      EXPECT_EQ(setns(place.get(), CLONE_NEWNET), 0);
      const UniqueFd server(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(kServerPort)};
      EXPECT_EQ(bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                0);
      const timeval patience = {.tv_sec = 20};
      setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      listening_ = true;
      for (int i = 0; i < count && Answer(server); ++i) {
      }
    });
    EXPECT_TRUE(Eventually([&] { return listening_.load(); }));
  }
  ~Echo() { thread_.join(); }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

 private:
  static bool Answer(const UniqueFd& server) {
    char text[2000];
    sockaddr_in from = {};
    socklen_t size = sizeof(from);
    const ssize_t got =
        recvfrom(server.get(), text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return false;
    return sendto(server.get(), text, static_cast<size_t>(got), 0,
                  reinterpret_cast<const sockaddr*>(&from), size) == got;
  }

  std::atomic<bool> listening_ = false;
  std::thread thread_;
};

class CloneTest : public SystemTest {
 protected:
  Guests guests() const override { return {NetworkKind::kRouted, /*clones=*/true}; }

  void Begin(const std::vector<std::string>& flags = {}) {
    svnetd_.reset(new Daemon(Start(flags)));
    alice_.emplace(svnetd_->socket(), Member(kAlice));
    bob_.emplace(svnetd_->socket(), Member(kBob));
  }
  v1::Tap Clone(const std::string& vm) { return alice_->MustCreate(CloneRequest(vm)); }

  // Their types.
  std::vector<std::string> Conditions() {
    std::vector<std::string> types;
    const v1::GetNetworkResponse network = Client(svnetd().socket(), Member(0)).MustGetNetwork();
    for (const auto& each : network.conditions()) {
      types.push_back(each.type());
    }
    return types;
  }

  Daemon& svnetd() { return *svnetd_; }
  Client& alice() { return *alice_; }
  Client& bob() { return *bob_; }

  // The packets that have come, and no frames of other types.
  static std::vector<std::string> PacketsTo(const TapGuest& guest) {
    std::vector<std::string> packets;
    for (const Frame& frame : guest.Receive()) {
      if (NumberAt(frame, 12, 2) == kIpv4Type) packets.push_back(frame);
    }
    return packets;
  }

 private:
  std::unique_ptr<Daemon> svnetd_;
  std::optional<Client> alice_;
  std::optional<Client> bob_;
};

TEST_F(CloneTest, ReachesTheHostAndTheInternetAsItsSnapshotKnewThem) {
  const Internet internet;
  Begin();
  const v1::Tap tap = Clone("vm1");
  EXPECT_EQ(tap.guest_ip(), "172.30.0.2");
  EXPECT_EQ(tap.guest_view().SerializeAsString(), TheView().SerializeAsString());
  const TapGuest one(tap);
  const TapGuest two(Clone("vm2"));
  EXPECT_EQ(one.ip(), two.ip());
  EXPECT_EQ(one.gateway_mac(), Mac("02:fc:00:00:00:05"));
  for (const TapGuest* each : {&one, &two}) {
    EXPECT_TRUE(each->Pings(each->gateway()));
    EXPECT_TRUE(each->Pings(kOutside));
  }
  EXPECT_THAT(alice().MustGetNetwork().conditions(), IsEmpty());
}

// All from the same port, and to the same.
TEST_F(CloneTest, EachGetsTheAnswersToItsOwnQuestions) {
  const Internet internet;
  Begin();
  constexpr int kClones = 20;
  std::vector<std::unique_ptr<TapGuest>> clones;
  for (int i = 0; i < kClones; ++i) {
    clones.push_back(std::make_unique<TapGuest>(Clone(absl::StrCat("vm", i))));
  }
  const Echo echo(internet, kClones);
  for (int i = 0; i < kClones; ++i) {
    clones[i]->Receive();
    clones[i]->Send(clones[i]->gateway_mac(), kIpv4Type,
                    Udp({.from = clones[i]->ip(), .to = kOutside, .to_port = kServerPort},
                        absl::StrCat("question ", i, ".")));
  }
  for (int i = 0; i < kClones; ++i) {
    std::vector<std::string> answers;
    EXPECT_TRUE(Eventually([&] {
      answers = PacketsTo(*clones[i]);
      return !answers.empty();
    })) << i;
    for (const std::string& frame : answers) {
      EXPECT_THAT(frame, HasSubstr(absl::StrCat("question ", i, ".")));
      EXPECT_TRUE(Packet::In(frame).IsWhole());
      EXPECT_EQ(Packet::In(frame).destination(), Ip("10.0.0.2"));
      EXPECT_EQ(Packet::In(frame).source(), kOutside);
    }
  }
}

// The host knows it by its lease's address, and is its gateway to it.
TEST_F(CloneTest, IsReachedByTheHostAtTheAddressOfItsLease) {
  Begin();
  const TapGuest clone(Clone("vm1"));
  const HostPortListener host(9999);
  host.Send(Ip("172.30.0.2"), "hello clone");
  std::vector<std::string> packets;
  ASSERT_TRUE(Eventually([&] { return !(packets = PacketsTo(clone)).empty(); }));
  const Packet packet = Packet::In(packets[0]);
  EXPECT_EQ(packet.source(), Ip("10.0.0.1"));
  EXPECT_EQ(packet.destination(), Ip("10.0.0.2"));
  EXPECT_TRUE(packet.IsWhole());
  EXPECT_THAT(packets[0], HasSubstr("hello clone"));
  EXPECT_EQ(packets[0].substr(0, 6), std::string("\x06\x00\xac\x10\x00\x02", 6));
  clone.Send(clone.gateway_mac(), kIpv4Type,
             Udp({.from = clone.ip(), .to = clone.gateway()}, "hello host"));
  EXPECT_TRUE(Eventually([&] { return host.HasReceived("hello host"); }));
}

TEST_F(CloneTest, ReachesItsOwnersCloneByTheAddressOfTheLeaseAndNobodyElsesByAny) {
  Begin();
  const TapGuest one(Clone("vm1"));
  const TapGuest two(Clone("vm2"));
  const v1::Tap bobs = bob().MustCreate(CloneRequest("vm3"));
  const TapGuest other(bobs);
  const v1::Tap plain_tap = alice().MustCreate("vm4");
  const TapGuest plain(plain_tap);
  const auto send = [&](Ipv4Address to) {
    one.Send(one.gateway_mac(), kIpv4Type, Udp({.from = one.ip(), .to = to}, kMark));
  };
  send(Ip("172.30.0.3"));
  std::vector<std::string> packets = PacketsTo(two);
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(Packet::In(packets[0]).source(), Ip("172.30.0.2"));
  EXPECT_EQ(Packet::In(packets[0]).destination(), Ip("10.0.0.2"));
  EXPECT_TRUE(Packet::In(packets[0]).IsWhole());
  send(Ip(plain_tap.guest_ip()));
  packets = PacketsTo(plain);
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(Packet::In(packets[0]).source(), Ip("172.30.0.2"));
  for (const Ipv4Address to : {Ip(bobs.guest_ip()), Ip("10.0.0.2"), Ip("10.0.0.3"),
                               Ip("172.30.0.255"), Ip("255.255.255.255")}) {
    send(to);
  }
  EXPECT_THAT(PacketsTo(other), IsEmpty());
}

TEST_F(CloneTest, CannotSendWithAnyOtherAddress) {
  const Internet internet;
  Begin();
  const TapGuest one(Clone("vm1"));
  const TapGuest two(Clone("vm2"));
  int dropped = Counter("inet", "foreign_address");
  for (const char* from : {"172.30.0.2", "172.30.0.3", "172.30.0.1", "10.0.0.3", "10.0.0.1",
                           "0.0.0.0", "127.0.0.1", "203.0.113.2", "203.0.113.1"}) {
    one.Send(one.gateway_mac(), kIpv4Type, Udp({.from = Ip(from), .to = kOutside}, kMark));
    EXPECT_EQ(Counter("inet", "foreign_address"), ++dropped) << from;
    one.Send(one.gateway_mac(), kIpv4Type, Udp({.from = Ip(from), .to = Ip("172.30.0.3")}, kMark));
    EXPECT_EQ(Counter("inet", "foreign_address"), ++dropped) << from;
  }
  EXPECT_THAT(PacketsTo(two), IsEmpty());
}

// Nobody has its address but itself, whoever else has it.
TEST_F(CloneTest, IsNotToldThatAnotherHasItsAddress) {
  Begin({"--subnet=10.0.0.0/24"});
  // These have what its snapshot knew.
  alice().MustCreate("vm1");
  alice().MustCreate("vm2");
  v1::CreateTapRequest request = CloneRequest("vm3");
  const TapGuest clone(alice().MustCreate(request));
  const auto is_answered = [&](Ipv4Address sender, Ipv4Address target) {
    clone.Receive();
    clone.Send(kBroadcast, kArpType,
               Arp({.operation = ArpOperation::kRequest,
                    .sender_mac = clone.mac(),
                    .sender_ip = sender,
                    .target_ip = target}));
    return !clone.Receive().empty();
  };
  EXPECT_FALSE(is_answered(clone.ip(), clone.ip()));
  EXPECT_FALSE(is_answered(Ip("0.0.0.0"), clone.ip()));
  EXPECT_TRUE(is_answered(clone.ip(), clone.gateway()));
  EXPECT_TRUE(is_answered(clone.ip(), Ip("10.0.0.3")));
}

TEST_F(CloneTest, IsOnRoutedNetworksOnly) {
  const Daemon svnetd(folder(), {kSocketGroupFlag});
  Client alice(svnetd.socket(), Member(kAlice));
  const auto answer = alice.Create(CloneRequest("vm1"));
  EXPECT_EQ(ReasonOf(answer.status), "INVALID_REQUEST");
  EXPECT_THAT(answer.status.error_message(), HasSubstr("guest_view"));
  EXPECT_THAT(alice.MustList(), IsEmpty());
}

TEST_F(CloneTest, IsAskedForAgainWithItsViewOrWithout) {
  Begin();
  const v1::Tap tap = Clone("vm1");
  EXPECT_EQ(Clone("vm1").tap_name(), tap.tap_name());
  v1::CreateTapRequest request = CloneRequest("vm1");
  request.clear_guest_view();
  EXPECT_EQ(alice().MustCreate(request).guest_view().address(), "10.0.0.2");
  request = CloneRequest("vm1");
  request.mutable_guest_view()->set_address("10.0.0.3");
  EXPECT_EQ(ReasonOf(alice().Create(request).status), "LEASE_CONFLICT");
  alice().MustCreate("vm2");
  EXPECT_EQ(ReasonOf(alice().Create(CloneRequest("vm2")).status), "LEASE_CONFLICT");
}

// An ICMP error that quotes `packet`.
std::string Refusal(Ipv4Address from, Ipv4Address to, absl::string_view packet) {
  std::string error = absl::StrCat(std::string("\x03\x03\0\0\0\0\0\0", 8), packet.substr(0, 28));
  const uint16_t sum = Sum(error);
  error[2] = static_cast<char>(sum >> 8);
  error[3] = static_cast<char>(sum);
  return client::Ipv4Packet(IPPROTO_ICMP, from, to, error);
}

class CloneErrorTest : public CloneTest {
 protected:
  // The error that comes to what the clone sends.
  static std::string ErrorTo(const TapGuest& clone, const std::string& packet) {
    clone.Receive();
    clone.Send(clone.gateway_mac(), kIpv4Type, packet);
    std::vector<std::string> frames;
    EXPECT_TRUE(Eventually([&] { return !(frames = PacketsTo(clone)).empty(); }));
    return frames.empty() ? std::string(100, '\0') : frames[0];
  }
  static std::string TestPacket(Ipv4Address to, size_t size = 20,
                                Ipv4Address from = Ip("10.0.0.2")) {
    return Udp({.from = from, .to = to, .to_port = 9}, std::string(size, 'x'));
  }
  // It quotes what the clone has sent, as the clone has sent it.
  static void ExpectQuotes(const std::string& frame, Ipv4Address to,
                           Ipv4Address from = Ip("10.0.0.2")) {
    const Packet error = Packet::In(frame);
    ASSERT_EQ(error.protocol(), IPPROTO_ICMP);
    EXPECT_TRUE(error.IsWhole());
    EXPECT_EQ(error.destination(), from);
    EXPECT_EQ(error.quoted().source(), from);
    EXPECT_EQ(error.quoted().destination(), to);
    EXPECT_TRUE(error.quoted().HeaderIsWhole());
  }
  // The host's own socket hears of it, so it was whole, and quoted what the host has sent.
  static void ExpectIsRefusedBy(const TapGuest& clone) {
    const UniqueFd host(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = {.sin_family = AF_INET,
                                 .sin_port = htons(9999),
                                 .sin_addr = {.s_addr = htonl(Ip("172.30.0.2").value())}};
    ASSERT_EQ(connect(host.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    clone.Receive();
    ASSERT_EQ(send(host.get(), "x", 1, 0), 1);
    const std::vector<std::string> asked = PacketsTo(clone);
    ASSERT_EQ(asked.size(), 1u);
    clone.Send(clone.gateway_mac(), kIpv4Type,
               Refusal(clone.ip(), clone.gateway(), absl::string_view(asked[0]).substr(14)));
    EXPECT_TRUE(Eventually([&] {
      char byte = 0;
      return recv(host.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED;
    }));
  }
};

TEST_F(CloneErrorTest, OfItsGatewayQuotesWhatItHasSent) {
  Begin();
  const TapGuest clone(Clone("vm1"));
  const std::string frame = ErrorTo(clone, TestPacket(clone.gateway()));
  ExpectQuotes(frame, clone.gateway());
  EXPECT_EQ(Packet::In(frame).source(), clone.gateway());
  EXPECT_EQ(Packet::In(frame).icmp_type(), 3);
}

// Its gateway has an address that is another guest's here, and so has it itself.
TEST_F(CloneErrorTest, OfAGatewayAmongThisNetworksGuestsQuotesWhatItHasSent) {
  const Internet internet;
  Begin();
  v1::CreateTapRequest request = CloneRequest("vm1");
  request.mutable_guest_view()->set_address("172.30.0.3");
  request.mutable_guest_view()->set_gateway("172.30.0.4");
  const TapGuest clone(alice().MustCreate(request));
  const TapGuest plain(alice().MustCreate("vm2"));
  const TapGuest other(alice().MustCreate("vm3"));
  const TapGuest third(Clone("vm4"));
  ASSERT_EQ(plain.ip(), clone.ip());
  ASSERT_EQ(other.ip(), clone.gateway());
  EXPECT_TRUE(clone.Pings(clone.gateway()));
  EXPECT_TRUE(clone.Pings(kOutside));
  const std::string frame = ErrorTo(clone, TestPacket(clone.gateway(), 20, clone.ip()));
  ExpectQuotes(frame, clone.gateway(), clone.ip());
  EXPECT_EQ(Packet::In(frame).source(), clone.gateway());
  ExpectIsRefusedBy(clone);
  EXPECT_THAT(PacketsTo(other), IsEmpty());
  // Nor are the others kept from each other.
  for (const TapGuest* each : {&plain, &third}) {
    each->Send(each->gateway_mac(), kIpv4Type, Udp({.from = each->ip(), .to = other.ip()}, kMark));
    EXPECT_EQ(PacketsTo(other).size(), 1u);
  }
}

TEST_F(CloneErrorTest, OfTheInternetQuotesWhatItHasSent) {
  const Internet internet;
  Begin();
  const TapGuest clone(Clone("vm1"));
  const std::string frame = ErrorTo(clone, TestPacket(kOutside));
  ExpectQuotes(frame, kOutside);
  EXPECT_EQ(Packet::In(frame).source(), kOutside);
}

TEST_F(CloneErrorTest, TellsItTheMtuOfTheWay) {
  const Internet internet(1280);
  Begin();
  const TapGuest clone(Clone("vm1"));
  std::string packet = TestPacket(kOutside, 1400);
  packet[6] = 0x40;  // not to be taken apart
  const std::string frame = ErrorTo(clone, WithHeaderChecksum(packet));
  ExpectQuotes(frame, kOutside);
  const Packet error = Packet::In(frame);
  EXPECT_EQ(error.icmp_type(), 3);
  EXPECT_EQ(NumberAt(error.payload(), 1, 1), 4u);
  EXPECT_EQ(NumberAt(error.payload(), 6, 2), 1280u);
  EXPECT_EQ(error.source(), clone.gateway());
}

TEST_F(CloneErrorTest, ThatAHopHasLeftItNoTimeQuotesWhatItHasSent) {
  const Internet internet;
  Begin();
  const TapGuest clone(Clone("vm1"));
  std::string packet = TestPacket(kOutside);
  packet[8] = 1;
  const std::string frame = ErrorTo(clone, WithHeaderChecksum(packet));
  ExpectQuotes(frame, kOutside);
  EXPECT_EQ(Packet::In(frame).icmp_type(), 11);
}

TEST_F(CloneErrorTest, OfItsOwnIsUnderstoodByTheHost) {
  Begin();
  ExpectIsRefusedBy(TapGuest(Clone("vm1")));
}

// Each of them is turned by itself.
TEST_F(CloneTest, SendsAndGetsDatagramsInFragments) {
  const Internet internet;
  Begin();
  const TapGuest clone(Clone("vm1"));
  const Echo echo(internet, 1);
  const std::string whole =
      Udp({.from = clone.ip(), .to = kOutside, .to_port = kServerPort}, std::string(1600, 'f'));
  const auto fragment = [&](absl::string_view part, uint16_t offset_and_flags) {
    std::string packet = client::Ipv4Packet(IPPROTO_UDP, clone.ip(), kOutside, part);
    packet[4] = packet[5] = '\x07';
    packet[6] = static_cast<char>(offset_and_flags >> 8);
    packet[7] = static_cast<char>(offset_and_flags);
    return WithHeaderChecksum(packet);
  };
  clone.Receive();
  const absl::string_view datagram = absl::string_view(whole).substr(20);
  clone.Send(clone.gateway_mac(), kIpv4Type, fragment(datagram.substr(0, 800), 0x2000));
  clone.Send(clone.gateway_mac(), kIpv4Type, fragment(datagram.substr(800), 100));
  std::vector<std::string> frames;
  EXPECT_TRUE(Eventually([&] {
    for (std::string& frame : PacketsTo(clone)) frames.push_back(std::move(frame));
    return frames.size() >= 2;
  }));
  std::string answer;
  for (const std::string& frame : frames) {
    const Packet packet = Packet::In(frame);
    EXPECT_TRUE(packet.HeaderIsWhole());
    EXPECT_EQ(packet.destination(), clone.ip());
    EXPECT_EQ(packet.source(), kOutside);
    absl::StrAppend(&answer, packet.payload());
  }
  EXPECT_THAT(answer, HasSubstr(std::string(700, 'f')));
  EXPECT_EQ(answer.size(), datagram.size());
  // With the checksum that belongs to the addresses that the clone sees.
  EXPECT_TRUE(Packet(client::Ipv4Packet(IPPROTO_UDP, kOutside, clone.ip(), answer)).IsWhole());
}

// A segment of a connection that the server knows nothing of.
std::string Segment(Ipv4Address from, Ipv4Address to) {
  // Ports, sequence, acknowledgement, length and flags (ACK), window, checksum, urgent.
  std::string tcp("\x9c\x40\x1e\x61\0\0\x10\0\0\0\x20\0\x50\x10\xff\xff\0\0\0\0", 20);
  const std::string packet = client::Ipv4Packet(IPPROTO_TCP, from, to, tcp);
  uint32_t sum = IPPROTO_TCP + static_cast<uint32_t>(tcp.size());
  for (const size_t at : {12, 14, 16, 18}) sum += NumberAt(packet, at, 2);
  const uint16_t checksum = Sum(tcp, sum);
  tcp[16] = static_cast<char>(checksum >> 8);
  tcp[17] = static_cast<char>(checksum);
  return client::Ipv4Packet(IPPROTO_TCP, from, to, tcp);
}

TEST_F(CloneTest, GetsAResetForEachOfItsSnapshotsConnections) {
  const Internet internet;
  Begin();
  std::vector<TapGuest> clones;
  for (int i = 0; i < 5; ++i) clones.emplace_back(Clone(absl::StrCat("vm", i)));
  for (const TapGuest& clone : clones) {
    clone.Receive();
    clone.Send(clone.gateway_mac(), kIpv4Type, Segment(clone.ip(), kOutside));
  }
  for (const TapGuest& clone : clones) {
    std::vector<std::string> frames;
    EXPECT_TRUE(Eventually([&] { return !(frames = PacketsTo(clone)).empty(); }));
    ASSERT_EQ(frames.size(), 1u);
    const Packet packet = Packet::In(frames[0]);
    EXPECT_EQ(packet.protocol(), IPPROTO_TCP);
    EXPECT_TRUE(packet.IsWhole());
    EXPECT_EQ(packet.source(), kOutside);
    EXPECT_NE(NumberAt(packet.payload(), 13, 1) & 4, 0u);
  }
}

// What they say of their address, their gateway's and others', to everybody and to each other.
std::vector<Frame> Claims(const TapGuest& guest, const std::vector<Ipv4Address>& addresses) {
  constexpr uint16_t kRarpType = 0x8035;
  std::vector<Frame> frames;
  for (const Ipv4Address address : addresses) {
    for (const ArpOperation operation : {ArpOperation::kRequest, ArpOperation::kReply}) {
      for (const MacAddress& to : {kBroadcast, guest.gateway_mac()}) {
        const std::string arp = Arp({.operation = operation,
                                     .sender_mac = guest.mac(),
                                     .sender_ip = address,
                                     .target_ip = address});
        frames.push_back(Ethernet(to, guest.mac(), kArpType, arp + kMark));
        frames.push_back(Ethernet(to, guest.mac(), kRarpType, arp + kMark));
      }
    }
  }
  return frames;
}

// Each claims to be the only one, and sends the other what floods it, while both talk to a server.
TEST_F(CloneTest, KeepsItsConnectionsWhileAnotherFightsForItsAddress) {
  const int rounds = Soaks() ? 1'000 : 50;
  const Internet internet;
  Begin();
  const TapGuest alices(Clone("vm1"));
  const TapGuest sisters(Clone("vm2"));
  const TapGuest bobs(bob().MustCreate(CloneRequest("vm3")));
  const std::vector<const TapGuest*> fighters = {&alices, &sisters, &bobs};
  const std::string neighbours = Shell("ip neighbour show nud permanent | sort");
  const Echo echo(internet, rounds * static_cast<int>(fighters.size()));
  const std::vector<Ipv4Address> claimed = {alices.ip(),       alices.gateway(),   Ip("172.30.0.1"),
                                            alices.lease_ip(), sisters.lease_ip(), bobs.lease_ip()};
  // It pretends to be each of these and the server, to each and to the server. As itself it sends
  // to what it takes for its own address alone.
  std::vector<Ipv4Address> parties = claimed;
  parties.push_back(kOutside);
  const auto fight = [&](const TapGuest& guest) {
    for (const Frame& frame : Claims(guest, claimed)) guest.Send(frame);
    for (const Ipv4Address from : parties) {
      for (const Ipv4Address to : parties) {
        if (from == guest.ip() && to != guest.ip()) continue;
        for (const MacAddress& mac : {kBroadcast, guest.mac(), guest.gateway_mac()}) {
          const bool as_server = from == kOutside;
          guest.Send(mac, kIpv4Type,
                     Udp({.from = from,
                          .to = to,
                          .from_port = as_server ? kServerPort : kClientPort,
                          .to_port = as_server ? kClientPort : kServerPort},
                         kMark));
        }
      }
    }
  };
  for (int round = 0; round < rounds; ++round) {
    for (const TapGuest* each : fighters) fight(*each);
    for (size_t i = 0; i < fighters.size(); ++i) {
      fighters[i]->Send(fighters[i]->gateway_mac(), kIpv4Type,
                        Udp({.from = fighters[i]->ip(), .to = kOutside, .to_port = kServerPort},
                            absl::StrCat("question ", round, " of ", i, ".")));
    }
    for (const TapGuest* each : fighters) fight(*each);
    for (size_t i = 0; i < fighters.size(); ++i) {
      std::vector<Frame> all;
      ASSERT_TRUE(Eventually([&] {
        for (Frame& frame : fighters[i]->Receive()) all.push_back(std::move(frame));
        return std::any_of(all.begin(), all.end(), [&](const Frame& frame) {
          return absl::StrContains(frame, absl::StrCat("question ", round, " of ", i, "."));
        });
      })) << round
          << " of " << i;
      for (const Frame& frame : all) {
        EXPECT_FALSE(absl::StrContains(frame, kMark)) << "a fighter's frame came to " << i;
        if (absl::StrContains(frame, "question")) {
          EXPECT_THAT(frame, HasSubstr(absl::StrCat("of ", i, ".")));
        }
      }
    }
  }
  EXPECT_EQ(Shell("ip neighbour show nud permanent | sort"), neighbours);
  EXPECT_THAT(Conditions(), IsEmpty());
}

// Not with its MAC, and not by what it says in ARP: what is for a lease goes by its TAP.
TEST_F(CloneTest, GetsNothingThatIsForAnotherByClaimingItsMacOrItsAddress) {
  Begin();
  const TapGuest mallory(Clone("vm1"));
  const TapGuest clone(bob().MustCreate(CloneRequest("vm2")));
  const TapGuest plain(bob().MustCreate("vm3"));
  const HostPortListener host(9999);
  const std::string neighbours = Shell("ip neighbour show nud permanent | sort");
  for (const TapGuest* victim : {&clone, &plain}) {
    for (const MacAddress& mac : {victim->mac(), victim->gateway_mac(), mallory.gateway_mac()}) {
      mallory.Send(Ethernet(mallory.gateway_mac(), mac, kIpv4Type,
                            Udp({.from = mallory.ip(), .to = mallory.gateway()}, "by its MAC")));
    }
    for (const Frame& frame : Claims(mallory, {victim->ip(), victim->lease_ip()})) {
      mallory.Send(frame);
    }
    EXPECT_EQ(Shell("ip neighbour show nud permanent | sort"), neighbours);
    mallory.Receive();
    host.Send(victim->lease_ip(), "for the victim");
    EXPECT_TRUE(victim->WaitFor("for the victim"));
    EXPECT_FALSE(mallory.HasReceived("for the victim"));
    EXPECT_FALSE(victim->HasReceived(kMark));
    EXPECT_TRUE(victim->Pings(victim->gateway()));
  }
}

// In batches that fit into the server's buffer; whatever packet comes to a clone that is not the
// answer to its own question is wrong.
TEST_F(CloneTest, NoReplyOfOneServerReachesAWrongCloneOfMany) {
  const int clones = Soaks() ? 1'000 : 100;
  const int rounds = Soaks() ? 1'000 : 100;
  constexpr int kBatch = 100;
  const Internet internet;
  Begin({"--subnet=10.30.16.0/20", "--taps-per-user=1000"});
  std::vector<TapGuest> guests;
  guests.reserve(static_cast<size_t>(clones));
  for (int i = 0; i < clones; ++i) guests.emplace_back(Clone(absl::StrCat("vm", i)));
  const absl::Time start = absl::Now();
  const Echo echo(internet, clones * rounds);
  int replies = 0;
  int wrong = 0;
  // Whether it has got the answer to that.
  const auto take = [&](const TapGuest& guest, const std::string& question) {
    bool is_there = false;
    for (const Frame& frame : PacketsTo(guest)) {
      const Packet packet = Packet::In(frame);
      const bool is_own = packet.source() == kOutside && packet.payload().substr(8) == question;
      is_there |= is_own;
      ++(is_own ? replies : wrong);
    }
    return is_there;
  };
  const auto question = [](int round, int clone) {
    return absl::StrCat("question ", round, " of clone ", clone, ".");
  };
  for (const TapGuest& guest : guests) guest.Receive();
  for (int round = 0; round < rounds; ++round) {
    for (int first = 0; first < clones; first += kBatch) {
      for (int i = first; i < first + kBatch; ++i) {
        guests[i].Send(guests[i].gateway_mac(), kIpv4Type,
                       Udp({.from = guests[i].ip(), .to = kOutside, .to_port = kServerPort},
                           question(round, i)));
      }
      for (int i = first; i < first + kBatch; ++i) {
        ASSERT_TRUE(Eventually([&] { return take(guests[i], question(round, i)); }))
            << question(round, i) << " has no answer; wrong until now: " << wrong;
      }
    }
  }
  for (const TapGuest& guest : guests) take(guest, "");
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(replies, clones * rounds);
  std::cout << "  " << clones << " clones had " << replies << " replies in " << absl::Now() - start
            << ", " << wrong << " of them wrong\n";
}

TEST_F(CloneTest, LosesNoReplyWhileSvnetdIsRestartedAndKilled) {
  const int clones = Soaks() ? 100 : 30;
  const int restarts = Soaks() ? 40 : 10;
  const Internet internet;
  Begin({"--taps-per-user=100"});
  std::vector<TapGuest> guests;
  guests.reserve(static_cast<size_t>(clones));
  for (int i = 0; i < clones; ++i) guests.emplace_back(Clone(absl::StrCat("vm", i)));
  Pinging pinging(guests, kOutside);
  for (int i = 0; i < restarts; ++i) {
    svnetd().Stop(i % 2 == 0 ? SIGTERM : SIGKILL);
    Begin({"--taps-per-user=100"});
    pinging.WaitForAll();
  }
  pinging.ExpectNoneIsLost();
  EXPECT_EQ(alice().MustGet("svvm0eth0").guest_view().SerializeAsString(),
            TheView().SerializeAsString());
  EXPECT_THAT(alice().MustGetNetwork().conditions(), IsEmpty());
}

// As `systemctl reload nftables` does it: InterruptionTest, for guests that have a view.
TEST_F(CloneTest, LosesNoReplyWhileTheHostsRulesAreReloaded) {
  const Internet internet;
  Begin();
  std::vector<TapGuest> guests;
  for (int i = 0; i < 3; ++i) guests.emplace_back(Clone(absl::StrCat("vm", i)));
  if (RulesTable() == "svnet-svbr0") GTEST_SKIP() << "this kernel has no persistent tables (6.9)";
  std::ofstream rules(folder() + "/nftables.conf");
  rules << "flush ruleset\ntable inet host {\n";
  for (int i = 0; i < 1'000; ++i) {
    rules << "chain c" << i << " { ip saddr 192.0.2." << i % 256 << " counter accept; }\n";
  }
  rules << "chain input { type filter hook input priority 0; policy accept; }\n}\n";
  rules.close();
  Pinging pinging(guests, kOutside);
  for (int i = 0; i < 5; ++i) {
    Shell("nft -f " + folder() + "/nftables.conf");
    pinging.WaitForAll();
  }
  pinging.ExpectNoneIsLost();
  EXPECT_THAT(Conditions(), IsEmpty());
}

// There the reload takes svnetd's rules away, too: they are back with all that clones need.
TEST_F(CloneTest, OnAnOlderKernelHasItsRulesBackAfterAReload) {
  const OlderKernel kernel;
  const Internet internet;
  Begin();
  const TapGuest one(Clone("vm1"));
  const TapGuest two(Clone("vm2"));
  for (int i = 0; i < 5; ++i) {
    Shell("nft flush ruleset");
    for (const TapGuest* each : {&one, &two}) {
      EXPECT_TRUE(Eventually([&] { return each->Pings(kOutside, absl::Milliseconds(100)); }));
    }
    EXPECT_THAT(Conditions(), IsEmpty());
  }
}

TEST_F(CloneTest, LeavesNothingBehind) {
  Begin();
  const std::string elements =
      "nft list ruleset | grep -cE '10\\.0\\.0\\.|172\\.30\\.0\\.[2-9]' || true";
  alice().MustCreate("plain");
  const std::string before = Shell(elements);
  const std::string view = "ip neighbour show 10.0.0.2 | wc -l";
  for (int i = 0; i < 3; ++i) Clone(absl::StrCat("vm", i));
  EXPECT_EQ(Shell(view), "3\n");
  EXPECT_NE(Shell(elements), before);
  for (int i = 0; i < 3; ++i) alice().MustRemove(absl::StrCat("svvm", i, "eth0"));
  EXPECT_EQ(Shell(elements), before);
  EXPECT_TRUE(Eventually([&] { return Shell(view) == "0\n"; }));
}

TEST_F(CloneTest, IsRepairedWhatItsGuestBelieves) {
  Begin();
  const v1::Tap tap = Clone("vm1");
  const TapGuest clone(tap);
  for (const std::string& change :
       {std::string("ip neighbour change 10.0.0.2 lladdr 02:00:00:00:00:99 dev "),
        std::string("ip neighbour delete 10.0.0.2 dev "),
        std::string("ip link set mtu 1400 dev ")}) {
    Shell(change + tap.tap_name());
    EXPECT_TRUE(Eventually([&] { return clone.Pings(clone.gateway(), absl::Milliseconds(200)); }))
        << change;
    EXPECT_THAT(alice().MustGetNetwork().conditions(), IsEmpty());
  }
  EXPECT_THAT(Shell("ip neighbour show 10.0.0.2"), HasSubstr("06:00:ac:10:00:02 PERMANENT"));
  EXPECT_THAT(Shell("ip link show dev " + tap.tap_name()), HasSubstr("02:fc:00:00:00:05"));
}

// What is lost says which MAC its TAP is to have, too.
TEST_F(CloneTest, IsCutOffWhileItsSpecIsLostAndIsNotTakenForTampered) {
  Begin();
  const v1::Tap tap = Clone("vm1");
  const TapGuest clone(tap);
  const TapGuest plain(alice().MustCreate("vm2"));
  const std::set<std::string> files = FilesIn(kStateDir);
  ASSERT_EQ(files.size(), 1u);
  const std::string file = absl::StrCat(kStateDir, "/", *files.begin());
  svnetd().Stop(SIGKILL);
  Shell(absl::StrCat("mv ", file, " ", folder(), "/kept"));
  Begin();
  ASSERT_THAT(Conditions(), ElementsAre("SPEC_LOST"));
  EXPECT_FALSE(clone.Pings(clone.gateway(), absl::Milliseconds(200)));
  EXPECT_TRUE(plain.Pings(plain.gateway()));
  EXPECT_EQ(alice().MustList().size(), 2u);
  EXPECT_EQ(ReasonOf(alice().Create(CloneRequest("vm1")).status), "SPEC_LOST");
  EXPECT_THAT(Shell("ip link show dev " + tap.tap_name()), HasSubstr("02:fc:00:00:00:05"));
  EXPECT_THAT(svnetd().log(), Not(HasSubstr("its own MAC was changed")));
  Shell(absl::StrCat("cp -a ", folder(), "/kept ", file));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(clone.Pings(clone.gateway()));
  EXPECT_THAT(alice().MustGet(tap.tap_name()).guest_view().gateway_mac(), "02:fc:00:00:00:05");
}

// As long as it is lost nobody can know; then it is known.
TEST_F(CloneTest, LosesItsLeaseForAnotherMacThatItsTapGotWhileItsSpecWasLost) {
  Begin();
  const v1::Tap tap = Clone("vm1");
  const TapHolder holder(tap, kAlice, 1);
  const std::string file = absl::StrCat(kStateDir, "/", *FilesIn(kStateDir).begin());
  svnetd().Stop(SIGKILL);
  Shell(absl::StrCat("mv ", file, " ", folder(), "/kept"));
  Begin();
  ASSERT_THAT(Conditions(), ElementsAre("SPEC_LOST"));
  EXPECT_EQ(holder.SetOwnMac("02:66:66:66:66:66"), 0);
  EXPECT_THAT(Conditions(), ElementsAre("SPEC_LOST"));
  Shell(absl::StrCat("cp -a ", folder(), "/kept ", file));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(Eventually([&] { return alice().MustList().empty(); }));
  EXPECT_THAT(svnetd().log(), HasSubstr("its own MAC was changed"));
}

// The MAC that all other TAPs of the network have is another than this one's.
TEST_F(CloneTest, LosesItsLeaseIfItsHolderGivesItTheNetworksGatewayMac) {
  Begin();
  const v1::Tap plain = alice().MustCreate("vm2");
  const TapHolder other(plain, kAlice, 1);
  const v1::Tap tap = Clone("vm1");
  const TapHolder holder(tap, kAlice, 1);
  ASSERT_EQ(holder.OwnMac(), "02:fc:00:00:00:05");
  ASSERT_NE(other.OwnMac(), holder.OwnMac());
  Watcher watcher(alice());
  EXPECT_EQ(holder.SetOwnMac(other.OwnMac()), 0);
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, tap.tap_name()).message(),
              HasSubstr("its own MAC was changed to " + other.OwnMac()));
  EXPECT_EQ(alice().MustList().size(), 1u);
}

TEST_F(CloneTest, IsToldItsViewByBootArgs) {
  Begin();
  EXPECT_EQ(alice().MustGetBootArgs(Clone("vm1").tap_name()),
            "ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off");
}

TEST_F(CloneTest, HasAViewThatAGuestCanHave) {
  Begin();
  const auto reason_with = [&](const auto& change) {
    v1::CreateTapRequest request = CloneRequest("vm1");
    change(request.mutable_guest_view());
    return ReasonOf(alice().Create(request).status);
  };
  for (const char* address : {"", "10.0.0", "0.0.0.0", "127.0.0.1", "224.0.0.1", "10.0.0.1"}) {
    EXPECT_EQ(reason_with([&](v1::GuestView* view) { view->set_address(address); }),
              "INVALID_ADDRESS")
        << address;
  }
  for (const char* mac : {"", "06:00", "07:00:ac:10:00:02", "00:00:00:00:00:00"}) {
    EXPECT_EQ(reason_with([&](v1::GuestView* view) { view->set_mac(mac); }), "INVALID_ADDRESS");
  }
  EXPECT_EQ(reason_with([](v1::GuestView* view) { view->set_gateway(""); }), "INVALID_ADDRESS");
  EXPECT_EQ(reason_with([](v1::GuestView* view) { view->set_prefix_length(33); }),
            "INVALID_ADDRESS");
  EXPECT_EQ(reason_with([](v1::GuestView* view) { view->set_gateway_mac(view->mac()); }),
            "INVALID_ADDRESS");
  EXPECT_THAT(alice().MustList(), IsEmpty());
}

}  // namespace
}  // namespace svnet::testing

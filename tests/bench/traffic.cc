#include "tests/bench/traffic.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/sandbox/sandbox.h"
#include "tests/system/udp.h"

namespace svnet::bench {
namespace {

constexpr int kFlows = 16;
constexpr uint16_t kFirstPort = 40000;
constexpr uint16_t kServerPort = 9999;
// So many frames are with a guest until it reads: a TAP has room for more.
constexpr int kUnread = 256;
constexpr size_t kSmall = 18;    // bytes of payload: the least that a frame has room for
constexpr size_t kLarge = 1472;  // the most
const Ipv4Address kOutside(0xcb007101);
const Ipv4Address kHost(0xcb007102);  // guests have this address outside
const MacAddress kOutsideMac({2, 0, 0, 0, 0, 1});

// What arrives is counted, and goes no further: no answer, no ICMP.
constexpr char kSink[] =
    "nft add table ip sink;"
    "nft \"add chain ip sink before { type filter hook prerouting priority -300; }\";"
    "nft add counter ip sink arrived;"
    "nft add rule ip sink before ip protocol udp counter name arrived drop";

// Whether bridged packets also pass the hooks of iptables (br_netfilter), in the
// namespace that the calling thread is in. The kernel's default, once somebody (Docker)
// has loaded it, is that they do. False if it cannot be so.
bool SetBridgeFilter(bool on) {
  constexpr char kFile[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if (!std::filesystem::exists(kFile)) return !on;
  std::ofstream file(kFile);
  file << (on ? 1 : 0) << std::endl;
  if (!file) Fail(kFile);
  return true;
}

std::string Payload(size_t size) { return std::string(size, 'x'); }

MacAddress MacOfUplink() {
  const std::string text =
      testing::Shell("ip link show up0 | sed -n 's/.*ether \\([^ ]*\\).*/\\1/p'");
  return MacAddress::Parse(absl::StripSuffix(text, "\n")).value();
}

}  // namespace

Traffic::Traffic(const Candidate& candidate, int bound, const v1::Tap& guest, const v1::Tap& other)
    : candidate_(candidate),
      bound_(bound),
      guest_(guest),
      other_(other),
      other_address_(Ipv4Address::Parse(other.guest_ip()).value()),
      outside_(OpenOutside()),
      small_(Make([&](int flow) { return ToOutside(flow, kSmall); })),
      large_(Make([&](int flow) { return ToOutside(flow, kLarge); })),
      from_outside_(
          Make([&, uplink = MacOfUplink()](int flow) { return FromOutside(flow, uplink); })),
      to_other_(Make([&](int flow) { return ToOther(flow); })) {
  internet_.Shell(kSink);
}

void Traffic::Send(int count, Results* results) {
  candidate_.Enter();
  const auto by_guest = [&](const testing::Frame& frame) { guest_.Send(frame); };
  const auto from_outside = [&](const testing::Frame& frame) { SendFromOutside(frame); };
  for (const bool filter : {false, true}) {
    if (!SetBridgeFilter(filter)) continue;
    const std::string how = filter ? " by br_netfilter" : "";
    SendAll(small_, count, "packets" + how, by_guest, nullptr, results);
    SendAll(large_, count, "large packets" + how, by_guest, nullptr, results);
    // Answers to the small ones.
    SendAll(from_outside_, count, "packets from outside" + how, from_outside, &guest_, results);
    SendAll(to_other_, count, "packets between guests" + how, by_guest, &other_, results);
  }
}

Traffic::Frames Traffic::Make(const std::function<testing::Frame(int flow)>& make) {
  Frames frames;
  for (int flow = 0; flow < kFlows; ++flow) frames.push_back(make(flow));
  return frames;
}

testing::Frame Traffic::ToOutside(int flow, size_t payload) const {
  const auto port = static_cast<uint16_t>(kFirstPort + flow);
  return testing::Ethernet(
      guest_.gateway_mac(), guest_.mac(), testing::kIpv4Type,
      testing::Udp({.from = guest_.ip(), .to = kOutside, .from_port = port, .to_port = kServerPort},
                   Payload(payload)));
}

testing::Frame Traffic::FromOutside(int flow, const MacAddress& uplink) const {
  const auto port = static_cast<uint16_t>(kFirstPort + flow);
  return testing::Ethernet(
      uplink, kOutsideMac, testing::kIpv4Type,
      testing::Udp({.from = kOutside, .to = kHost, .from_port = kServerPort, .to_port = port},
                   Payload(kSmall)));
}

// By the MAC that it has for the guest: on a routed network that is the gateway's.
testing::Frame Traffic::ToOther(int flow) const {
  const bool routed = candidate_.name().find("routed") != std::string::npos;
  const auto port = static_cast<uint16_t>(kFirstPort + flow);
  return testing::Ethernet(
      routed ? guest_.gateway_mac() : other_.mac(), guest_.mac(), testing::kIpv4Type,
      testing::Udp(
          {.from = guest_.ip(), .to = other_address_, .from_port = port, .to_port = kServerPort},
          Payload(kSmall)));
}

UniqueFd Traffic::OpenOutside() const {
  const UniqueFd there(open(internet_.namespace_file().c_str(), O_RDONLY | O_CLOEXEC));
  if (setns(there.get(), CLONE_NEWNET) != 0) Fail("setns");
  UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  const sockaddr_ll address = {.sll_family = AF_PACKET,
                               .sll_ifindex = static_cast<int>(if_nametoindex("down0"))};
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("a packet socket outside");
  }
  candidate_.Enter();
  return fd;
}

void Traffic::SendFromOutside(const testing::Frame& frame) const {
  if (send(outside_.get(), frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) {
    Fail("send from outside");
  }
}

void Traffic::SendAll(const Frames& frames, int count, const std::string& what,
                      const std::function<void(const testing::Frame&)>& send,
                      const testing::TapGuest* receiver, Results* results) const {
  const int before = receiver == nullptr ? ArrivedOutside() : 0;
  int arrived = 0;
  if (receiver != nullptr) receiver->CountReceived();
  const double time = Time([&] {
    for (int sent = 0; sent < count;) {
      send(frames[sent % frames.size()]);
      if (++sent % kUnread == 0 && receiver != nullptr) arrived += receiver->CountReceived();
    }
  });
  arrived += receiver == nullptr ? ArrivedOutside() - before : receiver->CountReceived();
  errno = 0;
  if (arrived < count) {
    Fail(absl::StrCat(candidate_.name(), ": of ", count, " ", what, " ", arrived, " arrived"));
  }
  results->Add({what, candidate_.name(), bound_}, "1/s", count / (time / 1e6));
}

int Traffic::ArrivedOutside() const {
  return std::stoi(
      internet_.Shell("nft list counter ip sink arrived | grep -o \"packets [0-9]*\" | cut -c 9-"));
}

}  // namespace svnet::bench

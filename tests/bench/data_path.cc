// From a guest through the NAT to the outside: svnetd's rules, with one guest bound and with a
// thousand, on a bridge and on a routed network, against the same bridge with one `masquerade` rule
// and nothing else. They take turns, each with a fixed number of frames.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/sandbox/internet.h"
#include "tests/system/tap_guest.h"

namespace svnet::bench {
namespace {

constexpr int kFlows = 16;
constexpr size_t kSmall = 18;    // bytes of payload: the least that a frame has room for
constexpr size_t kLarge = 1472;  // the most
constexpr char kOutside[] = "203.0.113.1";

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

// A namespace with a bridge, a guest on it, and the outside.
class SetUp {
 public:
  // Called in the candidate's namespace; `tap` is the guest's.
  SetUp(const Candidate& candidate, int bound, const v1::Tap& tap)
      : candidate_(candidate), bound_(bound), guest_(tap) {
    internet_.Shell(kSink);
    for (int flow = 0; flow < kFlows; ++flow) {
      small_.push_back(FrameOf(flow, kSmall));
      large_.push_back(FrameOf(flow, kLarge));
    }
  }

  // So many small frames, and so many large ones, with br_netfilter and without.
  void Send(int count, Results* results) {
    candidate_.Enter();
    for (const bool filter : {false, true}) {
      if (!SetBridgeFilter(filter)) continue;
      const std::string how = filter ? " by br_netfilter" : "";
      SendAll(small_, count, "packets" + how, results);
      SendAll(large_, count, "large packets" + how, results);
    }
  }

 private:
  testing::Frame FrameOf(int flow, size_t payload) const {
    const auto port = static_cast<uint16_t>(40000 + flow);
    return testing::Ethernet(
        guest_.gateway_mac(), guest_.mac(), testing::kIpv4Type,
        testing::Udp(
            {.from = guest_.ip(), .to = Ipv4Address::Parse(kOutside).value(), .from_port = port},
            std::string(payload, 'x')));
  }

  void SendAll(const std::vector<testing::Frame>& frames, int count, const std::string& what,
               Results* results) {
    const int before = Arrived();
    const double time = Time([&] {
      for (int i = 0; i < count; ++i) guest_.Send(frames[i % frames.size()]);
    });
    errno = 0;
    if (const int arrived = Arrived() - before; arrived != count) {
      Fail(absl::StrCat(candidate_.name(), ": of ", count, " packets ", arrived, " arrived"));
    }
    results->Add({what, candidate_.name(), bound_}, "1/s", count / (time / 1e6));
  }

  int Arrived() const {
    return std::stoi(internet_.Shell(
        "nft list counter ip sink arrived | grep -o \"packets [0-9]*\" | cut -c 9-"));
  }

  const Candidate& candidate_;
  int bound_;
  testing::Internet internet_;
  testing::TapGuest guest_;
  std::vector<testing::Frame> small_;
  std::vector<testing::Frame> large_;
};

// The same bridge, and the TAP as anybody makes it by hand.
class PlainCandidate final : public Candidate {
 public:
  PlainCandidate() : Candidate("plain bridge") {
    const int bridge = floor_.MakeBridge("svbr0");
    floor_.CreateTap(
        {.name = "tap0", .owner = kFirstUid, .alias = "plain", .group = 1, .bridge = bridge});
    testing::Shell(
        "ip address add 10.30.0.1/16 dev svbr0; sysctl -qw net.ipv4.ip_forward=1;"
        "nft add table ip nat; nft 'add chain ip nat out { type nat hook postrouting priority 100; "
        "}'; nft add rule ip nat out ip saddr 10.30.0.0/16 oifname != svbr0 masquerade");
  }
  void Create(Number) override {}
  void Remove(Number) override { floor_.DeleteLink("tap0"); }

  static v1::Tap Tap() {
    v1::Tap tap;
    tap.set_tap_name("tap0");
    tap.set_guest_ip("10.30.0.2");
    tap.set_gateway_ip("10.30.0.1");
    tap.set_mac("02:00:00:00:00:02");
    return tap;
  }

 private:
  Floor floor_;
};

v1::Tap FirstTap(SvnetdCandidate& svnetd, int leases) {
  for (Number number = 1; number < leases; ++number) svnetd.Create(number);
  return svnetd.caller().MustCreate("guest");
}

void RemoveAll(SvnetdCandidate& svnetd, int leases) {
  SvnetdCandidate::CleanupBy(svnetd.caller(), v1::CLEANUP_SCOPE_CALLER);
  svnetd.WaitUntilGone(leases);
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  const int many = options.thousand();
  PlainCandidate plain;
  SetUp plain_set_up(plain, 1, PlainCandidate::Tap());
  SvnetdCandidate one;
  SetUp one_set_up(one, 1, FirstTap(one, 1));
  SvnetdCandidate thousand;
  SetUp thousand_set_up(thousand, many, FirstTap(thousand, many));
  const std::vector<std::string> routed = {"--kind=routed"};
  SvnetdCandidate routed_one("svnetd routed", testing::kSvnetd, routed);
  SetUp routed_one_set_up(routed_one, 1, FirstTap(routed_one, 1));
  SvnetdCandidate routed_thousand("svnetd routed", testing::kSvnetd, routed);
  SetUp routed_thousand_set_up(routed_thousand, many, FirstTap(routed_thousand, many));
  for (int round = 0; round < options.rounds(15); ++round) {
    for (SetUp* each : {&plain_set_up, &one_set_up, &thousand_set_up, &routed_one_set_up,
                        &routed_thousand_set_up}) {
      each->Send(options.quick ? 20'000 : 100'000, &results);
    }
  }
  results.Write();
  RemoveAll(one, 1);
  RemoveAll(thousand, many);
  RemoveAll(routed_one, 1);
  RemoveAll(routed_thousand, many);
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

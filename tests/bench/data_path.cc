// What a guest's packets cost: with svnetd's rules, with two guests bound and with a thousand, on a
// bridge and on a routed network, and with seven networks more, against the same bridge with one
// `masquerade` rule and nothing else. They take turns, each with a fixed number of frames.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/bench/traffic.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::bench {
namespace {

// The least that there are.
constexpr int kGuests = 2;
constexpr int kMoreNetworks = 7;

// The same bridge, and the TAPs as anybody makes them by hand.
class PlainCandidate final : public Candidate {
 public:
  PlainCandidate() : Candidate("plain bridge"), bridge_(floor_.MakeBridge("svbr0")) {
    testing::Shell(
        "ip address add 10.30.0.1/16 dev svbr0; sysctl -qw net.ipv4.ip_forward=1;"
        "nft add table ip nat; nft 'add chain ip nat out { type nat hook postrouting priority 100; "
        "}'; nft add rule ip nat out ip saddr 10.30.0.0/16 oifname != svbr0 masquerade");
    for (Number number = 1; number <= kGuests; ++number) {
      Create(number);
      // They do not answer.
      testing::Shell(absl::StrCat("ip neighbour add ", Tap(number).guest_ip(), " lladdr ",
                                  Tap(number).mac(), " dev svbr0 nud permanent"));
    }
  }
  void Create(Number number) override {
    floor_.CreateTap({.name = Name(number),
                      .owner = kFirstUid,
                      .alias = "plain",
                      .group = 1,
                      .bridge = bridge_});
  }
  void Remove(Number number) override { floor_.DeleteLink(Name(number)); }

  static v1::Tap Tap(Number number) {
    v1::Tap tap;
    tap.set_tap_name(Name(number));
    tap.set_guest_ip(absl::StrCat("10.30.1.", number));
    tap.set_gateway_ip("10.30.0.1");
    tap.set_mac(absl::StrCat("02:00:00:00:01:0", number));
    return tap;
  }

 private:
  static std::string Name(Number number) { return absl::StrCat("tap", number); }

  Floor floor_;
  const int bridge_;
};

// For a guest that was restored from a snapshot.
v1::CreateTapRequest CloneRequest(const std::string& vm) {
  v1::CreateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id("eth0");
  *request.mutable_guest_view() = SnapshotView();
  return request;
}

// svnetd with so many guests, and the traffic of two of them.
class Served {
 public:
  enum class Guests { kPlain, kClones };
  Served(const std::string& name, const std::vector<std::string>& flags, int leases,
         const std::string& networks = "", Guests guests = Guests::kPlain)
      : svnetd_(name, testing::kSvnetd, flags, networks),
        leases_(Lease(leases)),
        traffic_(svnetd_, leases, MakeGuest("guest", guests), MakeGuest("other", guests)) {}
  ~Served() {
    svnetd_.Enter();
    SvnetdCandidate::CleanupBy(svnetd_.caller(), v1::CLEANUP_SCOPE_CALLER);
    svnetd_.WaitUntilGone(leases_);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  Traffic& traffic() { return traffic_; }

 private:
  v1::Tap MakeGuest(const std::string& vm, Guests guests) {
    return guests == Guests::kClones ? svnetd_.caller().MustCreate(CloneRequest(vm))
                                     : svnetd_.caller().MustCreate(vm);
  }
  // All but those two.
  int Lease(int leases) {
    for (Number number = kGuests; number < leases; ++number) svnetd_.Create(number);
    return leases;
  }

  SvnetdCandidate svnetd_;
  const int leases_;
  Traffic traffic_;
};

// Of both kinds.
std::string MoreNetworks() {
  std::string networks;
  for (int i = 1; i <= kMoreNetworks; ++i) {
    absl::StrAppend(&networks, "[networks.n", i, "]\nbridge = \"svbr", i, "\"\nsubnet = \"10.",
                    30 + i, ".0.0/16\"\nkind = \"", i % 2 == 0 ? "bridge" : "routed", "\"\n");
  }
  return networks;
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  const int many = options.thousand();
  const std::vector<std::string> routed = {"--kind=routed"};
  const PlainCandidate plain;
  Traffic plain_traffic(plain, kGuests, PlainCandidate::Tap(1), PlainCandidate::Tap(2));
  Served two("svnetd", {}, kGuests);
  Served thousand("svnetd", {}, many);
  Served networks("svnetd with 8 networks", {}, kGuests, MoreNetworks());
  Served routed_two("svnetd routed", routed, kGuests);
  Served routed_thousand("svnetd routed", routed, many);
  Served routed_networks("svnetd routed with 8 networks", routed, kGuests, MoreNetworks());
  Served clones("svnetd routed with clones", routed, kGuests, "", Served::Guests::kClones);
  for (int round = 0; round < options.rounds(15); ++round) {
    for (Traffic* each : {&plain_traffic, &two.traffic(), &thousand.traffic(), &networks.traffic(),
                          &routed_two.traffic(), &routed_thousand.traffic(),
                          &routed_networks.traffic(), &clones.traffic()}) {
      each->Send(options.quick ? 10'000 : 50'000, &results);
    }
  }
  results.Write();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

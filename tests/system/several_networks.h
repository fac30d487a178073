// svnetd with three networks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/system/three_guests.h"

namespace svnet::testing {

inline constexpr char kDefault[] = "default";
inline constexpr char kRed[] = "red";
inline constexpr char kBlue[] = "blue";
inline const std::vector<std::string> kAllNetworks = {kDefault, kRed, kBlue};

// Lines of the configuration, for each of them.
struct NetworkLines {
  std::string of_default;
  std::string red;
  std::string blue;
  std::string others;  // other sections
};

inline std::string ConfigOf(const NetworkLines& lines) {
  return absl::StrCat(lines.of_default, "\n[networks.red]\nbridge = \"svbr1\"\n",
                      "subnet = \"172.31.0.0/24\"\n", lines.red, "\n[networks.blue]\n",
                      "kind = \"routed\"\nbridge = \"svbr2\"\nsubnet = \"172.29.0.0/24\"\n",
                      lines.blue, "\n", lines.others, "\n");
}

inline v1::CreateTapRequest On(const std::string& network, const std::string& vm,
                               const std::string& iface = "eth0") {
  v1::CreateTapRequest request;
  request.set_network(network);
  request.set_vm_id(vm);
  request.set_iface_id(iface);
  return request;
}

// `default` is of the kind that the test is run for, `red` a bridge, and `blue` routed.
class SeveralNetworksTest : public OnEachKind<ThreeGuestsTest> {
 protected:
  // Again with other lines: svnetd is restarted.
  void Serve(const NetworkLines& lines = {}) {
    several_.reset();
    several_.reset(new Daemon(Start({}, ConfigOf(lines))));
    ASSERT_TRUE(several_->running()) << several_->log();
  }
  Daemon& served() { return *several_; }
  Client As(const RunAs& who) { return Client(several_->socket(), who); }
  Client As(uid_t uid) { return As(uid == 0 ? kRoot : Member(uid)); }

  // A guest of that user's on that network.
  TapGuest MakeGuest(const std::string& network, uid_t owner, const std::string& vm) {
    return TapGuest(As(owner).MustCreate(On(network, vm)));
  }
  // One on each, in the order of kAllNetworks, all of one owner.
  std::vector<TapGuest> MakeGuests() {
    std::vector<TapGuest> guests;
    for (const std::string& network : kAllNetworks) {
      guests.push_back(MakeGuest(network, kAlice, absl::StrCat("vm-", network)));
    }
    return guests;
  }

  // A counter of that network, wherever a network of its kind has it.
  int CounterOf(const std::string& network, const std::string& name) {
    const bool routed = network == kBlue || (network == kDefault && IsRouted());
    return Counter(name == "foreign_address" && !routed ? "bridge" : "inet",
                   network == kDefault ? name : absl::StrCat(network, "/", name));
  }

  // By any way there is.
  static bool ReachesSomehow(const TapGuest& from, const TapGuest& to) {
    const bool directly = ByTheBridge(from, to);
    const bool flooded = ByFlooding(from, to);
    return ByTheGateway(from, to) || directly || flooded;
  }

 private:
  std::unique_ptr<Daemon> several_;
};

}  // namespace svnet::testing

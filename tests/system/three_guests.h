// Who reaches whom, among two guests of one owner and one of another.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {

inline constexpr char kMark[] = "from one guest to another";

inline Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }
inline MacAddress Mac(absl::string_view text) { return MacAddress::Parse(text).value(); }

// Two guests of Alice's, and one of Bob's.
class ThreeGuestsTest : public SystemTest {
 protected:
  void Begin(const std::vector<std::string>& flags = {}) {
    svnetd_.reset(new Daemon(Start(flags)));
    alice_.emplace(svnetd_->socket(), Member(kAlice));
    Client bob(svnetd_->socket(), Member(kBob));
    alice1_.emplace(MustCreateGuest(*alice_, "vm1"));
    alice2_.emplace(MustCreateGuest(*alice_, "vm2"));
    bob_.emplace(MustCreateGuest(bob, "vm3"));
  }
  // What svnetd has done stays; from here on the test may take layers away.
  void Freeze() { svnetd_->Stop(SIGKILL); }

  static std::string Packet(const TapGuest& from, const TapGuest& to) {
    return Udp({.from = from.ip(), .to = to.lease_ip()}, kMark);
  }

  // Whether another guest's text has come. Not if the gateway quotes to a guest what
  // that has sent itself, as its ICMP redirects do.
  static bool HasMark(const TapGuest& guest) {
    constexpr char kIcmp = 1;
    const std::vector<Frame> frames = guest.Receive();
    return std::any_of(frames.begin(), frames.end(), [](const Frame& frame) {
      return absl::StrContains(frame, kMark) && frame[23] != kIcmp;
    });
  }

  // Whether `to` gets what `from` sends it ...
  static bool ByTheBridge(const TapGuest& from, const TapGuest& to) {
    from.Send(to.mac(), kIpv4Type, Packet(from, to));
    return HasMark(to);
  }
  static bool ByTheGateway(const TapGuest& from, const TapGuest& to) {
    from.Send(from.gateway_mac(), kIpv4Type, Packet(from, to));
    return HasMark(to);
  }
  // ... or by what is sent to everybody, to many, or to a MAC that nobody has.
  static bool ByFlooding(const TapGuest& from, const TapGuest& to) {
    from.Send(kBroadcast, kIpv4Type, Packet(from, to));
    from.Send(Mac("01:00:5e:00:00:01"), kIpv4Type, Packet(from, to));
    from.Send(Mac("02:99:99:99:99:99"), kIpv4Type, Packet(from, to));
    from.Send(kBroadcast, kArpType,
              Arp({.operation = ArpOperation::kRequest,
                   .sender_mac = from.mac(),
                   .sender_ip = from.ip(),
                   .target_ip = to.lease_ip()}) +
                  kMark);
    return HasMark(to);
  }
  // The way that guests have who may reach each other.
  bool Reaches(const TapGuest& from, const TapGuest& to) const {
    return IsRouted() ? ByTheGateway(from, to) : ByTheBridge(from, to);
  }

  Daemon& svnetd() { return *svnetd_; }
  Client& alice() { return *alice_; }
  const TapGuest& alice1() const { return *alice1_; }
  const TapGuest& alice2() const { return *alice2_; }
  const TapGuest& bob() const { return *bob_; }

 private:
  std::unique_ptr<Daemon> svnetd_;
  std::optional<Client> alice_;
  std::optional<TapGuest> alice1_, alice2_, bob_;
};

}  // namespace svnet::testing

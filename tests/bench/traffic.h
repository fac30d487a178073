// What a guest's packets cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/sandbox/internet.h"
#include "tests/system/tap_guest.h"

namespace svnet::bench {

// Two guests of one owner, and the outside. Frames are written one by one, in 16 flows, and each
// of them must arrive. What comes to a guest it reads, as a VMM does; that is in the time.
class Traffic {
 public:
  // In the candidate's namespace. `bound`: how many guests it has.
  Traffic(const Candidate& candidate, int bound, const v1::Tap& guest, const v1::Tap& other);

  // So many frames each way: to the outside, small and large ones, from there, and to the other
  // guest; with br_netfilter and without.
  void Send(int count, Results* results);

 private:
  using Frames = std::vector<testing::Frame>;

  // As many as there are flows; `make` makes one of its number.
  static Frames Make(const std::function<testing::Frame(int flow)>& make);
  testing::Frame ToOutside(int flow, size_t payload) const;
  testing::Frame FromOutside(int flow, const MacAddress& uplink) const;
  testing::Frame ToOther(int flow) const;

  UniqueFd OpenOutside() const;
  void SendFromOutside(const testing::Frame& frame) const;

  // `receiver`: nullptr is the outside.
  void SendAll(const Frames& frames, int count, const std::string& what,
               const std::function<void(const testing::Frame&)>& send,
               const testing::TapGuest* receiver, Results* results) const;
  int ArrivedOutside() const;

  const Candidate& candidate_;
  const int bound_;
  const testing::Internet internet_;
  const testing::TapGuest guest_;
  const testing::TapGuest other_;
  const Ipv4Address other_address_;  // by which others know it
  const UniqueFd outside_;           // a packet socket there
  const Frames small_;
  const Frames large_;
  const Frames from_outside_;
  const Frames to_other_;
};

}  // namespace svnet::bench

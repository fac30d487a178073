// A guest of which the test is the kernel: it sends and receives whatever it likes.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/doctor/frames.h"
#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.pb.h"
#include "tests/system/udp.h"

namespace svnet::testing {

using client::Arp;
using client::ArpFields;
using client::ArpOperation;
using client::Ethernet;
using client::Frame;
using client::kArpType;
using client::kBroadcast;
using client::kIpv4Type;
using client::PingRequest;

// A TAP as a VMM opens it, without a header before each frame, and non-blocking. If the thread's
// network namespace has none of that name, it is made.
UniqueFd OpenTap(const std::string& name);

class TapGuest {
 public:
  // Opens the TAP, and waits until its port passes frames. It believes what its view says, if it
  // has one.
  explicit TapGuest(const v1::Tap& tap);

  const MacAddress& mac() const { return mac_; }
  Ipv4Address ip() const { return ip_; }
  Ipv4Address gateway() const { return gateway_; }
  // What its lease has, and others know: without a view it is the same.
  Ipv4Address lease_ip() const { return lease_ip_; }
  Ipv4Address lease_gateway() const { return lease_gateway_; }
  // The gateway's, as it answers to ARP.
  const MacAddress& gateway_mac() const { return gateway_mac_; }

  // When it returns, the kernel has done with the frame all that it will do, unless it
  // goes through a queue of another device.
  void Send(const Frame& frame) const;
  // A frame with the guest's own MAC.
  void Send(const MacAddress& to, uint16_t type, absl::string_view payload) const {
    Send(Ethernet(to, mac_, type, payload));
  }

  // All that has come in since the last time.
  std::vector<Frame> Receive() const;
  // The same, and only how many.
  int CountReceived() const;
  // Whether a frame with `text` in it is among them.
  bool HasReceived(absl::string_view text) const;
  // Whether one comes within `patience`.
  bool WaitFor(absl::string_view text, absl::Duration patience = kPatience) const;
  // Whether the address answers a ping, sent by way of the gateway, within `patience`.
  bool Pings(Ipv4Address to, absl::Duration patience = kPatience) const;

 private:
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  void WaitUntilPortPasses();

  UniqueFd fd_;
  MacAddress mac_;
  Ipv4Address ip_;
  Ipv4Address gateway_;
  Ipv4Address lease_ip_;
  Ipv4Address lease_gateway_;
  MacAddress gateway_mac_ = MacAddress({});
};

// A UDP port of the host's, on all its addresses.
class HostPortListener {
 public:
  explicit HostPortListener(uint16_t port);
  bool HasReceived(absl::string_view text) const;
  // Sends `text` to a guest's port 9999.
  void Send(Ipv4Address to, absl::string_view text) const;

 private:
  UniqueFd fd_;
};

// How many packets one of svnetd's counters has seen.
int Counter(const std::string& family, const std::string& name);

}  // namespace svnet::testing

// `svnetctl doctor --packet-test`: acts as a guest.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/doctor/doctor.h"

namespace svnet::client {

// Leases a TAP on the network that is looked at, opens it as a VMM would, and checks with real
// frames: does the gateway answer ARP, does a ping get through the NAT to `target` ("": the default
// route's router) and back, and does svnetd drop a foreign MAC or address. The last needs root to
// read svnetd's counters. The lease is always removed; if svnetd supports it, it is bound to this
// process.
//
// `timeout` applies to each call to svnetd. The test itself takes at most about 10 seconds.
std::vector<NamedFinding> RunPacketTest(const std::string& socket, absl::Duration timeout,
                                        const std::string& target, const Observed& before);

}  // namespace svnet::client

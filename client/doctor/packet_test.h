// `svnetctl doctor --packet-test`: a guest that speaks by hand.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/doctor/doctor.h"

namespace svnet::client {

// Leases a TAP, opens it as a VMM would, and finds out with real frames: does the gateway
// answer ARP, does a ping get through the NAT to `target` ("": the default route's
// router) and back, and is a foreign MAC or address stopped. The last needs root, who may
// read svnetd's counters. The lease is removed in any case; it is bound to this process
// if svnetd can do that.
//
// `timeout` is for each conversation with svnetd. Takes some 10 seconds at most beside.
std::vector<NamedFinding> RunPacketTest(const std::string& socket, absl::Duration timeout,
                                        const std::string& target, const Observed& observed);

}  // namespace svnet::client

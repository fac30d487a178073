// What the holder of a TAP has changed on it that no VMM has a reason to change.
#pragma once

#include <string>

#include "daemon/kernel/kernel.h"
#include "daemon/lease/drift.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {

// A process that holds a TAP's descriptor needs no capability to give the TAP another owner,
// group, MAC or link type, to end its persistence, or to open more queues than were granted
// (drivers/net/tun.c). The alias says what was granted; this says, for people, in what
// the TAP differs from that: "its owner was changed to uid 1001"; empty: in nothing. What
// VMMs do change (carrier, offloads, vnet header, send buffer, filters, queues up to those
// granted) is not compared; nor is the MAC of a TAP on a routed network whose text is lost. Pure.
std::string DescribeTampering(const LeaseSpec& spec, const Link& link, const TapPlan& network);

// Why a lease ended for that.
std::string ByItsHolder(const std::string& what);

}  // namespace svnet

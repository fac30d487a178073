// The daemon's answers, formatted for people. All pure; every text ends with a newline, and holds
// nothing that would move a terminal's cursor.
#pragma once

#include <string>
#include <vector>

#include "svnet/v1/network.pb.h"

namespace svnet::client {

// What a VMM and its guest need of a lease that was asked for, whether it existed already, and what
// to do next.
std::string RenderCreated(const v1::CreateTapResponse& response);

// The same of several: as RenderTaps, and which of them existed already.
std::string RenderAllCreated(const std::vector<v1::CreateTapResponse>& responses);

// All facts about a lease, one per line.
std::string RenderTap(const v1::Tap& tap);

// `name`: of the lease.
std::string RenderRemoved(const std::string& name, const v1::RemoveTapResponse& response);

// A heading and a line for each TAP, with the middle of long names left out.
std::string RenderTaps(const std::vector<v1::Tap>& taps);

// All columns, and names in full.
std::string RenderTapsWide(const std::vector<v1::Tap>& taps);

// Only the text, for $(svnetctl boot-args vm1).
std::string RenderBootArgs(const v1::GetBootArgsResponse& response);

std::string RenderCleanup(const v1::CleanupResponse& response);

// One line: the time (RFC 3339), the event, and the lease if it is about one.
std::string RenderEvent(const v1::TapEvent& event);

// As svnetd has it.
std::string RenderMetrics(const v1::GetMetricsResponse& response);

}  // namespace svnet::client

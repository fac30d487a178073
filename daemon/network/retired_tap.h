// A TAP that is cut off and waits to be destroyed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>

#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/network_name.h"

namespace svnet {

struct RetiredTap {
  // Not leased again before the TAP is reaped; nullopt: no address is known.
  std::optional<Ipv4Address> address;
  // The device is already gone; only conntrack state for the address remains. The ifindex may
  // have been reused.
  bool gone = false;
  // The owner against whose quotas it counts until it is reaped, because a process of that
  // owner has tampered with it; nullopt: it does not count. Such a TAP is reaped with others, or
  // after ReapQueue::kPenalty: an owner who tampers again and again waits for its own quota, and
  // the kernel is not kept busy.
  std::optional<uid_t> counts_for = std::nullopt;
  uint32_t queues = 0;
  // Which of the network's groups of retired TAPs it is in: RetiredGroupOf.
  uint32_t group_number = 0;
};

using RetiredTaps = std::map<Ifindex, RetiredTap>;

// TAPs that are destroyed together, because they are in one link group.
struct ReapPiece {
  NetworkName network = {};
  uint32_t group_number;
  uint32_t group = 0;  // IFLA_GROUP
  // Links that are not to be destroyed are in it, too: each TAP is to be destroyed by itself.
  bool has_others = false;
  RetiredTaps taps;
};

// How the destruction of a piece went.
enum class ReapOutcome {
  kDone,
  kFlowsLeft,  // the TAPs are gone; what connection tracking knows of their addresses is not
  kFailed,
};

}  // namespace svnet

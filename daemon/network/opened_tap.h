// A TAP whose queues are being opened for the lease's owner.
#pragma once

#include <cstddef>
#include <vector>

#include "daemon/base/ifindex.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

struct OpenedTap {
  Ifindex tap = 0;     // 0: nothing is opened yet
  size_t granted = 0;  // as many as the lease has
  std::vector<UniqueFd> queues;

  bool is_complete() const { return tap != 0 && queues.size() == granted; }
};

}  // namespace svnet

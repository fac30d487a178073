#include "daemon/service/descriptor_limit.h"

#include <sys/resource.h>

#include <cstddef>

namespace svnet {
namespace {

constexpr size_t kUnknown = 1024;

size_t RaiseLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kUnknown;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

ServerLimits RaiseDescriptorLimit(const Config& config) {
  const size_t descriptors = RaiseLimit();
  return {.calls = ConnectionLimits::Plan(descriptors, config.connections),
          .taps = ConnectionLimits::PlanForTaps(descriptors)};
}

}  // namespace svnet

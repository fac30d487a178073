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

ConnectionLimits RaiseDescriptorLimit(const Config& config) {
  return ConnectionLimits::Plan(RaiseLimit(), config.connections);
}

}  // namespace svnet

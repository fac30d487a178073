// How many lines of the log nobody took.
#pragma once

#include <atomic>
#include <cstdint>

namespace svnet {

// Since the start; thread-safe. Lines that LogLimit leaves out are not among them.
inline std::atomic<uint64_t> lost_log_lines = 0;

}  // namespace svnet

// Many callers of one svnetd, each with its own connection, that work at once.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tests/bench/candidates.h"

namespace svnet::bench {

using Callers = std::vector<std::unique_ptr<testing::Client>>;
using Work = std::function<void(testing::Client&, Number)>;

// Connected, and known to work. They share so many uids: each has its own quota, and its own place
// in svnetd's line.
Callers Connect(const SvnetdCandidate& svnetd, int count, int uids);

// The callers do the work for the numbers from `first` to `last` (without it) that are theirs, all
// at once; in microseconds, until the last one is done.
double InParallel(Callers& callers, Number first, Number last, const Work& work);

inline double PerSecond(int count, double microseconds) { return count / (microseconds / 1e6); }

}  // namespace svnet::bench

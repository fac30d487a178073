// Which conditions a caller is told of.
#pragma once

#include <vector>

#include "daemon/base/condition.h"
#include "daemon/network/caller.h"

namespace svnet {

// What `caller` may be told of them. Pure.
std::vector<Condition> ConditionsFor(const Caller& caller,
                                     const std::vector<Condition>& conditions);

}  // namespace svnet

// A configuration as the text that one would write.
#pragma once

#include <vector>

#include "daemon/base/setting.h"
#include "daemon/config/config.h"

namespace svnet {

// Each key, in the order of AllKeys(), then each override of [limits.users] and [limits.groups],
// and then each key of each [networks.NAME]. Users and groups are numbers. A file with the lines
// `name = value` makes the same configuration. Pure.
std::vector<Setting> EffectiveSettings(const Config& config);

}  // namespace svnet

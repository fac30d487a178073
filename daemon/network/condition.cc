#include "daemon/network/condition.h"

#include <algorithm>

namespace svnet {

std::vector<Condition> ConditionsFor(const Caller& caller,
                                     const std::vector<Condition>& conditions) {
  if (caller.administrator) return conditions;
  std::vector<Condition> told;
  for (Condition condition : conditions) {
    if (!condition.for_all.empty()) {
      condition.message = condition.for_all;
      condition.remedy = "an administrator sees more: `svnetctl status` as root";
    }
    // Of several that differ only in what they name, one is enough.
    if (std::find(told.begin(), told.end(), condition) == told.end()) told.push_back(condition);
  }
  return told;
}

}  // namespace svnet

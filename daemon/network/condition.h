// Something that is not as it should be (the contract's Condition).
#pragma once

#include <string>
#include <vector>

#include "daemon/network/caller.h"

namespace svnet {

struct Condition {
  std::string type;
  std::string message;
  std::string remedy;
  // What callers who are not administrators are told in place of `message` and `remedy`,
  // where those name TAPs, which may be other owners'; empty: the same.
  std::string for_all = "";

  friend bool operator==(const Condition&, const Condition&) = default;
};

// What `caller` may be told of them. Pure.
std::vector<Condition> ConditionsFor(const Caller& caller,
                                     const std::vector<Condition>& conditions);

}  // namespace svnet

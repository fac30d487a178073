// Says when something is no longer as it should be, and when it is again.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/condition.h"

namespace svnet {

class EventSink;

// Whoever reads the log later knows from when to when guests had no network, and why: who asked
// for the status meanwhile does not matter. Not thread-safe.
class ConditionLog {
 public:
  // `events` must outlive it.
  explicit ConditionLog(EventSink* events) : events_(events) {}

  // All conditions that hold now. Publishes those of a type that did not hold at the last call, and
  // of others if more of that type hold; and each type that holds no longer.
  void Note(const std::vector<Condition>& now);

 private:
  using Messages = std::set<std::string>;

  void Publish(const std::string& what);

  EventSink* const events_;
  std::map<std::string, Messages> known_;  // by type
};

}  // namespace svnet

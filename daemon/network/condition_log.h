// Says when something is no longer as it should be, and when it is again.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/base/condition.h"

namespace svnet {

class EventSink;

// Whoever reads the log later knows from when to when guests had no network, and why: who asked
// for the status meanwhile does not matter. Not thread-safe.
class ConditionLog {
 public:
  // `events` must outlive it.
  explicit ConditionLog(EventSink* events) : events_(events) {}

  // Something has happened.
  void LookSoon(absl::Time now) { due_ = std::min(due_, now + kDelay); }
  // When to look for conditions.
  absl::Time due() const { return due_; }
  // Whether that is now; then the next time is later.
  bool TakeDue(absl::Time now);
  // All conditions that hold now. Publishes those of a type that did not hold at the last call, and
  // of others if more of that type hold; and each type that holds no longer. Of the networks in
  // `unread` it is not known: there, what held still does.
  void Note(const std::vector<Condition>& now, const std::set<NetworkName>& unread);

 private:
  // So long after something has happened, and without that so often: what only grows full says
  // nothing.
  static constexpr absl::Duration kDelay = absl::Seconds(1);
  static constexpr absl::Duration kInterval = absl::Seconds(10);

  using Messages = std::set<std::string>;

  struct Kind {
    NetworkName network;
    std::string type;

    friend auto operator<=>(const Kind&, const Kind&) = default;
  };
  static Kind KindOf(const Condition& each) { return {.network = each.network, .type = each.type}; }

  void Publish(const NetworkName& network, const std::string& what);

  EventSink* const events_;
  absl::Time due_ = absl::InfinitePast();
  std::map<Kind, Messages> known_;
};

}  // namespace svnet

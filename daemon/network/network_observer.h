// Looks at a network, for people and for metrics.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/base/token_bucket.h"
#include "daemon/network/network_status.h"

namespace svnet {

class Infrastructure;
class LastFailure;
class LeaseBook;
class NetworkClosure;
class NetworkRules;
class Reconciler;
class SpecTexts;
class TapReaper;

// Not thread-safe.
class NetworkObserver {
 public:
  // All must outlive it.
  struct Parts {
    NetworkRules* rules;
    Infrastructure* infrastructure;
    const SpecTexts* texts;
    LeaseBook* book;
    TapReaper* reaper;
    Reconciler* reconciler;
    const LastFailure* failure;
    const NetworkClosure* closure;
    Clock clock;
  };
  explicit NetworkObserver(const Parts& parts) : parts_(parts) {}

  // The state now, or, if it was asked for very often, a moment ago: sets `looked`.
  absl::StatusOr<NetworkStatus> Observe(bool* looked);
  // What is wrong now, as far as it is known without asking for all links.
  absl::StatusOr<std::vector<Condition>> FindConditions();
  // All but `watchers`.
  absl::StatusOr<NetworkMeasures> Measure();

  // How often it looks at the host.
  static constexpr TokenBucket::Rate kLooks = {.burst = 20, .per_second = 4};

 private:
  absl::Status Look(bool* looked);
  // Those of leases.
  void AddConditions(std::vector<Condition>* conditions) const;

  const Parts parts_;
  TokenBucket looks_{kLooks};
  std::optional<InfrastructureStatus> seen_;  // by the last look
};

}  // namespace svnet

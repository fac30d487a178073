// Which of svnetd's components serve, and who wants to hear of changes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/mutex.h"
#include "daemon/base/quota.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_health.h"
#include "daemon/rpc/message_source.h"

namespace svnet {

class HealthWatch;

// Thread-safe.
class HealthBoard {
 public:
  // The components, by the names that callers ask for: "" (all that follow),
  // "svnet.v1.NetworkService" (calls are taken), "network", "firewall" and "monitor" (see
  // NetworkHealth; of all networks), "network/NAME" (that network, and its firewall).
  //
  // May be called with locks held: wakes, and waits for nobody.
  void SetNetworks(const HealthOfNetworks& health) ABSL_LOCKS_EXCLUDED(mutex_);
  // svnetd is on its way out: nothing serves from now on.
  void StopServing() ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<std::string> Components() ABSL_LOCKS_EXCLUDED(mutex_);
  // nullopt: there is no such component.
  std::optional<bool> IsServing(absl::string_view component) ABSL_LOCKS_EXCLUDED(mutex_);

  // Says how the component is, and then each change; what lies between two reads is left
  // out. `wake` is called when there may be something to take: in any thread, and with
  // locks held. QUOTA_EXCEEDED if the caller, or all callers together, watch as often as
  // may be.
  absl::StatusOr<std::shared_ptr<MessageSource>> Watch(const Caller& caller,
                                                       absl::string_view component,
                                                       std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // After what there is to take.
  void EndWatches(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class HealthWatch;

  std::optional<bool> Find(absl::string_view component) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Quota quota_{"watches of svnetd's health", Quota::kOfStreams};
  Mutex mutex_;
  HealthOfNetworks networks_ ABSL_GUARDED_BY(mutex_) = {{NetworkName(), NetworkHealth()}};
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  // Those that are open.
  std::set<HealthWatch*> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet

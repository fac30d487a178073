// Runs the calls of all callers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/log/limited_log.h"
#include "daemon/log/log_fields.h"
#include "daemon/metrics/metrics.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_status.h"
#include "daemon/rpc/health_board.h"
#include "daemon/rpc/message_source.h"
#include "daemon/rpc/status_board.h"
#include "daemon/rpc/unstarted_calls.h"
#include "daemon/wire/message.h"

namespace svnet {

// From a request's bytes to those of its response: parses, calls, logs one line, counts. Not
// thread-safe: who runs the calls, one after the other, has it.
class CallRunner {
 public:
  // All must outlive it.
  struct Parts {
    Metrics* metrics;
    HealthBoard* health;
    const StatusBoard* board;
    LimitedLog* log;
  };
  // Until SetNetwork, calls are answered as UnstartedCalls says.
  CallRunner(const Parts& parts, Unstarted unstarted)
      : parts_(parts), unstarted_(std::move(unstarted)) {}

  // Another attempt to start the network has failed.
  void SetWhyUnstarted(const absl::Status& why) { unstarted_.why = why; }
  // Another configuration of them is to be started.
  void SetUnstartedNetworks(const std::vector<NetworkSettings>& networks) {
    unstarted_.networks = networks;
  }
  // Must outlive it.
  void SetNetwork(NetworkApi* api) { api_ = api; }

  // What there is to count.
  MeasuresOfNetworks Measure() const;

  struct Call {
    Caller caller;
    Method method;
    std::string request;
    absl::Time since;  // when it came, as MonotonicNow
    int times_parked = 0;
    std::unique_ptr<Cleanup> cleanup = nullptr;  // if it is one that is under way
    bool goes_on = false;  // Run has returned nullopt, but it waits for nothing but its next turn
  };

  // The response, or the error that is the call's answer. nullopt: it is to run again, after
  // others' calls if it `goes_on`, or else when something that was dying is gone; not if
  // `must_end`, nor too often. The method is no watch.
  std::optional<absl::StatusOr<std::string>> Run(Call& call, bool must_end);

  // What one says on the socket of TAPs: whose queues it opens.
  struct OpenTapCall {
    Caller caller;
    std::string request;  // the bytes of an OpenTapRequest
    absl::Time since;
  };
  // At most `most` more queues. To be repeated until `opened` is complete, or an error is the
  // answer.
  absl::Status OpenTap(const OpenTapCall& call, size_t most, OpenedTap* opened);

  // What the watch says, one message after the other; `wake` is as NetworkApi::WatchTaps
  // has it.
  absl::StatusOr<std::shared_ptr<MessageSource>> Watch(const Caller& caller, Method method,
                                                       const std::string& request,
                                                       std::function<void()> wake);

  // No watch says more than what is waiting already, and then `why`.
  void EndWatches(const absl::Status& why);

 private:
  absl::StatusOr<std::string> CheckHealth(const std::string& request);
  absl::StatusOr<std::shared_ptr<MessageSource>> WatchTaps(const Caller& caller,
                                                           const std::string& request,
                                                           std::function<void()> wake);
  absl::Status OpenTapNow(const OpenTapCall& call, size_t most, OpenedTap* opened, LogLine* line);
  absl::StatusOr<std::string> RunNow(const Call& call, LogLine* line);
  // nullopt as Run has it.
  std::optional<absl::StatusOr<std::string>> GoOnWithCleanup(Call& call, bool must_end,
                                                             LogLine* line);
  UnstartedCalls CallsBeforeStart(const Caller& caller) const;

  const Parts parts_;
  Unstarted unstarted_;
  NetworkApi* api_ = nullptr;
};

}  // namespace svnet

// What a gate's callers call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/accept/gate_outbox.h"
#include "daemon/accept/gate_watches.h"
#include "daemon/accept/wake_list.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/wire/message.h"

namespace svnet {

// Runs the calls, each as the caller whose connection it is from, and keeps those that are not
// answered at once. Not thread-safe.
class GateCalls {
 public:
  struct Parts {
    uint64_t gate;     // its number
    bool for_metrics;  // it calls for the page of metrics, and nothing else
    CallRunner* runner;
    std::shared_ptr<WakeList> wakes;
    const std::function<std::string()>* metrics_page;
    const GateOutbox* out;
    std::function<void(Message message, absl::string_view body)> send;
  };

  // What `parts` names must outlive it.
  explicit GateCalls(const Parts& parts)
      : parts_(parts),
        watches_({.gate = parts.gate,
                  .runner = parts.runner,
                  .wakes = parts.wakes,
                  .out = parts.out,
                  .send = parts.send}) {}

  // The calls of that connection are `caller`'s, until it is forgotten: then none is begun any
  // more.
  void Add(uint64_t connection, std::shared_ptr<const Caller> caller) {
    callers_.emplace(connection, std::move(caller));
  }
  void Forget(uint64_t connection) { callers_.erase(connection); }

  // What the gate says. False: it breaks the protocol.
  bool Call(Message message);
  bool Cancel(uint64_t call);
  bool Pull(uint64_t call);
  // It has taken something.
  void MoveOnAll() { watches_.MoveOnAll(); }

  // That watch may have something to say, or that call goes on.
  void Wake(uint64_t call);
  // Calls that could not go on may try again; for the last time, if they `must_end`.
  void Resume(bool must_end);
  // Calls that come or go on from now on must end.
  void Drain() { is_draining_ = true; }

 private:
  // Runs it, and answers it or keeps it.
  void Try(uint64_t id, CallRunner::Call call, bool must_end);
  void Answer(uint64_t id, const absl::StatusOr<std::string>& answer);

  const Parts parts_;
  bool is_draining_ = false;
  std::map<uint64_t, std::shared_ptr<const Caller>> callers_;  // by connection
  uint64_t last_call_ = 0;
  std::map<uint64_t, CallRunner::Call> parked_;
  GateWatches watches_;
};

}  // namespace svnet

#include "daemon/accept/gate_calls.h"

#include <optional>

#include "absl/status/status.h"
#include "daemon/base/clock.h"
#include "daemon/rpc/error_details.h"

namespace svnet {

bool GateCalls::Call(Message message) {
  if (message.id <= last_call_ || message.body.size() > kMaxRequestSize ||
      parts_.for_metrics != (message.method == Method::kMetricsPage) ||
      parked_.size() >= kMaxCallsInCore || watches_.size() >= kMaxWatchesOfGate) {
    return false;
  }
  last_call_ = message.id;
  if (parts_.for_metrics) {
    Answer(message.id, (*parts_.metrics_page)());
    return true;
  }
  const auto found = callers_.find(message.connection);
  if (found == callers_.end()) {  // its connection has ended meanwhile
    IsWatch(message.method) ? watches_.End(message.id, absl::CancelledError())
                            : Answer(message.id, absl::CancelledError());
  } else if (IsWatch(message.method)) {
    watches_.Begin(*found->second, message);
  } else {
    Try(message.id,
        {.caller = *found->second,
         .method = message.method,
         .request = std::move(message.body),
         .since = MonotonicNow()},
        is_draining_);
  }
  return true;
}

bool GateCalls::Cancel(uint64_t call) {
  if (call > last_call_) return false;
  if (parked_.erase(call) > 0) Answer(call, absl::CancelledError());
  if (watches_.Has(call)) watches_.End(call, absl::CancelledError());
  return true;  // what is answered already crossed it
}

bool GateCalls::Pull(uint64_t call) {
  if (call > last_call_) return false;
  return watches_.Has(call) ? watches_.Pull(call) : parked_.count(call) == 0;
}

void GateCalls::Try(uint64_t id, CallRunner::Call call, bool must_end) {
  const auto answer = parts_.runner->Run(call, must_end);
  if (answer.has_value()) return Answer(id, *answer);
  if (call.goes_on) parts_.wakes->Wake({.gate = parts_.gate, .call = id});
  parked_.emplace(id, std::move(call));
}

void GateCalls::Wake(uint64_t call) {
  auto parked = parked_.extract(call);
  if (parked.empty()) return watches_.MoveOn(call);
  Try(call, std::move(parked.mapped()), is_draining_);
}

void GateCalls::Resume(bool must_end) {
  std::map<uint64_t, CallRunner::Call> parked = std::move(parked_);
  parked_.clear();
  for (auto& [id, call] : parked) {
    if (call.goes_on && !must_end) {
      parked_.emplace(id, std::move(call));  // it is woken already
    } else {
      Try(id, std::move(call), must_end);
    }
  }
}

void GateCalls::Answer(uint64_t id, const absl::StatusOr<std::string>& answer) {
  parts_.send({.kind = MessageKind::kAnswer, .id = id, .status = ToWireStatus(answer.status())},
              answer.ok() ? absl::string_view(*answer) : "");
}

}  // namespace svnet

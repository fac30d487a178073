// One gate, as svnetd sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/accept/gate_calls.h"
#include "daemon/accept/gate_outbox.h"
#include "daemon/accept/poller.h"
#include "daemon/accept/wake_list.h"
#include "daemon/base/unique_fd.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/wire/channel.h"
#include "daemon/wire/message.h"

namespace svnet {

// Runs the calls that come from the gate, one message at a time, and answers. Whatever the
// gate sends is a claim: what breaks the protocol ends the gate. It is never waited for: while
// it does not take what is sent to it, nothing more is read from it, so that it has one answer
// here that it has not taken, and no more. Not thread-safe.
class GateLink {
 public:
  enum class End { kDied, kProtocol };  // why a gate is of no use any more

  // What all gates' links have in common. All outlive them.
  struct Services {
    Poller* poller;
    CallRunner* runner;
    std::shared_ptr<WakeList> wakes;
    std::function<std::string()> metrics_page;
  };

  // `on_end` is called once, in the middle of something: the owner then ends the gate when it
  // is not. `for_metrics`: it calls for the page of metrics, and nothing else.
  GateLink(uint64_t number, bool for_metrics, Channel channel, const Services* services,
           std::function<void(End)> on_end);
  ~GateLink() { Stop(); }

  absl::Status Start();
  // Nothing of it counts any more, also what has come already.
  void Stop();

  // Its calls are `caller`'s; all are answered with `verdict`, if that is an error.
  void HandOver(uint64_t connection, std::shared_ptr<const Caller> caller,
                const absl::Status& verdict, UniqueFd fd);
  // That connection has ended: its calls are not begun any more.
  void Forget(uint64_t connection);

  // That watch may have something to say, or that call goes on.
  void Wake(uint64_t call) { calls_.Wake(call); }
  // Calls that could not go on may try again; for the last time, if they `must_end`.
  void Resume(bool must_end) { calls_.Resume(must_end); }
  // Calls that come from now on are answered with `why`.
  void Drain(const absl::Status& why);
  // After Drain: all that it had to answer is with its callers.
  bool is_drained() const { return is_drained_; }

  absl::Time last_heard() const { return last_heard_; }
  // Whether it is to be ended, because for kPatience it has neither read nor said anything.
  // Asks it now and then, so that one shows that hangs while nobody calls. Call it at CheckDue.
  bool IsStuck(absl::Time now);
  absl::Time CheckDue() const { return check_at_; }

  static constexpr absl::Duration kPatience = absl::Seconds(10);

 private:
  void OnEvents(uint32_t events);
  // False: it breaks the protocol.
  bool Handle(Message message);

  void Send(Message message, absl::string_view body = "", UniqueFd descriptor = UniqueFd());
  // The gate has taken something, or not.
  void GoOnAfter(const absl::Status& sent);
  void Listen();  // for what it now makes sense to hear
  void Finish(End end);

  const Channel channel_;
  GateOutbox out_;
  const Services* const services_;
  const std::function<void(End)> on_end_;
  Poller::Id watch_ = 0;
  uint32_t events_ = 0;  // that are listened for
  bool ended_ = false;
  bool is_ready_ = false;
  bool is_draining_ = false;
  bool is_drained_ = false;

  GateCalls calls_;
  absl::Time last_heard_;
  absl::Time check_at_;
};

}  // namespace svnet

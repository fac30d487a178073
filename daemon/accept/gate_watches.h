// The watches that a gate's callers have open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/accept/gate_outbox.h"
#include "daemon/accept/wake_list.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/call_runner.h"
#include "daemon/wire/message.h"

namespace svnet {

// Sends an event of a watch when the gate has asked for one and has taken all before it. Not
// thread-safe.
class GateWatches {
 public:
  struct Parts {
    uint64_t gate;  // its number
    CallRunner* runner;
    std::shared_ptr<WakeList> wakes;
    const GateOutbox* out;
    std::function<void(Message message, absl::string_view body)> send;
  };

  // What `parts` names must outlive it.
  explicit GateWatches(Parts parts) : parts_(std::move(parts)) {}
  ~GateWatches();

  bool Has(uint64_t id) const { return watches_.contains(id); }
  size_t size() const { return watches_.size(); }

  // Both tell the gate.
  void Begin(const Caller& caller, const Message& call);
  void End(uint64_t id, const absl::Status& why);

  // The gate asks for the next event. False: it has asked, and got none yet.
  bool Pull(uint64_t id);
  // The watch may have something to say.
  void MoveOn(uint64_t id);
  // The gate has taken something.
  void MoveOnAll();

 private:
  struct Watch {
    std::shared_ptr<MessageSource> source;
    bool pulled = false;  // the gate has asked for an event, and has not got it
  };

  const Parts parts_;
  std::map<uint64_t, Watch> watches_;
  std::set<uint64_t> delayed_;  // had something to say while the gate had not taken all
};

}  // namespace svnet

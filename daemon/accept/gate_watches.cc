#include "daemon/accept/gate_watches.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/rpc/error_details.h"

namespace svnet {

GateWatches::~GateWatches() {
  for (auto& [id, watch] : watches_) watch.source->Close();
}

void GateWatches::Begin(const Caller& caller, const Message& call) {
  const WakeList::Watch watch = {.gate = parts_.gate, .call = call.id};
  const auto source = parts_.runner->Watch(caller, call.method, call.body,
                                           [wakes = parts_.wakes, watch] { wakes->Wake(watch); });
  if (!source.ok()) return End(call.id, source.status());
  watches_.emplace(call.id, Watch{.source = *source});
  parts_.send({.kind = MessageKind::kBegun, .id = call.id}, "");
}

void GateWatches::End(uint64_t id, const absl::Status& why) {
  if (const auto found = watches_.find(id); found != watches_.end()) {
    found->second.source->Close();
    watches_.erase(found);
    delayed_.erase(id);
  }
  parts_.send({.kind = MessageKind::kEnd, .id = id, .status = ToWireStatus(why)}, "");
}

bool GateWatches::Pull(uint64_t id) {
  if (std::exchange(watches_.at(id).pulled, true)) return false;
  MoveOn(id);
  return true;
}

void GateWatches::MoveOn(uint64_t id) {
  const auto found = watches_.find(id);
  if (found == watches_.end() || !found->second.pulled) return;
  if (!parts_.out->empty()) {
    delayed_.insert(id);
    return;
  }
  const std::optional<absl::StatusOr<std::string>> next = found->second.source->Take();
  if (!next.has_value()) return;
  if (!next->ok()) return End(id, next->status());
  found->second.pulled = false;
  parts_.send({.kind = MessageKind::kEvent, .id = id}, **next);
}

void GateWatches::MoveOnAll() {
  while (parts_.out->empty() && !delayed_.empty()) {
    const uint64_t id = *delayed_.begin();
    delayed_.erase(delayed_.begin());
    MoveOn(id);
  }
}

}  // namespace svnet

#include "daemon/accept/gate_reaper.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace svnet {

absl::Time GateReaper::NextDue() const {
  if (!ending_.empty()) return absl::InfinitePast();
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [number, gate] : *parts_.table) {
    if (IsChecked(gate)) due = std::min(due, gate.link->CheckDue());
    if (gate.IsIdle()) due = std::min(due, gate.idle_since + kIdle);
  }
  return due;
}

void GateReaper::Tick(absl::Time now) {
  for (const auto& [number, gate] : *parts_.table) {
    if (IsChecked(gate) && gate.link->IsStuck(now)) End(number, Why::kStuck);
    if (gate.IsIdle() && gate.idle_since + kIdle <= now) End(number, Why::kIdle);
  }
  // To end one may find another of no use.
  while (!ending_.empty()) {
    const Ending ending = ending_.back();
    ending_.pop_back();
    EndNow(ending.gate, ending.why);
  }
}

bool GateReaper::IsChecked(const GateEntry& gate) {
  return gate.kind != Kind::kMetrics && !gate.connections.empty();
}

void GateReaper::End(GateNumber number, Why why) {
  GateEntry& gate = parts_.table->at(number);
  if (gate.is_ending) return;
  Retire(gate, why);
  ending_.push_back({number, why});
}

void GateReaper::Retire(GateEntry& gate, Why why) {
  parts_.table->Retire(&gate);
  const bool by_its_fault = why == Why::kDied || why == Why::kProtocol || why == Why::kStuck;
  // At once, so that a caller who comes in the same turn waits, too.
  parts_.supply->NoteEnd(gate, by_its_fault);
  if (by_its_fault) LogEnd(gate, why);
}

void GateReaper::EndNow(GateNumber number, Why why) {
  GateEntry* const found = parts_.table->Find(number);
  if (found == nullptr) return;
  if (!found->is_ending) Retire(*found, why);
  const GateEntry gate = parts_.table->Remove(number);
  parts_.supply->Kill(number);
  parts_.metrics->Ended(why);
  parts_.on_ended(gate);
}

void GateReaper::LogEnd(const GateEntry& gate, Why why) {
  const bool own = gate.kind == Kind::kOwn;
  const uid_t uid = own ? gate.caller->uid : LogLimit::kTogether;
  const auto source = own ? LogLimit::Source::kUser : LogLimit::Source::kRefused;
  parts_.log->Write(spdlog::level::warn, source, uid, [&] {
    LogLine line = {.text =
                        absl::StrCat("the gate of ", own ? absl::StrCat("uid ", uid) : "several",
                                     " has ended (", GateMetrics::NameOf(why), "), and with it ",
                                     gate.connections.size(), " connections")};
    if (own) line.fields.caller = uid;
    return line;
  });
}

}  // namespace svnet

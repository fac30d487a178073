#include "daemon/accept/gate_table.h"

#include <algorithm>
#include <utility>

#include "daemon/accept/gate_maker.h"

namespace svnet {

GateEntry* GateTable::Find(GateNumber number) {
  const auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<GateNumber> GateTable::FindOwn(const Caller& caller) const {
  const auto found = own_.find(caller);
  if (found == own_.end()) return std::nullopt;
  return found->second;
}

std::optional<GateNumber> GateTable::FindSpare() const { return FindCommon(Kind::kSpare); }

std::optional<GateNumber> GateTable::FindCommon(Kind kind) const {
  for (const auto& [number, entry] : entries_) {
    const bool full = kind == Kind::kShared && entry.taken == GateMaker::kMostOfShared;
    if (entry.kind == kind && !full && !entry.is_ending) return number;
  }
  return std::nullopt;
}

void GateTable::Add(GateNumber number, GateEntry entry) {
  entries_.emplace(number, std::move(entry));
}

void GateTable::Give(GateNumber number, const Caller& caller) {
  GateEntry& entry = entries_.at(number);
  entry.kind = Kind::kOwn;
  entry.caller = std::make_shared<const Caller>(caller);
  own_.emplace(caller, number);
}

void GateTable::Retire(GateEntry* entry) {
  entry->is_ending = true;
  if (entry->kind == Kind::kOwn) own_.erase(*entry->caller);
}

GateEntry GateTable::Remove(GateNumber number) {
  return std::move(entries_.extract(number).mapped());
}

GateTable::Room GateTable::RoomFor(const Caller& caller) const {
  const Which is_of_uid = [&](const Caller& each) { return each.uid == caller.uid; };
  const Which is_of_kind = [&](const Caller& each) {
    return each.administrator == caller.administrator;
  };
  const bool uid_has_too_many = CountOwn(is_of_uid) >= kMostOfOneUid;
  const bool there_are_too_many = CountOwn(is_of_kind) >= kMost;
  if (!uid_has_too_many && !there_are_too_many) {
    return {.is_there = true, .in_place_of = std::nullopt};
  }
  const std::optional<GateNumber> idle = LongestIdleOwn([&](const Caller& each) {
    return (!uid_has_too_many || is_of_uid(each)) && (!there_are_too_many || is_of_kind(each));
  });
  return {.is_there = idle.has_value(), .in_place_of = idle};
}

size_t GateTable::CountOwn(const Which& which) const {
  return std::count_if(own_.begin(), own_.end(),
                       [&](const auto& each) { return which(each.first); });
}

std::optional<GateNumber> GateTable::LongestIdleOwn(const Which& which) const {
  std::optional<GateNumber> longest;
  absl::Time since = absl::InfiniteFuture();
  for (const auto& [caller, number] : own_) {
    const GateEntry& entry = entries_.at(number);
    if (!entry.IsIdle() || !which(caller) || entry.idle_since >= since) continue;
    longest = number;
    since = entry.idle_since;
  }
  return longest;
}

}  // namespace svnet

// The gates that there are, and whose they are.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/time/time.h"
#include "daemon/accept/gate_link.h"
#include "daemon/network/caller.h"

namespace svnet {

// None comes twice.
using GateNumber = uint64_t;

struct GateEntry {
  enum class Kind {
    kSpare,    // nobody's yet
    kOwn,      // of one caller
    kShared,   // of those who came when there were too many
    kRefused,  // of all who are refused
    kMetrics,
  };

  Kind kind;
  std::unique_ptr<GateLink> link;
  std::shared_ptr<const Caller> caller;  // kOwn
  std::set<uint64_t> connections;
  uint32_t taken = 0;     // connections that it has had in its life
  absl::Time idle_since;  // if it has none
  // No connection comes to it any more.
  bool is_ending = false;

  bool IsIdle() const { return kind != Kind::kSpare && connections.empty(); }
};

// Finds the gate for a caller. Does nothing to a gate. Not thread-safe.
class GateTable {
 public:
  using Kind = GateEntry::Kind;
  using Entries = std::map<GateNumber, GateEntry>;

  GateEntry& at(GateNumber number) { return entries_.at(number); }
  // nullptr: there is none, or no more.
  GateEntry* Find(GateNumber number);
  Entries::const_iterator begin() const { return entries_.begin(); }
  Entries::const_iterator end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }

  // Those that are not ending.
  std::optional<GateNumber> FindOwn(const Caller& caller) const;
  std::optional<GateNumber> FindSpare() const;
  // One that may take one more connection.
  std::optional<GateNumber> FindCommon(Kind kind) const;

  void Add(GateNumber number, GateEntry entry);
  // It has been a spare, or is new.
  void Give(GateNumber number, const Caller& caller);
  // Nothing finds it from now on, but its number.
  void Retire(GateEntry* entry);
  GateEntry Remove(GateNumber number);

  // What must end first, so that there is room for one more of the caller's own.
  struct Room {
    bool is_there;
    std::optional<GateNumber> in_place_of;  // it is idle
  };
  Room RoomFor(const Caller& caller) const;

  // With a gate of their own: of users, and as many administrators besides.
  static constexpr size_t kMost = 64;
  static constexpr size_t kMostOfOneUid = 4;

 private:
  using Which = std::function<bool(const Caller&)>;
  // Of the own gates of which callers.
  size_t CountOwn(const Which& which) const;
  std::optional<GateNumber> LongestIdleOwn(const Which& which) const;

  Entries entries_;
  std::map<Caller, GateNumber> own_;
};

}  // namespace svnet

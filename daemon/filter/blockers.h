// Which packet filters on the way stop guests. A packet must pass all base chains of its
// hook, whoever made them: an accept in one does not beat a drop in another. All pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/filter/rules.h"

namespace svnet {

// Whose a base chain is.
enum class Maker { kOurs, kDocker, kUfw, kFirewalld, kIptables, kOther };

// The network whose guests they are.
struct GuestNetwork {
  std::string bridge;
  std::string uplink;  // by which they get out; empty: not known
};

// Whose `base`, one of `chains`, is.
Maker MakerOf(const std::vector<FilterChain>& chains, const FilterChain& base,
              const std::string& bridge);

// "Docker", "ufw", "firewalld", "iptables", "another table of nftables".
absl::string_view NameOf(Maker maker);

// Whether it sees IPv4 packets that the host forwards.
bool SeesForwarded(const FilterChain& chain);

// Another program's base chain that filters what the host forwards, with rules or by its
// policy; nullopt: there is none. Another svnetd's counts.
std::optional<std::string> DescribeForwardFilter(const std::vector<FilterChain>& chains,
                                                 const std::string& bridge);
// Whether somebody who is no svnetd filters it.
bool IsForwardingFiltered(const std::vector<FilterChain>& chains);

// Of what `base` drops of guests' traffic, the first.
struct Stopped {
  bool is_answer = false;  // of an answer to guests, and not of what they send
  FilterDrop drop;
};
std::optional<Stopped> FindStopped(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   const GuestNetwork& network);

// A base chain that stops guests.
struct Blocker {
  Maker maker;
  FilterChain base;
  Stopped stopped;

  // "Docker drops what guests send out: hook forward, chain FORWARD of table ip filter, by
  // its policy".
  std::string Describe() const;
};
// None of them ours.
std::vector<Blocker> FindBlockers(const std::vector<FilterChain>& chains,
                                  const GuestNetwork& network);

// What to type against it, for root.
std::string FixOf(const std::vector<FilterChain>& chains, const Blocker& blocker,
                  const std::string& bridge);

// Whether svnetd can let guests through by itself, with `manage_foreign_firewalls`: its
// maker has a place for that.
bool IsManageable(Maker maker);

// The chain beside `base` that has that name; nullptr: there is none.
const FilterChain* FindBeside(const std::vector<FilterChain>& chains, const FilterChain& base,
                              absl::string_view name);

}  // namespace svnet

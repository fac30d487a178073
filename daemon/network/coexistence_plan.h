// What of ours should stand in other people's packet filters. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/filter/blockers.h"
#include "daemon/filter/rules.h"

namespace svnet {

// A chain that should hold these rules of ours, and holds others, or none.
struct Placement {
  FilterChain chain;  // as it is now
  std::vector<FilterRule> rules;

  // "Docker's chain DOCKER-USER of table ip filter".
  std::string Describe() const;
};

struct CoexistencePlan {
  std::vector<Placement> placements;
  // What is to become of the bridge in firewalld's zone.
  enum class Zone { kAsItIs, kJoin, kLeave };
  Zone zone = Zone::kAsItIs;

  bool IsEmpty() const { return placements.empty() && zone == Zone::kAsItIs; }
};

// What makes `chains` let the network's guests through; with `admit` false, what takes all
// of ours away. Rules with the comment `tag` are ours.
//
// Accepts stand only where a maker has a place for the rules of others, behind those that
// are there already (somebody who drops there means it), and only if they help.
CoexistencePlan PlanCoexistence(const std::vector<FilterChain>& chains, const GuestNetwork& network,
                                const std::string& tag, bool admit);

}  // namespace svnet

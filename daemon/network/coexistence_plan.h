// What of ours should stand in other people's packet filters. Pure.
#pragma once

#include <set>
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

// Whether Docker itself would have named a bridge so (docker0, docker_gwbridge, br-0123456789ab):
// what leaves by such a link is Docker's to decide, also before there is one.
bool IsDockerName(const std::string& link);

// The other bridges of Docker's networks, whose names its users chose: those to which its rules
// send packets.
std::set<std::string> FindDockerBridges(const std::vector<FilterChain>& chains);
// The same, as rules of ours that exist already have it.
std::set<std::string> FindReturnedBridges(const std::vector<FilterChain>& chains,
                                          const std::string& tag);

// What makes `chains` let the network's guests through; with `admit` false, what takes all
// of ours away. Rules with the comment `tag` are ours.
//
// Accepts stand only where a maker has a place for the rules of others, behind those that
// are there already (somebody who drops there means it), and only if they help.
//
// What goes to a container stays Docker's decision at every moment: before each accept is a
// return for all links with names of Docker's own, and for `docker_bridges`. These must not
// be taken from `chains` alone. While Docker makes its rules anew, which takes it many
// commands, some of its bridges are not in them.
CoexistencePlan PlanCoexistence(const std::vector<FilterChain>& chains, const GuestNetwork& network,
                                const std::set<std::string>& docker_bridges, const std::string& tag,
                                bool admit);

}  // namespace svnet

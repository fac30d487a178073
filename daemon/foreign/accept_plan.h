// Which accept rules svnetd wants in other programs' firewalls. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/filter_chain.h"
#include "daemon/foreign/foreign_firewalls.h"

namespace svnet {

// A chain in which svnetd's rules have to be replaced by `rules`.
struct Placement {
  FilterChain chain;  // as it is now
  std::vector<FilterRule> rules;

  // "Docker's chain DOCKER-USER of table ip filter".
  std::string Describe() const;
};

struct AcceptPlan {
  std::vector<Placement> placements;
  // What firewalld's zone is to have, and no longer.
  std::vector<ZoneMember> join;
  std::vector<ZoneMember> leave;

  bool ChangesZone() const { return !join.empty() || !leave.empty(); }
  bool IsEmpty() const { return placements.empty() && !ChangesZone(); }
};

// Whether Docker names its bridges like that (docker0, docker_gwbridge, br-0123456789ab): Docker
// decides about traffic to such links, even before they exist.
bool IsDockerName(const std::string& link);

// The other bridges of Docker's networks, with names chosen by its users: those that its rules
// name.
std::set<std::string> FindDockerBridges(const std::vector<FilterChain>& chains);
// The same bridges, according to svnetd's existing rules.
std::set<std::string> FindReturnedBridges(const std::vector<FilterChain>& chains,
                                          const std::string& tag);

// The changes that make `chains` let the guests of `admitted` through, and leave no rule for those
// of `others`. Rules with the comment `tag` are svnetd's.
//
// Accepts are added only in a firewall's extension point, after the rules that are already there
// (which may drop traffic on purpose), and only if they help.
//
// Docker decides about traffic to containers at every moment: before the accepts are returns for
// all links with Docker's own names and for `docker_bridges`. The latter must not be taken from
// `chains` alone: while Docker rebuilds its rules, with many commands, some of its bridges are
// missing from them.
AcceptPlan PlanAccepts(const std::vector<FilterChain>& chains,
                       const std::vector<GuestNetwork>& admitted,
                       const std::vector<GuestNetwork>& others,
                       const std::set<std::string>& docker_bridges, const std::string& tag);

}  // namespace svnet

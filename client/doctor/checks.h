// The checks of `svnetctl doctor`: pure functions of what was observed.
#pragma once

#include <string>
#include <vector>

#include "client/doctor/finding.h"
#include "client/doctor/observed.h"

namespace svnet::client {

struct Check {
  // For the command line and scripts; stable.
  const char* id;
  // What is checked, for people.
  const char* title;
  // At least one finding.
  Findings (*examine)(const Observed& observed);
  // It is about one network, and made for each.
  bool per_network = false;
};

// Causes come before their consequences.
const std::vector<Check>& AllChecks();

// caller_checks.cc
Findings CheckTunDevice(const Observed& observed);
Findings CheckTunAccess(const Observed& observed);
Findings CheckSocketGroup(const Observed& observed);
Findings CheckUserNamespace(const Observed& observed);
Findings CheckPidNamespace(const Observed& observed);

// daemon_checks.cc
Findings CheckConfiguration(const Observed& observed);
Findings CheckSystemdUnit(const Observed& observed);
Findings CheckSocket(const Observed& observed);
Findings CheckAnswer(const Observed& observed);
Findings CheckVersion(const Observed& observed);
Findings CheckNetworkNamespace(const Observed& observed);
Findings CheckConditions(const Observed& observed);

// kernel_checks.cc
Findings CheckKernelVersion(const Observed& observed);
Findings CheckBridgeModule(const Observed& observed);
Findings CheckNftModule(const Observed& observed);
Findings CheckMasqueradeModule(const Observed& observed);

// forwarding_checks.cc
Findings CheckForwarding(const Observed& observed);
Findings CheckForwardingKept(const Observed& observed);
Findings CheckLinkForwarding(const Observed& observed);
Findings CheckReversePath(const Observed& observed);
Findings CheckBridgeNetfilter(const Observed& observed);

// route_checks.cc
Findings CheckDefaultRoute(const Observed& observed);
Findings CheckUplinkUp(const Observed& observed);
Findings CheckBridgeUp(const Observed& observed);
Findings CheckBridgeAddress(const Observed& observed);
Findings CheckMtu(const Observed& observed);
Findings CheckPrefix(const Observed& observed);
Findings CheckDockerPools(const Observed& observed);

// firewall_checks.cc
Findings CheckOwnRules(const Observed& observed);
Findings CheckDocker(const Observed& observed);
Findings CheckUfw(const Observed& observed);
Findings CheckFirewalld(const Observed& observed);
Findings CheckIptables(const Observed& observed);
Findings CheckOtherRules(const Observed& observed);
Findings CheckLegacyIptables(const Observed& observed);

// capacity_checks.cc
Findings CheckAddresses(const Observed& observed);
Findings CheckPorts(const Observed& observed);
Findings CheckNeighbours(const Observed& observed);
Findings CheckBacklog(const Observed& observed);
Findings CheckConntrack(const Observed& observed);

// lease_checks.cc
Findings CheckUnattached(const Observed& observed);
Findings CheckNotAdopted(const Observed& observed);
Findings CheckNetworkd(const Observed& observed);
Findings CheckNetworkManager(const Observed& observed);

// udev_checks.cc
Findings CheckUdev(const Observed& observed);

}  // namespace svnet::client

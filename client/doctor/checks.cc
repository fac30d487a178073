#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr bool kPerNetwork = true;

}  // namespace

const std::vector<Check>& AllChecks() {
  static const auto* const checks = new std::vector<Check>{
      {"tun-device", "/dev/net/tun exists", CheckTunDevice},
      {"tun-access", "this user can open /dev/net/tun", CheckTunAccess},
      {"user-namespace", "svnetd sees this user's own uid", CheckUserNamespace},
      {"pid-namespace", "svnetd sees this user's processes", CheckPidNamespace},
      {"configuration", "svnetd's file has no errors", CheckConfiguration},
      {"systemd-unit", "the service is enabled and runs", CheckSystemdUnit},
      {"socket", "svnetd's socket exists", CheckSocket},
      {"socket-group", "this session is in the socket's group", CheckSocketGroup},
      {"answer", "svnetd answers", CheckAnswer},
      {"version", "svnetd and svnetctl have the same version", CheckVersion},
      {"network-namespace", "svnetd's bridge is in this network namespace", CheckNetworkNamespace},
      {"conditions", "svnetd reports no problem", CheckConditions, kPerNetwork},
      {"kernel-version", "the kernel is new enough", CheckKernelVersion},
      {"bridge-module", "the kernel has bridges", CheckBridgeModule},
      {"nft-module", "the kernel has nftables", CheckNftModule},
      {"masquerade-module", "the kernel has nftables' masquerade", CheckMasqueradeModule},
      {"bridge-up", "the bridge is up", CheckBridgeUp, kPerNetwork},
      {"bridge-address", "the bridge has the gateway's address", CheckBridgeAddress, kPerNetwork},
      {"default-route", "the host has a default route", CheckDefaultRoute},
      {"uplink-up", "the uplink is up", CheckUplinkUp},
      {"mtu", "the bridge's MTU is not larger than the uplink's", CheckMtu, kPerNetwork},
      {"prefix", "no other link or route has the prefix's addresses", CheckPrefix, kPerNetwork},
      {"docker-pools", "Docker will not take the prefix's addresses", CheckDockerPools},
      {"forwarding", "the host forwards", CheckForwarding},
      {"forwarding-kept", "no file turns forwarding off again", CheckForwardingKept},
      {"link-forwarding", "bridge and uplinks forward", CheckLinkForwarding, kPerNetwork},
      {"reverse-path", "reverse-path filters let answers in", CheckReversePath},
      {"bridge-netfilter", "iptables does not see the bridge's frames", CheckBridgeNetfilter,
       kPerNetwork},
      {"own-rules", "svnetd's rules exist", CheckOwnRules, kPerNetwork},
      {"docker", "Docker's rules let guests out", CheckDocker, kPerNetwork},
      {"ufw", "ufw lets guests out", CheckUfw, kPerNetwork},
      {"firewalld", "firewalld lets guests out", CheckFirewalld, kPerNetwork},
      {"iptables", "other iptables rules let guests out", CheckIptables, kPerNetwork},
      {"other-rules", "other nftables rules let guests out", CheckOtherRules, kPerNetwork},
      {"legacy-iptables", "iptables-legacy lets guests out", CheckLegacyIptables, kPerNetwork},
      {"networkd", "systemd-networkd leaves svnet's links alone", CheckNetworkd},
      {"network-manager", "NetworkManager leaves svnet's links alone", CheckNetworkManager},
      {"udev", "udev leaves svnet's TAPs alone", CheckUdev},
      {"addresses", "there are addresses left", CheckAddresses, kPerNetwork},
      {"ports", "the bridge has ports left", CheckPorts, kPerNetwork},
      {"neighbours", "the neighbour table has room", CheckNeighbours},
      {"backlog", "no packet was dropped before a processor took it", CheckBacklog},
      {"conntrack", "the connection table has room", CheckConntrack},
      {"unattached", "every persistent TAP is in use", CheckUnattached, kPerNetwork},
      {"not-adopted", "svnetd knows all of its TAPs", CheckNotAdopted},
  };
  return *checks;
}

}  // namespace svnet::client

// A Kernel in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel/kernel.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

// Behaves as the real one (tests/kernel says how that behaves), with the same state.
class FakeKernel final : public Kernel {
 public:
  // A host with an uplink: eth0 of MTU 1500, 192.0.2.10/24, and the default route.
  // `faults` must outlive it.
  explicit FakeKernel(Faults* faults);

  absl::StatusOr<std::vector<Link>> ListLinks() override;
  absl::StatusOr<std::vector<LinkAddress>> ListAddresses() override;
  absl::StatusOr<std::vector<Route>> ListRoutes() override;
  absl::StatusOr<std::optional<Link>> FindLink(const LinkName& name) override;
  absl::StatusOr<std::optional<Link>> FindLink(Ifindex ifindex) override;
  absl::StatusOr<Bridge> EnsureBridge(const BridgeSpec& spec) override;
  absl::StatusOr<bool> ReleaseBridge(const BridgeSpec& spec) override;
  absl::StatusOr<bool> IsForwarding() override;
  absl::Status EnableForwarding() override;
  absl::StatusOr<std::unique_ptr<OpenTap>> OpenNewTap(const TapSpec& spec) override;
  absl::StatusOr<std::vector<Neighbour>> ListNeighbours(Ifindex link) override;
  absl::Status SetNeighbour(Ifindex link, const Neighbour& neighbour) override;
  absl::Status DeleteNeighbour(Ifindex link, Ipv4Address address) override;
  absl::Status DeleteLink(Ifindex ifindex) override;

  // What somebody else does on the host. The ifindex is ignored, and given.
  Ifindex AddLink(Link link);
  void AddAddress(LinkAddress address) { addresses_.push_back(address); }
  void AddRoute(Route route) { routes_.push_back(route); }
  // nullptr: there is no such link.
  Link* Find(const std::string& name);
  void Delete(const std::string& name);
  void TurnForwardingOff() { forwarding_ = false; }
  // From now on it is a kernel that cannot pin a guest's MAC to its port.
  void ForgetPinning() { can_pin_ = false; }

  // Everything, one line each; equal if and only if the state is, but for forwarding,
  // which nobody turns off again, and for the ifindexes.
  std::string Dump() const;

 private:
  friend class FakeOpenTap;

  bool HasAddress(Ifindex link, Ipv4Address address) const;
  void Erase(Ifindex ifindex);
  int PortsOf(Ifindex bridge) const;

  Faults* const faults_;
  Ifindex next_ = 1;
  std::map<Ifindex, Link> links_;
  std::vector<LinkAddress> addresses_;
  std::vector<Route> routes_;
  std::map<std::pair<Ifindex, Ipv4Address>, MacAddress> neighbours_;
  bool forwarding_ = false;
  bool can_pin_ = true;
};

}  // namespace svnet::testing

// A Kernel in memory.
#pragma once

#include <sys/eventfd.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel/kernel.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

// Behaves as the real one (tests/kernel/kernel_contract_test.cc holds both to it), with the same
// state.
class FakeKernel final : public Kernel {
 public:
  // A host with an uplink: eth0 of MTU 1500, 192.0.2.10/24, and the default route.
  // `faults` must outlive it.
  explicit FakeKernel(Faults* faults);

  absl::StatusOr<std::vector<Link>> ListLinks() override;
  absl::StatusOr<std::vector<LinkAddress>> ListAddresses() override;
  absl::StatusOr<std::vector<Route>> ListRoutes() override;
  // By the routes of the main table and what addresses make on-link; without reverse path filters.
  absl::StatusOr<RouteAnswer> FindRoute(const RouteQuestion& question) override;
  absl::StatusOr<std::optional<Link>> FindLink(const LinkName& name) override;
  absl::StatusOr<std::optional<Link>> FindLink(Ifindex ifindex) override;
  absl::StatusOr<Bridge> EnsureBridge(const BridgeSpec& spec) override;
  absl::StatusOr<bool> ReleaseBridge(const BridgeSpec& spec) override;
  absl::Status RenameLink(Ifindex link, const LinkName& name) override;
  absl::StatusOr<bool> IsForwarding() override;
  absl::StatusOr<bool> IsForwarding(Ifindex link) override;
  absl::StatusOr<bool> IgnoresArp() override;
  absl::Status EnableForwarding() override;
  absl::Status DisableForwarding() override;
  absl::StatusOr<std::unique_ptr<OpenTap>> OpenNewTap(const TapSpec& spec) override;
  absl::StatusOr<std::vector<Neighbour>> ListNeighbours(Ifindex link) override;
  absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> ListAllNeighbours() override;
  absl::StatusOr<std::optional<MacAddress>> FindNeighbour(Ifindex link,
                                                          Ipv4Address address) override;
  absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> ListStaticMacs(Ifindex bridge) override;
  absl::Status SetNeighbour(Ifindex link, const Neighbour& neighbour) override;
  absl::Status DeleteNeighbour(Ifindex link, Ipv4Address address) override;
  absl::StatusOr<std::vector<GuestRoute>> ListGuestRoutes() override;
  absl::Status SetGuestRoute(const GuestRoute& route, Ipv4Address gateway) override;
  absl::Status DeleteGuestRoute(const GuestRoute& route) override;
  absl::StatusOr<bool> RepairTap(const Link& tap, const LinkName& name,
                                 const PortSpec& port) override;
  absl::Status RepairRoutedTap(const Link& tap, const LinkName& name,
                               const RoutedTapSpec& spec) override;
  absl::Status SetAlias(Ifindex tap, const std::string& alias) override;
  absl::Status RetireTap(Ifindex tap, uint32_t group) override;
  absl::StatusOr<std::optional<UniqueFd>> HoldTap(const LinkName& name, Ifindex tap) override;
  absl::StatusOr<std::optional<UniqueFd>> OpenQueue(const LinkName& name, Ifindex tap,
                                                    bool multi_queue) override;
  absl::Status ResetQueueSettings(const UniqueFd& queue) override;
  absl::StatusOr<Process> OpenProcess(pid_t pid) override;
  absl::Status WatchRoutesOf(const std::vector<Ipv4Prefix>& /*guests*/) override {
    return faults_->Check("WatchRoutesOf");
  }
  int changes_fd() const override { return never_readable_.get(); }
  absl::StatusOr<KernelChanges> TakeChanges() override;

  // What another program does on the host. With ifindex 0, one is chosen.
  Ifindex AddLink(Link link);
  void AddAddress(LinkAddress address) { addresses_.push_back(address); }
  void AddRoute(Route route);
  void DeleteRoutes(const Ipv4Prefix& destination);
  // With which address packets of such routes are to leave.
  void Prefer(const Ipv4Prefix& destination, Ipv4Address source);
  // nullptr: there is no such link. What is done to it is a change as any other.
  Link* Find(const std::string& name);
  void Delete(const std::string& name);
  void TurnForwardingOff() {
    forwarding_ = false;
    forwarding_changed_ = true;
  }
  void TurnForwardingOff(const std::string& link) { not_forwarding_.insert(Find(link)->ifindex); }
  void TurnForwardingOn(const std::string& link) { not_forwarding_.erase(Find(link)->ifindex); }
  void IgnoreArp(bool ignore) { ignores_arp_ = ignore; }
  void TakeAddresses(const std::string& link);
  void ForgetNeighbour(Ipv4Address address);
  void ForgetGuestRoute(Ipv4Address guest);
  // `ip route add GUEST dev LINK` of somebody else.
  void RouteGuest(Ipv4Address guest, const std::string& link);
  // Takes the settings of a routed TAP away from it.
  void SpoilRouting(const std::string& tap);
  // As the kernel does, with all that the link's addresses need.
  void SetDown(const std::string& tap);
  // Up again as soon as svnetd has been told that it was down.
  void SetDownAndSoonUp(const std::string& tap);
  // Opens a TAP as a VMM does, or lets go of it.
  void Attach(const std::string& tap);
  void Detach(const std::string& tap);
  // What the holder of a TAP does to it, without any privilege: TUNSETCARRIER, SIOCSIFHWADDR.
  void SetCarrier(const std::string& tap, bool on) { Find(tap)->carrier = on; }
  void SetOwnMac(const std::string& tap, const MacAddress& mac);
  // Another process opens each multi-queue TAP before it has an owner, `times` times.
  void RaceForNewTaps(int times) { races_ = times; }
  // A process, until it ends.
  void StartProcess(pid_t pid, uid_t uid, uint64_t start_time);
  void EndProcess(pid_t pid);
  // The next TakeChanges has nothing but that some were lost.
  void LoseChanges() { lost_ = true; }
  // What ForgetFlows was told to forget, since the last time this was asked.
  std::set<Ipv4Address> TakeForgotten() { return std::exchange(forgotten_, {}); }
  // From now on it is a kernel that cannot pin a guest's MAC to its port.
  void ForgetPinning() { can_pin_ = false; }

  // Everything, one line each; equal if and only if the state is, but for forwarding,
  // which nobody turns off again, and for the ifindexes.
  std::string Dump() const;

 private:
  friend class FakeOpenTap;
  friend class FakeReaper;

  struct Running {
    uid_t uid;
    uint64_t start_time;
    UniqueFd ended;  // readable when it has
  };

  void JoinPort(Link* link, const PortSpec& port);
  void SetUpRouting(Link* link, const RoutedTapSpec& spec);
  Link* LinkOf(const std::string& name);
  void TouchWhatIsNotAsTold();
  bool HasHostRoute(Ipv4Address guest) const;
  void EraseAddresses(const std::function<bool(const LinkAddress&)>& whether);
  bool HasAddress(Ifindex link, Ipv4Address address) const;
  bool MayForward(Ifindex link) const { return forwarding_ && !not_forwarding_.contains(link); }
  std::optional<Route> LongestMatch(Ipv4Address destination) const;
  void Erase(Ifindex ifindex);
  int PortsOf(Ifindex bridge) const;

  Faults* const faults_;
  Ifindex next_ = 1;
  std::map<Ifindex, Link> links_;
  std::vector<LinkAddress> addresses_;
  std::vector<Route> routes_;
  std::map<std::string, Ipv4Address> preferred_sources_;  // by the destination of a route
  std::set<Ifindex> not_forwarding_;
  std::map<std::pair<Ifindex, Ipv4Address>, MacAddress> neighbours_;
  struct RouteToGuest {
    Ifindex tap = 0;
    Ipv4Address source = Ipv4Address(0);
  };
  std::map<Ipv4Address, RouteToGuest> guest_routes_;
  bool forwarding_ = false;
  bool ignores_arp_ = false;
  bool can_pin_ = true;
  std::map<pid_t, Running> processes_;
  std::set<Ipv4Address> forgotten_;
  std::set<Ifindex> held_;  // single-queue TAPs that a process has open
  std::set<std::pair<Ifindex, MacAddress>> static_macs_;  // of bridges, behind ports
  int races_ = 0;

  // What TakeChanges has told.
  std::map<Ifindex, Link> told_links_;
  std::vector<LinkAddress> told_addresses_;
  std::set<Ifindex> touched_;  // links that changed since, even if they are as told
  std::set<std::pair<Ifindex, Ipv4Address>> touched_neighbours_;
  std::map<std::pair<Ifindex, MacAddress>, bool> touched_macs_;
  std::set<Ipv4Address> touched_routes_;
  std::set<Ifindex> touched_settings_;
  std::vector<Link> earlier_taps_;
  std::set<Ifindex> soon_up_;
  // Find has given a link out, which a test may have changed: all are compared. Benchmarks do not
  // call Find, because the comparison would cost more than all that they count.
  bool seen_ = false;
  std::set<Ifindex> gone_;
  bool forwarding_changed_ = false;
  bool routes_changed_ = false;
  bool lost_ = false;
  UniqueFd never_readable_{eventfd(0, EFD_CLOEXEC)};
};

// Destroys what a FakeKernel has.
class FakeReaper final : public Reaper {
 public:
  // Both must outlive it.
  FakeReaper(FakeKernel* kernel, Faults* faults) : kernel_(kernel), faults_(faults) {}

  absl::Status DeleteLink(Ifindex ifindex) override;
  absl::Status DeleteGroup(uint32_t group) override;
  absl::Status ForgetFlows(const std::set<Ipv4Address>& addresses) override;

 private:
  FakeKernel* const kernel_;
  Faults* const faults_;
};

}  // namespace svnet::testing

// The Kernel that is there: rtnetlink, /dev/net/tun and /proc/sys.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/kernel/kernel.h"
#include "daemon/kernel/link_monitor.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

class NetlinkKernel final : public Kernel {
 public:
  // Of the network namespace that the calling thread is in; all later calls must
  // come from threads that are in it too (/proc/sys and new TAPs follow the thread). `guests`: see
  // WatchRoutesOf.
  static absl::StatusOr<std::unique_ptr<NetlinkKernel>> Open(const std::vector<Ipv4Prefix>& guests);

  absl::StatusOr<std::vector<Link>> ListLinks() override;
  absl::StatusOr<std::vector<LinkAddress>> ListAddresses() override;
  absl::StatusOr<std::vector<Route>> ListRoutes() override;
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
  absl::Status WatchRoutesOf(const std::vector<Ipv4Prefix>& guests) override {
    return monitor_.WatchRoutesOf(guests);
  }
  int changes_fd() const override { return monitor_.fd(); }
  absl::StatusOr<KernelChanges> TakeChanges() override { return monitor_.Take(); }

  // As if the kernel were one, before 6.2, in which a link must be down to be renamed.
  void PretendLinksAreRenamedDown() { renames_links_that_are_up_ = false; }

 private:
  NetlinkKernel(NetlinkSocket socket, UniqueFd ioctl_socket, LinkMonitor monitor)
      : socket_(std::move(socket)),
        ioctl_socket_(std::move(ioctl_socket)),
        monitor_(std::move(monitor)) {}

  absl::Status Rename(Ifindex link, const LinkName& name);

  NetlinkSocket socket_;
  UniqueFd ioctl_socket_;  // for ioctl(2)
  LinkMonitor monitor_;
  bool renames_links_that_are_up_ = true;  // until the kernel says that it does not
};

}  // namespace svnet

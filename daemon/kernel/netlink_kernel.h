// The Kernel that is there: rtnetlink, /dev/net/tun and /proc/sys.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "daemon/kernel/kernel.h"
#include "daemon/kernel/netlink_socket.h"

namespace svnet {

class NetlinkKernel final : public Kernel {
 public:
  // Of the network namespace that the calling thread is in; all later calls must
  // come from threads that are in it too (/proc/sys and new TAPs follow the thread).
  static absl::StatusOr<std::unique_ptr<NetlinkKernel>> Open();

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

 private:
  // An address of the bridge, and what its IFA_PROTO says of how it came there.
  struct BridgeAddress {
    LinkAddress at;
    uint8_t protocol;
  };

  explicit NetlinkKernel(NetlinkSocket socket) : socket_(std::move(socket)) {}

  absl::StatusOr<std::optional<Link>> GetLink(NetlinkMessage request);
  absl::StatusOr<Link> FindOrCreateBridge(const BridgeSpec& spec, bool* created);
  absl::Status EnsureAddress(const Link& link, const BridgeSpec& spec, Bridge* bridge);
  absl::Status CreateBridge(const BridgeSpec& spec);
  absl::StatusOr<std::vector<BridgeAddress>> ListBridgeAddresses(Ifindex bridge);
  absl::Status ChangeAddress(int type, int flags, Ifindex bridge, const BridgeSpec& spec,
                             uint8_t protocol);
  absl::Status ReleaseForeignBridge(const Link& bridge, const BridgeSpec& spec);
  absl::Status SetUp(Ifindex link, bool up);
  absl::Status PutRight(const Link& bridge, const BridgeSpec& spec);

  NetlinkSocket socket_;
};

}  // namespace svnet

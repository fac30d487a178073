// A TAP that is being made: /dev/net/tun for the device, rtnetlink for the rest.
#pragma once

#include <memory>
#include <utility>

#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/tun_device.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

class NetlinkTap final : public OpenTap {
 public:
  // See Kernel::OpenNewTap. `socket` must outlive the TAP; `ioctl_socket`: CreateTapDevice.
  static absl::StatusOr<std::unique_ptr<OpenTap>> Create(NetlinkSocket& socket,
                                                         const UniqueFd& ioctl_socket,
                                                         const TapSpec& spec);

  Ifindex ifindex() const override { return ifindex_; }
  bool IsSharedWithOthers() const override { return shared_; }
  absl::Status SwitchIpv6Off() override;
  absl::StatusOr<bool> Join(const PortSpec& port) override;
  absl::Status Route(const RoutedTapSpec& spec) override;
  absl::Status Persist() override;

 private:
  NetlinkTap(NetlinkSocket& socket, const LinkName& name, TapDevice device, bool shared)
      : socket_(socket),
        name_(name),
        device_(std::move(device.fd)),
        ifindex_(device.ifindex),
        shared_(shared) {}

  static absl::StatusOr<std::unique_ptr<OpenTap>> CreateMultiQueue(NetlinkSocket& socket,
                                                                   const UniqueFd& ioctl_socket,
                                                                   const TapSpec& spec);

  NetlinkSocket& socket_;
  const LinkName name_;
  UniqueFd device_;
  Ifindex ifindex_;
  bool shared_;
  bool ipv6_ = true;  // it is not switched off
};

// See OpenTap::Join. A TAP that is a port already becomes what `port` says.
absl::StatusOr<bool> JoinBridge(NetlinkSocket& socket, Ifindex tap, const PortSpec& port);

}  // namespace svnet

// The Reaper that is there: rtnetlink and ctnetlink, on sockets of its own.
#pragma once

#include <memory>
#include <set>
#include <utility>

#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

class NetlinkReaper final : public Reaper {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<std::unique_ptr<NetlinkReaper>> Open();

  absl::Status DeleteLink(Ifindex ifindex) override;
  absl::Status DeleteGroup(uint32_t group) override;
  absl::Status ForgetFlows(const std::set<Ipv4Address>& addresses) override;

 private:
  NetlinkReaper(NetlinkSocket route, NetlinkSocket netfilter)
      : route_(std::move(route)), netfilter_(std::move(netfilter)) {}

  NetlinkSocket route_;
  NetlinkSocket netfilter_;
};

}  // namespace svnet

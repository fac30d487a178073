// What snapshot platforms build for each clone of a VM, whose guests all have one address: a
// network namespace with a TAP, a veth pair that leads out of it, and two NAT rules between the
// guest's address and the clone's (Firecracker, docs/snapshotting/network-for-clones.md).
#pragma once

#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/netlink/netlink_socket.h"
#include "tests/bench/candidates.h"

namespace svnet::bench {

// The kernel destroys a veth pair with the namespace of one end: to delete it first would only take
// longer. That the host's end is gone tells that the namespace's devices are.
class NamespaceCandidate : public Candidate {
 public:
  void WaitUntilGone(int count) override { deleted_.Wait(count); }

 protected:
  using Candidate::Candidate;

 private:
  DeletedLinks deleted_;
};

// The commands of that page, all in one shell: in one for each they take a third longer.
class ShellNamespaceCandidate final : public NamespaceCandidate {
 public:
  ShellNamespaceCandidate();

  void Create(Number number) override;
  void Remove(Number number) override;
};

// The same in one process that executes nothing: unshare(2), rtnetlink and libnftables. The
// namespace has no name; it lives as long as its descriptor.
class NetlinkNamespaceCandidate final : public NamespaceCandidate {
 public:
  NetlinkNamespaceCandidate();

  void Create(Number number) override;
  void Remove(Number number) override;

 private:
  UniqueFd host_;
  NetlinkSocket socket_;              // in the host's namespace
  std::vector<UniqueFd> namespaces_;  // by number
};

}  // namespace svnet::bench

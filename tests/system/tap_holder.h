// The process that has a lease's TAP open, when it is hostile: it has no capability, and does
// to the TAP all that the kernel lets it (drivers/net/tun.c).
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.pb.h"

namespace svnet::testing {

class TapHolder {
 public:
  // Opens `queues` queues (1: of a TAP that is not multi-queue) as that uid.
  TapHolder(const v1::Tap& tap, uid_t uid, int queues);

  // Opens one more; its errno.
  int OpenAnother();
  // ioctl(2) on the first descriptor, as that uid; its errno.
  int Control(unsigned long request, unsigned long argument) const;
  int Control(unsigned long request, void* argument) const;
  // The TAP's own MAC; zeros if the TAP is gone.
  std::string OwnMac() const;
  // SIOCSIFHWADDR; its errno.
  int SetOwnMac(const std::string& mac) const;
  // Whether the TAP was destroyed.
  bool IsGone() const;
  // Lets go of all.
  void Close() { queues_.clear(); }

  const std::string& tap() const { return tap_; }
  bool multi_queue() const { return multi_queue_; }

 private:
  const std::string tap_;
  const uid_t uid_;
  const bool multi_queue_;
  std::vector<UniqueFd> queues_;
};

// Something that a holder can do.
struct HolderAction {
  std::string name;
  // Its errno.
  std::function<int(TapHolder& holder)> act;
  // What svnetd then says of the lease's end; empty: it is the VMM's to do, and ends nothing.
  std::string said;
  int expected_errno = 0;
};
// All that there are: what takes another's MAC takes `victim_mac`; another's uid is `victim`.
std::vector<HolderAction> AllHolderActions(const std::string& victim_mac, uid_t victim);

}  // namespace svnet::testing

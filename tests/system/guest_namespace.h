// A guest with the kernel's own TCP: a network namespace, of which a link is at the other end of a
// lease's TAP.
#pragma once

#include <string>
#include <thread>

#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.pb.h"

namespace svnet::testing {

class GuestNamespace {
 public:
  // Makes the namespace `name`, in which `eth0` has what the lease's guest is told, and holds the
  // TAP open as a VMM does. Waits until the gateway answers.
  GuestNamespace(const std::string& name, const v1::Tap& tap);
  ~GuestNamespace();
  GuestNamespace(const GuestNamespace&) = delete;
  GuestNamespace& operator=(const GuestNamespace&) = delete;

 private:
  // Hands on frames in both directions, until stop_ can be read.
  void Relay() const;

  const std::string name_;
  const UniqueFd tap_;
  UniqueFd link_;  // eth0's, a TAP as well
  const UniqueFd stop_;
  std::thread relay_;
};

}  // namespace svnet::testing

#include "tests/system/guest_namespace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/sandbox.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

// What there is to read on one side, to the other. What that does not take is lost, as on a wire.
void HandOn(const UniqueFd& from, const UniqueFd& to) {
  char frame[65536];
  for (ssize_t size; (size = read(from.get(), frame, sizeof(frame))) > 0;) {
    [[maybe_unused]] const ssize_t written = write(to.get(), frame, static_cast<size_t>(size));
  }
}

struct Addresses {
  std::string mac, address, gateway;
  uint32_t prefix_length;
};

Addresses AddressesOf(const v1::Tap& tap) {
  if (tap.has_guest_view()) {
    const v1::GuestView& view = tap.guest_view();
    return {view.mac(), view.address(), view.gateway(), view.prefix_length()};
  }
  return {tap.mac(), tap.guest_ip(), tap.gateway_ip(), 24};
}

}  // namespace

GuestNamespace::GuestNamespace(const std::string& name, const v1::Tap& tap)
    : name_(name), tap_(OpenTap(tap.tap_name())), stop_(eventfd(0, EFD_CLOEXEC)) {
  Shell("ip netns add " + name_);
  std::thread([&] {
    const UniqueFd place(open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(setns(place.get(), CLONE_NEWNET), 0) << strerror(errno);
    link_ = OpenTap("eth0");
  }).join();
  relay_ = std::thread([this] { Relay(); });
  const Addresses own = AddressesOf(tap);
  const std::string ip = absl::StrCat("ip -n ", name_, " ");
  Shell(absl::StrCat(ip, "link set eth0 address ", own.mac, " mtu ", tap.mtu(), " up; ", ip,
                     "address add ", own.address, "/", own.prefix_length, " dev eth0; ", ip,
                     "route add default via ", own.gateway));
  // A bridge's port passes frames a moment after its carrier is there.
  EXPECT_EQ(ShellExitCode(absl::StrCat("ip netns exec ", name_,
                                       " bash -c 'for ((i = 0; i < 100; "
                                       "++i)); do ping -c 1 -W 0.1 ",
                                       own.gateway, " && exit; done; exit 1'")),
            0);
}

GuestNamespace::~GuestNamespace() {
  eventfd_write(stop_.get(), 1);
  relay_.join();
  Shell("ip netns delete " + name_);
}

void GuestNamespace::Relay() const {
  pollfd each[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                   {.fd = tap_.get(), .events = POLLIN, .revents = 0},
                   {.fd = link_.get(), .events = POLLIN, .revents = 0}};
  while (each[0].revents == 0) {
    poll(each, 3, -1);
    HandOn(tap_, link_);
    HandOn(link_, tap_);
    // Of a TAP that is gone there is nothing more to hear.
    for (pollfd& side : each) {
      if (side.fd != stop_.get() && (side.revents & (POLLERR | POLLNVAL)) != 0) side.fd = -1;
    }
  }
}

}  // namespace svnet::testing

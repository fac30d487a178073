#include "tests/system/tap_guest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

UniqueFd OpenTap(const std::string& name) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq request = {};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  EXPECT_EQ(ioctl(fd.get(), TUNSETIFF, &request), 0) << name << ": " << strerror(errno);
  return fd;
}

namespace {

// Until there is something to read, or `patience` is over.
void WaitToRead(const UniqueFd& fd, absl::Duration patience) {
  pollfd wait = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  // Less than nothing would be for ever.
  const int64_t milliseconds = std::max<int64_t>(0, absl::ToInt64Milliseconds(patience));
  poll(&wait, 1, static_cast<int>(milliseconds));
}

}  // namespace

TapGuest::TapGuest(const v1::Tap& tap)
    : fd_(OpenTap(tap.tap_name())),
      mac_(MacAddress::Parse(tap.has_guest_view() ? tap.guest_view().mac() : tap.mac()).value()),
      ip_(Ipv4Address::Parse(tap.has_guest_view() ? tap.guest_view().address() : tap.guest_ip())
              .value()),
      gateway_(
          Ipv4Address::Parse(tap.has_guest_view() ? tap.guest_view().gateway() : tap.gateway_ip())
              .value()),
      lease_ip_(Ipv4Address::Parse(tap.guest_ip()).value()),
      lease_gateway_(Ipv4Address::Parse(tap.gateway_ip()).value()) {
  WaitUntilPortPasses();
}

// The bridge lets a port in when it hears of its carrier, a moment after it is there.
void TapGuest::WaitUntilPortPasses() {
  const std::string request = Arp({.operation = ArpOperation::kRequest,
                                   .sender_mac = mac_,
                                   .sender_ip = ip_,
                                   .target_ip = gateway_});
  const auto is_answered = [&] {
    Send(kBroadcast, kArpType, request);
    WaitToRead(fd_, absl::Milliseconds(20));
    for (const Frame& frame : Receive()) {
      gateway_mac_ = client::MacInArpReply(frame, gateway_);
      if (gateway_mac_.IsUnicast()) return true;
    }
    return false;
  };
  EXPECT_TRUE(Eventually(is_answered, kPatience))
      << "the gateway does not answer " << ip_.ToString();
}

void TapGuest::Send(const Frame& frame) const {
  // A frame that the kernel takes for broken is refused with EINVAL, one on a TAP that is down
  // with EIO, and one on a TAP that is gone with EBADFD: lost, in any case.
  const ssize_t written = write(fd_.get(), frame.data(), frame.size());
  EXPECT_TRUE(written >= 0 || errno == EINVAL || errno == EIO || errno == EBADFD)
      << strerror(errno);
}

std::vector<Frame> TapGuest::Receive() const {
  std::vector<Frame> frames;
  char buffer[65536];
  for (ssize_t size; (size = read(fd_.get(), buffer, sizeof(buffer))) > 0;) {
    frames.emplace_back(buffer, size);
  }
  return frames;
}

int TapGuest::CountReceived() const {
  int count = 0;
  char buffer[65536];
  while (read(fd_.get(), buffer, sizeof(buffer)) > 0) ++count;
  return count;
}

bool TapGuest::HasReceived(absl::string_view text) const {
  const std::vector<Frame> frames = Receive();
  return std::any_of(frames.begin(), frames.end(),
                     [&](const Frame& frame) { return absl::StrContains(frame, text); });
}

bool TapGuest::WaitFor(absl::string_view text, absl::Duration patience) const {
  for (const absl::Time end = absl::Now() + patience; absl::Now() < end;) {
    if (HasReceived(text)) return true;
    WaitToRead(fd_, end - absl::Now());
  }
  return false;
}

bool TapGuest::Pings(Ipv4Address to, absl::Duration patience) const {
  Send(gateway_mac_, kIpv4Type, PingRequest(ip_, to));
  return WaitFor("svnet ping", patience);
}

HostPortListener::HostPortListener(uint16_t port)
    : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

bool HostPortListener::HasReceived(absl::string_view text) const {
  char buffer[2048];
  bool found = false;
  for (ssize_t size; (size = recv(fd_.get(), buffer, sizeof(buffer), 0)) >= 0;) {
    found |= absl::StrContains(absl::string_view(buffer, size), text);
  }
  return found;
}

void HostPortListener::Send(Ipv4Address to, absl::string_view text) const {
  const sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(9999), .sin_addr = {.s_addr = htonl(to.value())}};
  EXPECT_EQ(sendto(fd_.get(), text.data(), text.size(), 0,
                   reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            static_cast<ssize_t>(text.size()));
}

int Counter(const std::string& family, const std::string& name) {
  const std::string text =
      Shell(absl::StrCat("nft list counter ", family, " ", RulesTable(), " ", name,
                         " | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'"));
  return std::stoi(text);
}

}  // namespace svnet::testing

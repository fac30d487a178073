// A guest and a host outside, each with a TCP stack of its own.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "daemon/base/unique_fd.h"
#include "tests/sandbox/sandbox.h"
#include "tests/system/guest_namespace.h"
#include "tests/system/system_test.h"

namespace svnet::testing {

// The host outside is the next hop of the default route.
class GuestAndOutsideTest : public SystemTest {
 protected:
  GuestAndOutsideTest() {
    Shell(
        "ip netns add outside; ip link add up0 type veth peer name eth0 netns outside;"
        "ip address add 203.0.113.2/24 dev up0; ip link set up0 up;"
        "ip route add default via 203.0.113.1;"
        "ip -n outside address add 203.0.113.1/24 dev eth0; ip -n outside link set eth0 up;"
        "ip -n outside address add 198.51.100.1/32 dev lo; ip -n outside link set lo up");
  }
  ~GuestAndOutsideTest() override {
    guest_.reset();
    Shell("ip netns delete outside");
  }

  // The guest of that lease, in the namespace "guest".
  void AddGuest(const v1::Tap& tap) { guest_.emplace("guest", tap); }

  // What `make` makes in the network namespace of that name: a socket stays in it.
  template <typename Make>
  static auto InNamespace(const std::string& name, Make make) {
    decltype(make()) made;
    std::thread([&] {
      const UniqueFd place(open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
      ASSERT_EQ(setns(place.get(), CLONE_NEWNET), 0) << strerror(errno);
      made = make();
    }).join();
    return made;
  }

  // Listens outside, behind the next hop; or in that namespace.
  class Listener {
   public:
    explicit Listener(int count, const std::string& where = "outside") {
      fd_ = InNamespace(where, [count] {
        UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        constexpr int kOn = 1;  // one after the other
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn));
        const sockaddr_in address = Address();
        EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        EXPECT_EQ(listen(fd.get(), count), 0);
        return fd;
      });
    }
    // A connection from the guest, and its end outside; neither if it fails.
    std::pair<UniqueFd, UniqueFd> Connect() const {
      UniqueFd client = InNamespace("guest", [] {
        UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in address = Address();
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
          ADD_FAILURE() << "connect: " << strerror(errno);
          fd.Reset();
        }
        return fd;
      });
      if (!client.valid()) return {};
      return {std::move(client), UniqueFd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC))};
    }

   private:
    static sockaddr_in Address() {
      constexpr uint16_t kPort = 7000;
      sockaddr_in address = {
          .sin_family = AF_INET, .sin_port = htons(kPort), .sin_addr = {}, .sin_zero = {}};
      inet_pton(AF_INET, "198.51.100.1", &address.sin_addr);
      return address;
    }

    UniqueFd fd_;
  };

 private:
  std::optional<GuestNamespace> guest_;
};

}  // namespace svnet::testing

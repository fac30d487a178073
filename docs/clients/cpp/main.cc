// A supervisor in C++: leases a TAP for a VM, opens it as a VMM would, and removes it.
//
//   supervisor VM [--restored]
//
// With --restored the VM is one of many that are restored from a snapshot.
#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "network.h"
#include "tap_device.h"

namespace v1 = svnet::v1;

namespace {

std::string SocketPath() {
  const char* path = std::getenv("SVNET_SOCKET");
  return path != nullptr ? path : "/run/svnet/svnetd.sock";
}

// What the guest had when the snapshot was taken.
v1::GuestView Snapshot() {
  v1::GuestView view;
  view.set_address("10.0.0.2");
  view.set_prefix_length(24);
  view.set_gateway("10.0.0.1");
  view.set_mac("06:00:ac:10:00:02");
  return view;
}

// Switches on the reason; the message is for people.
std::string WhatToDo(v1::ErrorReason reason) {
  switch (reason) {
    case v1::INVALID_ID:
    case v1::INVALID_ADDRESS:
    case v1::INVALID_REQUEST:
      return "mend the request";
    case v1::ADDRESS_POOL_EXHAUSTED:
    case v1::BRIDGE_FULL:
    case v1::QUOTA_EXCEEDED:
      return "remove a TAP, then ask again";
    default:
      return "give up, and show the message";
  }
}

void Require(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error_message());
}

void Use(Network& network, const std::string& vm, const v1::Tap& tap) {
  std::cout << "tap " << tap.tap_name() << "\nguest " << tap.guest_ip() << "/"
            << tap.prefix_length() << " " << tap.mac() << "\n";
  if (tap.has_guest_view()) {
    const v1::GuestView& view = tap.guest_view();
    std::cout << "believes " << view.address() << "/" << view.prefix_length() << " " << view.mac()
              << "\n";
  } else {
    std::string boot_args;
    Require(network.GetBootArgs(tap.tap_name(), &boot_args));
    std::cout << "boot args " << boot_args << "\n";
  }

  const TapDevice device(tap.tap_name());
  v1::Tap same;
  Require(network.CreateTap(vm, "eth0", &same));
  std::cout << "asked again: " << same.tap_name() << " " << same.guest_ip()
            << (same.attached() ? ", attached" : ", not attached") << "\n";

  v1::Tap none;
  const v1::ErrorReason reason = ReasonOf(network.CreateTap("no/id", "eth0", &none));
  std::cout << "refused: " << v1::ErrorReason_Name(reason) << ": " << WhatToDo(reason) << "\n";
}

void Run(const std::string& vm, const std::optional<v1::GuestView>& view) {
  Network network(SocketPath());
  v1::Tap tap;
  Require(network.CreateTap(vm, "eth0", &tap, view));
  // Whatever happens from here on.
  const absl::Cleanup remove = [&] { network.RemoveTap(tap.tap_name()); };
  Use(network, vm, tap);
  Require(network.RemoveTap(tap.tap_name()));
  std::cout << "removed " << tap.tap_name() << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const bool restored = argc == 3 && std::string(argv[2]) == "--restored";
  if (argc != 2 && !restored) {
    std::cerr << "usage: supervisor VM [--restored]\n";
    return 2;
  }
  try {
    Run(argv[1], restored ? std::optional(Snapshot()) : std::nullopt);
  } catch (const std::exception& error) {
    std::cerr << "supervisor: " << error.what() << "\n";
    return 1;
  }
}

// What the guest of a snapshot believes, as its VM's own configuration has it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// `json` is one of these; anything else is InvalidArgument, which says what is missing.
//   - config.json of a snapshot of Cloud Hypervisor's
//   - a configuration file of Firecracker's
//   - what `svnetctl show VM --json` said of the VM of which the snapshot was taken
// `iface`: which of its interfaces, if it has several. The first two have the MAC; the addresses
// are those of `ip=` on the guest's kernel command line.
absl::StatusOr<v1::GuestView> ViewInSnapshot(const std::string& json, const std::string& iface);

}  // namespace svnet::client

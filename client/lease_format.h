// A lease in the format of the program that will use it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// The values of --format.
enum class LeaseFormat {
  kTable,
  // proto3 JSON, as --json.
  kJson,
  // SVNET_TAP=svvm1eth0 and so on, a line each: for a shell's `eval`, systemd's
  // EnvironmentFile= and the like. Quoted only where a shell would need it.
  kEnv,
  // An entry of Firecracker's network-interfaces.
  kFirecracker,
  // An entry of network_overrides, of Firecracker's PUT /snapshot/load.
  kFirecrackerRestore,
  // Cloud Hypervisor's --net and its value.
  kCloudHypervisor,
  // An entry of net_fds, of Cloud Hypervisor's vm.restore.
  kCloudHypervisorRestore,
  // QEMU's -netdev and -device.
  kQemu,
  // cloud-init's network-config, version 2.
  kCloudInit,
};

// "table|json|env|...".
std::string LeaseFormatNames();

// InvalidArgument with all the names if `name` is none of them.
absl::StatusOr<LeaseFormat> ParseLeaseFormat(const std::string& name);

// Ends with a newline. Not for kTable and kJson, which output.h and json.h render.
// FailedPrecondition if that program cannot use such a TAP.
absl::StatusOr<std::string> RenderLease(const v1::Tap& tap, LeaseFormat format);

}  // namespace svnet::client

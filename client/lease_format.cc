#include "client/lease_format.h"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/guest_view.h"
#include "client/json.h"

namespace svnet::client {
namespace {

// The MTU that virtio-net guests use by default.
constexpr uint32_t kUsualMtu = 1500;

constexpr char kPlainBytes[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/@%+,";

struct Name {
  const char* text;
  LeaseFormat format;
};
constexpr std::array kNames = {
    Name{"table", LeaseFormat::kTable},
    Name{"json", LeaseFormat::kJson},
    Name{"env", LeaseFormat::kEnv},
    Name{"firecracker", LeaseFormat::kFirecracker},
    Name{"firecracker-restore", LeaseFormat::kFirecrackerRestore},
    Name{"cloud-hypervisor", LeaseFormat::kCloudHypervisor},
    Name{"cloud-hypervisor-restore", LeaseFormat::kCloudHypervisorRestore},
    Name{"qemu", LeaseFormat::kQemu},
    Name{"cloud-init", LeaseFormat::kCloudInit},
};

std::string ShellQuoted(const std::string& text) {
  if (!text.empty() && text.find_first_not_of(kPlainBytes) == std::string::npos) return text;
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string RenderEnv(const v1::Tap& tap) {
  const std::vector<std::pair<std::string, std::string>> variables = {
      {"TAP", tap.tap_name()},
      {"VM", tap.vm_id()},
      {"IFACE", tap.iface_id()},
      {"IP", tap.guest_ip()},
      {"PREFIX_LENGTH", absl::StrCat(tap.prefix_length())},
      {"NETMASK", tap.subnet_mask()},
      {"GATEWAY", tap.gateway_ip()},
      {"MAC", tap.mac()},
      {"MTU", absl::StrCat(tap.mtu())},
      {"QUEUES", absl::StrCat(tap.queues())}};
  std::string text;
  for (const auto& [name, value] : variables) {
    absl::StrAppend(&text, "SVNET_", name, "=", ShellQuoted(value), "\n");
  }
  return text;
}

// https://github.com/firecracker-microvm/firecracker: NetworkInterface and NetworkOverride in its
// firecracker.yaml. It opens a TAP without IFF_MULTI_QUEUE, and an id has none but letters,
// digits and underscores. It knows "mtu" from 1.16 on.
absl::StatusOr<std::string> RenderFirecracker(const v1::Tap& tap, bool restore) {
  if (tap.queues() > 1) {
    return absl::FailedPreconditionError(absl::StrCat("Firecracker cannot open ", tap.tap_name(),
                                                      ", which has ", tap.queues(),
                                                      " queues: create it without --queues"));
  }
  const std::string id = absl::StrReplaceAll(tap.iface_id(), {{"-", "_"}, {".", "_"}});
  std::string text = absl::StrCat("{\"iface_id\": ", JsonString(id),
                                  ", \"host_dev_name\": ", JsonString(tap.tap_name()));
  if (!restore) {
    absl::StrAppend(&text, ", \"guest_mac\": ", JsonString(tap.mac()));
    if (tap.mtu() != kUsualMtu) absl::StrAppend(&text, ", \"mtu\": ", tap.mtu());
  }
  return text + "}\n";
}

// Its num_queues counts both directions. The id is by what the device is named at a restore. No
// mtu=: Cloud Hypervisor would set the TAP's, which takes a privilege; without it the guest is told
// the TAP's own (net_util/src/open_tap.rs).
std::string RenderCloudHypervisor(const v1::Tap& tap) {
  std::string text =
      absl::StrCat("--net tap=", tap.tap_name(), ",mac=", tap.mac(), ",id=", tap.iface_id());
  if (tap.queues() > 1) absl::StrAppend(&text, ",num_queues=", 2 * tap.queues());
  return text + "\n";
}

// RestoredNetConfig in its vmm/src/config.rs; the descriptors come beside it.
std::string RenderCloudHypervisorRestore(const v1::Tap& tap) {
  return absl::StrCat("{\"id\": ", JsonString(tap.iface_id()), ", \"num_fds\": ", tap.queues(),
                      "}\n");
}

// A vector for each queue of both directions, one for the configuration and one for
// control (QEMU: hw/virtio/virtio-net-pci.c).
std::string RenderQemu(const v1::Tap& tap) {
  // Before the id, which may begin with a digit: QEMU's may not.
  const std::string id = absl::StrCat("svnet-", tap.iface_id());
  std::string netdev =
      absl::StrCat("-netdev tap,id=", id, ",ifname=", tap.tap_name(), ",script=no,downscript=no");
  std::string device = absl::StrCat(" -device virtio-net-pci,netdev=", id, ",mac=", tap.mac());
  if (tap.queues() > 1) {
    absl::StrAppend(&netdev, ",queues=", tap.queues());
    absl::StrAppend(&device, ",mq=on,vectors=", 2 * tap.queues() + 2);
  }
  if (tap.mtu() != kUsualMtu) absl::StrAppend(&device, ",host_mtu=", tap.mtu());
  return absl::StrCat(netdev, device, "\n");
}

// "to: 0.0.0.0/0", because "default" is too new for some guests and gateway4 too old
// for others. JSON's strings are YAML's.
std::string RenderCloudInit(const v1::Tap& tap) {
  return absl::StrCat(
      "version: 2\nethernets:\n  ", JsonString(tap.iface_id()),
      ":\n    match:\n      macaddress: ", JsonString(tap.mac()), "\n    addresses:\n      - ",
      JsonString(absl::StrCat(tap.guest_ip(), "/", tap.prefix_length())),
      "\n    routes:\n      - to: 0.0.0.0/0\n        via: ", JsonString(tap.gateway_ip()),
      "\n    mtu: ", tap.mtu(), "\n");
}

}  // namespace

std::string LeaseFormatNames() {
  return absl::StrJoin(kNames, "|", [](std::string* out, const Name& name) { *out += name.text; });
}

absl::StatusOr<LeaseFormat> ParseLeaseFormat(const std::string& name) {
  for (const Name& each : kNames) {
    if (name == each.text) return each.format;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no format '", name, "'; choose one of ", LeaseFormatNames()));
}

absl::StatusOr<std::string> RenderLease(const v1::Tap& lease, LeaseFormat format) {
  // All of them are for the guest, or for the VMM that makes it.
  const v1::Tap tap = AsItsGuestKnowsIt(lease);
  switch (format) {
    case LeaseFormat::kEnv:
      return RenderEnv(tap);
    case LeaseFormat::kFirecracker:
      return RenderFirecracker(tap, false);
    case LeaseFormat::kFirecrackerRestore:
      return RenderFirecracker(tap, true);
    case LeaseFormat::kCloudHypervisor:
      return RenderCloudHypervisor(tap);
    case LeaseFormat::kCloudHypervisorRestore:
      return RenderCloudHypervisorRestore(tap);
    case LeaseFormat::kQemu:
      return RenderQemu(tap);
    case LeaseFormat::kCloudInit:
      return RenderCloudInit(tap);
    case LeaseFormat::kTable:
    case LeaseFormat::kJson:
      break;
  }
  return absl::InternalError("unexpected format");
}

}  // namespace svnet::client

#include "client/snapshot_view.h"

#include <google/protobuf/util/json_util.h>
#include <jansson.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/guest_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};

// jansson's functions accept null and return null.
const json_t* Find(const json_t* object, const char* key) { return json_object_get(object, key); }

std::string Text(const json_t* object, const char* key) {
  const char* text = json_string_value(Find(object, key));
  return text == nullptr ? "" : text;
}

// Where a VMM's configuration has what is needed.
struct Format {
  const char* interfaces;
  const char* id;
  const char* mac;
  const char* command_line_of;
  const char* command_line;
};
constexpr Format kCloudHypervisor = {"net", "id", "mac", "payload", "cmdline"};
constexpr Format kFirecracker = {"network-interfaces", "iface_id", "guest_mac", "boot-source",
                                 "boot_args"};

// Firecracker's ids have no hyphens and dots: see RenderLease.
bool IsIdOf(absl::string_view id, const std::string& iface) {
  return id == iface || id == absl::StrReplaceAll(iface, {{"-", "_"}, {".", "_"}});
}

absl::StatusOr<std::string> MacIn(const json_t* vm, const Format& format,
                                  const std::string& iface) {
  const json_t* interfaces = Find(vm, format.interfaces);
  const size_t count = json_array_size(interfaces);
  for (size_t i = 0; i < count; ++i) {
    const json_t* each = json_array_get(interfaces, i);
    if (count > 1 && !IsIdOf(Text(each, format.id), iface)) continue;
    if (std::string mac = Text(each, format.mac); !mac.empty()) return mac;
    return absl::InvalidArgumentError("its interface has no MAC");
  }
  return absl::InvalidArgumentError(absl::StrCat("it has no interface ", iface));
}

// `ip=ADDRESS::GATEWAY:NETMASK:HOSTNAME:DEVICE:...` (Linux: admin-guide/nfs/nfsroot.rst), of that
// device, or else the only one. Empty: there is none.
std::vector<std::string> AddressesIn(const std::string& command_line, const std::string& iface) {
  std::vector<std::vector<std::string>> found;
  for (absl::string_view word : absl::StrSplit(command_line, ' ', absl::SkipEmpty())) {
    if (!absl::ConsumePrefix(&word, "ip=")) continue;
    std::vector<std::string> fields = absl::StrSplit(word, ':');
    if (fields.size() < 4) continue;
    if (fields.size() > 5 && fields[5] == iface) return fields;
    found.push_back(std::move(fields));
  }
  return found.size() == 1 ? found[0] : std::vector<std::string>();
}

std::optional<int> LengthOfNetmask(const std::string& text) {
  const absl::StatusOr<Ipv4Address> netmask = Ipv4Address::Parse(text);
  if (!netmask.ok()) return std::nullopt;
  for (int length = 1; length <= 32; ++length) {
    if (Ipv4Prefix::Containing(Ipv4Address(0), length).netmask() == *netmask) return length;
  }
  return std::nullopt;
}

absl::StatusOr<v1::GuestView> ViewInConfiguration(const json_t* vm, const Format& format,
                                                  const std::string& iface) {
  SVNET_ASSIGN_OR_RETURN(const std::string mac, MacIn(vm, format, iface));
  const std::vector<std::string> addresses =
      AddressesIn(Text(Find(vm, format.command_line_of), format.command_line), iface);
  if (addresses.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the kernel command line in it has no ip= for ", iface,
                     ": say what the guest believes with --guest-view"));
  }
  const std::optional<int> length = LengthOfNetmask(addresses[3]);
  if (!length.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no netmask ", addresses[3]));
  }
  return ParseGuestView(absl::StrCat(addresses[0], "/", *length, ",", addresses[2], ",", mac));
}

absl::StatusOr<v1::GuestView> ViewOfLease(const std::string& json) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::Tap tap;
  if (!google::protobuf::util::JsonStringToMessage(json, &tap, options).ok()) {
    return absl::InvalidArgumentError("it is not what `svnetctl show --json` prints");
  }
  const v1::Tap known = AsItsGuestKnowsIt(tap);
  v1::GuestView view = tap.guest_view();
  view.set_address(known.guest_ip());
  view.set_prefix_length(known.prefix_length());
  view.set_gateway(known.gateway_ip());
  view.set_mac(known.mac());
  return ParseGuestView(FormatGuestView(view));  // which checks it
}

}  // namespace

absl::StatusOr<v1::GuestView> ViewInSnapshot(const std::string& json, const std::string& iface) {
  const std::unique_ptr<json_t, FreeJson> vm(json_loads(json.c_str(), 0, nullptr));
  if (vm == nullptr) return absl::InvalidArgumentError("it is not JSON");
  if (Find(vm.get(), "tapName") != nullptr) return ViewOfLease(json);
  for (const Format& format : {kCloudHypervisor, kFirecracker}) {
    if (Find(vm.get(), format.interfaces) == nullptr) continue;
    return ViewInConfiguration(vm.get(), format, iface);
  }
  return absl::InvalidArgumentError(
      "it is neither a configuration of Cloud Hypervisor or Firecracker with network interfaces, "
      "nor "
      "what `svnetctl show --json` prints");
}

}  // namespace svnet::client

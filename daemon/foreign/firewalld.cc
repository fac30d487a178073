#include "daemon/foreign/firewalld.h"

#include <systemd/sd-bus.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr char kService[] = "org.fedoraproject.FirewallD1";
constexpr uint64_t kTimeout = 5'000'000;  // us

struct Close {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, Close>;
struct Unref {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, Unref>;

struct BusError {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  ~BusError() { sd_bus_error_free(&error); }
};

struct Method {
  const char* path;
  const char* interface;
  const char* name;
};
// The runtime state, and the permanent configuration.
constexpr char kRuntimePath[] = "/org/fedoraproject/FirewallD1";
constexpr char kRuntime[] = "org.fedoraproject.FirewallD1.zone";
constexpr char kConfigPath[] = "/org/fedoraproject/FirewallD1/config";
constexpr char kConfig[] = "org.fedoraproject.FirewallD1.config";

// For one kind of ZoneMember.
struct Methods {
  Method add;
  Method remove;
  Method zone_now;
  Method zone_configured;
};
constexpr Methods kOfInterfaces = {.add = {kRuntimePath, kRuntime, "addInterface"},
                                   .remove = {kRuntimePath, kRuntime, "removeInterface"},
                                   .zone_now = {kRuntimePath, kRuntime, "getZoneOfInterface"},
                                   .zone_configured = {kConfigPath, kConfig, "getZoneOfInterface"}};
constexpr Methods kOfSources = {.add = {kRuntimePath, kRuntime, "addSource"},
                                .remove = {kRuntimePath, kRuntime, "removeSource"},
                                .zone_now = {kRuntimePath, kRuntime, "getZoneOfSource"},
                                .zone_configured = {kConfigPath, kConfig, "getZoneOfSource"}};

const Methods& MethodsFor(const ZoneMember& member) {
  return member.kind == ZoneMember::Kind::kInterface ? kOfInterfaces : kOfSources;
}

absl::Status Failed(int error) {
  return absl::ErrnoToStatus(-error, "cannot reach firewalld over D-Bus");
}

absl::StatusOr<Bus> OpenBus() {
  sd_bus* bus = nullptr;
  const int result = sd_bus_open_system(&bus);
  if (result < 0) return Failed(result);
  return Bus(bus);
}

// firewalld's own errors are "ZONE_CONFLICT: 'svbr0' already bound to 'dmz'".
absl::Status Translated(int result, const sd_bus_error& error) {
  if (sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) != 0 ||
      sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) != 0) {
    return absl::NotFoundError("firewalld is not running, but its rules still exist");
  }
  if (error.message == nullptr || !absl::StartsWith(error.name, kService)) return Failed(result);
  if (absl::StartsWith(error.message, "INVALID_ZONE")) {
    return absl::FailedPreconditionError(
        absl::StrCat("firewalld says ", error.message,
                     " (the svnet package installs that zone; `firewall-cmd --reload` loads it)"));
  }
  return absl::FailedPreconditionError(absl::StrCat("firewalld says ", error.message));
}

// Calls a method that returns one string.
absl::StatusOr<std::string> Call(sd_bus* bus, const Method& method,
                                 const std::vector<std::string>& arguments) {
  sd_bus_message* call = nullptr;
  int result = sd_bus_message_new_method_call(bus, &call, kService, method.path, method.interface,
                                              method.name);
  const Message owner(call);
  if (result >= 0) result = sd_bus_message_set_auto_start(call, 0);
  for (const std::string& argument : arguments) {
    if (result >= 0) result = sd_bus_message_append(call, "s", argument.c_str());
  }
  if (result < 0) return Failed(result);
  BusError failure;
  sd_bus_message* answer = nullptr;
  result = sd_bus_call(bus, call, kTimeout, &failure.error, &answer);
  const Message answers_owner(answer);
  if (result < 0) return Translated(result, failure.error);
  const char* text = nullptr;
  result = sd_bus_message_read(answer, "s", &text);
  if (result < 0) return Failed(result);
  return std::string(text);
}

}  // namespace

absl::Status JoinFirewalldZone(const std::string& zone, const ZoneMember& member) {
  const Methods& methods = MethodsFor(member);
  SVNET_ASSIGN_OR_RETURN(const Bus bus, OpenBus());
  const absl::StatusOr<std::string> now = Call(bus.get(), methods.zone_now, {member.text});
  if (now.ok() && *now == zone) return absl::OkStatus();
  return Call(bus.get(), methods.add, {zone, member.text}).status();
}

absl::Status LeaveFirewalldZone(const std::string& zone, const ZoneMember& member) {
  const Methods& methods = MethodsFor(member);
  SVNET_ASSIGN_OR_RETURN(const Bus bus, OpenBus());
  const absl::StatusOr<std::string> now = Call(bus.get(), methods.zone_now, {member.text});
  if (absl::IsNotFound(now.status())) return absl::OkStatus();
  if (!now.ok()) return now.status();
  if (*now != zone) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const std::string configured,
                         Call(bus.get(), methods.zone_configured, {member.text}));
  if (configured == zone) return absl::OkStatus();
  return Call(bus.get(), methods.remove, {zone, member.text}).status();
}

}  // namespace svnet

#include "daemon/kernel/tun_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status Control(const UniqueFd& tap, unsigned long request, unsigned long argument,
                     absl::string_view what) {
  if (ioctl(tap.get(), request, argument) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, what);
}

// TUNSETIFF: makes the device, or opens one that is there.
int SetInterface(const UniqueFd& tap, const LinkName& name, int flags) {
  ifreq request = {};
  request.ifr_flags = static_cast<short>(flags);
  std::memcpy(request.ifr_name, name.text().c_str(), name.text().size() + 1);
  return ioctl(tap.get(), TUNSETIFF, &request) == 0 ? 0 : errno;
}

absl::StatusOr<UniqueFd> OpenTunDevice() {
  UniqueFd tap(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap.valid()) return absl::ErrnoToStatus(errno, "/dev/net/tun");
  return tap;
}

absl::Status Attach(const UniqueFd& tap, const TapSpec& spec) {
  // IFF_VNET_HDR is every VMM's choice to repeat or drop when it opens the TAP;
  // IFF_MULTI_QUEUE is fixed for good. IFF_TUN_EXCL refuses a link that is there.
  const int error = SetInterface(
      tap, spec.name,
      IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL | (spec.multi_queue ? IFF_MULTI_QUEUE : 0));
  if (error == 0) return absl::OkStatus();
  if (error == EBUSY || error == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat("there is a link ", spec.name.text()));
  }
  return absl::ErrnoToStatus(error, "TUNSETIFF");
}

// Asks by the name that the kernel gives for the descriptor: no other link can have
// taken it in between.
absl::StatusOr<Ifindex> IndexOf(const UniqueFd& ioctl_socket, const UniqueFd& tap) {
  ifreq request = {};
  if (ioctl(tap.get(), TUNGETIFF, &request) != 0) return absl::ErrnoToStatus(errno, "TUNGETIFF");
  if (ioctl(ioctl_socket.get(), SIOCGIFINDEX, &request) != 0) {
    return absl::ErrnoToStatus(errno, "SIOCGIFINDEX");
  }
  return request.ifr_ifindex;
}

}  // namespace

absl::StatusOr<TapDevice> CreateTapDevice(const UniqueFd& ioctl_socket, const TapSpec& spec) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.open"));
  SVNET_ASSIGN_OR_RETURN(UniqueFd tap, OpenTunDevice());
  SVNET_RETURN_IF_ERROR(Attach(tap, spec));
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.owner"));
  SVNET_RETURN_IF_ERROR(Control(tap, TUNSETOWNER, spec.owner, "TUNSETOWNER"));
  if (spec.group_gid.has_value()) {
    SVNET_RETURN_IF_ERROR(Control(tap, TUNSETGROUP, *spec.group_gid, "TUNSETGROUP"));
  }
  SVNET_ASSIGN_OR_RETURN(const Ifindex ifindex, IndexOf(ioctl_socket, tap));
  return TapDevice{.fd = std::move(tap), .ifindex = ifindex};
}

absl::StatusOr<std::optional<TapDevice>> OpenTapDevice(const UniqueFd& ioctl_socket,
                                                       const LinkName& name, bool multi_queue) {
  // Without such a link the kernel would make one.
  ifreq request = {};
  std::memcpy(request.ifr_name, name.text().c_str(), name.text().size() + 1);
  if (ioctl(ioctl_socket.get(), SIOCGIFINDEX, &request) != 0) {
    return absl::NotFoundError("the TAP is gone");
  }
  SVNET_ASSIGN_OR_RETURN(UniqueFd tap, OpenTunDevice());
  const int error = SetInterface(
      tap, name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0));
  if (error == EBUSY || error == E2BIG) return std::nullopt;
  if (error != 0) return absl::ErrnoToStatus(error, "TUNSETIFF");
  SVNET_ASSIGN_OR_RETURN(const Ifindex ifindex, IndexOf(ioctl_socket, tap));
  return TapDevice{.fd = std::move(tap), .ifindex = ifindex};
}

absl::Status ResetTapDevice(const UniqueFd& tap) {
  SVNET_RETURN_IF_ERROR(Control(tap, TUNSETOFFLOAD, 0, "TUNSETOFFLOAD"));
  int header = 10;            // sizeof(virtio_net_hdr)
  int send_buffer = INT_MAX;  // drivers/net/tun.c: tun_set_iff
  int little_endian = 0;
  tun_filter all = {};
  int no_program = -1;
  struct Setting {
    unsigned long request;
    void* value;
    const char* what;
  };
  for (const Setting& each : {Setting{TUNSETVNETHDRSZ, &header, "TUNSETVNETHDRSZ"},
                              Setting{TUNSETSNDBUF, &send_buffer, "TUNSETSNDBUF"},
                              Setting{TUNSETVNETLE, &little_endian, "TUNSETVNETLE"},
                              Setting{TUNSETTXFILTER, &all, "TUNSETTXFILTER"},
                              Setting{TUNSETFILTEREBPF, &no_program, "TUNSETFILTEREBPF"},
                              Setting{TUNSETSTEERINGEBPF, &no_program, "TUNSETSTEERINGEBPF"}}) {
    if (ioctl(tap.get(), each.request, each.value) < 0) {
      return absl::ErrnoToStatus(errno, each.what);
    }
  }
  return absl::OkStatus();
}

absl::Status SwitchCarrierOff(const UniqueFd& tap) {
  int carrier = 0;
  if (ioctl(tap.get(), TUNSETCARRIER, &carrier) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "TUNSETCARRIER");
}

absl::Status MakePersistent(const UniqueFd& tap) {
  return Control(tap, TUNSETPERSIST, 1, "TUNSETPERSIST");
}

}  // namespace svnet

#include "tap_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

TapDevice::TapDevice(const std::string& name) : fd_(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "/dev/net/tun");
  ifreq request = {};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(fd_, TUNSETIFF, &request) != 0) {
    const int error = errno;
    close(fd_);
    throw std::system_error(error, std::generic_category(), name);
  }
}

TapDevice::~TapDevice() { close(fd_); }

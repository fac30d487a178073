#include "tests/system/tap_holder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "daemon/base/mac_address.h"
#include "tests/system/borrowed_ids.h"

namespace svnet::testing {
namespace {

RunAs As(uid_t uid) { return {.uid = uid, .gid = uid, .groups = {}}; }

// An ioctl of a socket's, by the link's name: these ask for CAP_NET_ADMIN.
int ControlLink(const TapHolder& holder, uid_t uid, unsigned long request) {
  const BorrowedIds ids(As(uid));
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq link = {};
  std::strncpy(link.ifr_name, holder.tap().c_str(), IFNAMSIZ - 1);
  return ioctl(socket.get(), request, &link) == 0 ? 0 : errno;
}

}  // namespace

TapHolder::TapHolder(const v1::Tap& tap, uid_t uid, int queues)
    : tap_(tap.tap_name()), uid_(uid), multi_queue_(queues > 1) {
  for (int i = 0; i < queues; ++i) EXPECT_EQ(OpenAnother(), 0) << tap_ << " queue " << i;
}

int TapHolder::OpenAnother() {
  const BorrowedIds ids(As(uid_));
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq request = {};
  const int flags = IFF_TAP | IFF_NO_PI | (multi_queue_ ? IFF_MULTI_QUEUE : 0);
  request.ifr_flags = static_cast<short>(flags);
  std::strncpy(request.ifr_name, tap_.c_str(), IFNAMSIZ - 1);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return errno;
  queues_.push_back(std::move(fd));
  return 0;
}

int TapHolder::Control(unsigned long request, unsigned long argument) const {
  if (queues_.empty()) return EBADF;
  const BorrowedIds ids(As(uid_));
  return ioctl(queues_.front().get(), request, argument) == 0 ? 0 : errno;
}

int TapHolder::Control(unsigned long request, void* argument) const {
  return Control(request, reinterpret_cast<unsigned long>(argument));
}

std::string TapHolder::OwnMac() const {
  ifreq request = {};
  Control(SIOCGIFHWADDR, &request);
  MacAddress::Octets octets;
  std::memcpy(octets.data(), request.ifr_hwaddr.sa_data, octets.size());
  return MacAddress(octets).ToString();
}

int TapHolder::SetOwnMac(const std::string& mac) const {
  ifreq request = {};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  const MacAddress::Octets octets = MacAddress::Parse(mac).value().octets();
  std::memcpy(request.ifr_hwaddr.sa_data, octets.data(), octets.size());
  return Control(SIOCSIFHWADDR, &request);
}

bool TapHolder::IsGone() const {
  ifreq request = {};
  return Control(TUNGETIFF, &request) != 0;
}

std::vector<HolderAction> AllHolderActions(const std::string& victim_mac, uid_t victim) {
  const auto set = [](unsigned long request, unsigned long argument) {
    return [=](TapHolder& holder) { return holder.Control(request, argument); };
  };
  const auto set_int = [](unsigned long request, int value) {
    return [=](TapHolder& holder) {
      int argument = value;
      return holder.Control(request, &argument);
    };
  };
  const auto own_mac = [](const std::string& mac) {
    return [=](TapHolder& holder) { return holder.SetOwnMac(mac); };
  };
  return {
      {"Owner", set(TUNSETOWNER, victim), "its owner was changed"},
      {"OwnerRoot", set(TUNSETOWNER, 0), "its owner was changed"},
      {"OwnerNobody", set(TUNSETOWNER, static_cast<unsigned long>(-1)), "", EINVAL},
      {"Group", set(TUNSETGROUP, victim), "its group was changed"},
      {"Persistence", set(TUNSETPERSIST, 0), "it was made to end with its holder"},
      {"MacOfAnother", own_mac(victim_mac), "its own MAC was changed"},
      {"MacOfNobody", own_mac("02:66:66:66:66:66"), "its own MAC was changed"},
      {"MacOfAnotherAndBack",
       [=](TapHolder& holder) {
         const std::string own = holder.OwnMac();
         if (const int error = holder.SetOwnMac(victim_mac); error != 0) return error;
         const int error = holder.SetOwnMac(own);
         return error == EBADFD ? 0 : error;  // the TAP is gone already
       },
       "its own MAC was changed"},
      {"MacThatItHas", [](TapHolder& holder) { return holder.SetOwnMac(holder.OwnMac()); }, ""},
      // Of a link that is up, and only CAP_NET_ADMIN brings it down.
      {"LinkType", set(TUNSETLINK, ARPHRD_LOOPBACK), "", EBUSY},
      {"Carrier", set_int(TUNSETCARRIER, 0), ""},
      {"Offloads", set(TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), ""},
      {"SendBuffer", set_int(TUNSETSNDBUF, 1), ""},
      {"VnetHeader", set_int(TUNSETVNETHDRSZ, 12), ""},
      {"VnetLittleEndian", set_int(TUNSETVNETLE, 1), ""},
      {"Filter",
       [](TapHolder& holder) {
         sock_filter drop_all = {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
         sock_fprog program = {.len = 1, .filter = &drop_all};
         return holder.Control(TUNATTACHFILTER, &program);
       },
       ""},
      {"TransmitFilter",
       [](TapHolder& holder) {
         tun_filter none = {.flags = 0, .count = 0};
         return holder.Control(TUNSETTXFILTER, &none);
       },
       ""},
      {"BigEndian",
       [](TapHolder& holder) {
         // Not every kernel has it (CONFIG_TUN_VNET_CROSS_LE).
         int on = 1;
         const int error = holder.Control(TUNSETVNETBE, &on);
         return error == EINVAL ? 0 : error;
       },
       ""},
      {"SteeringProgram", set_int(TUNSETSTEERINGEBPF, -1), ""},
      {"FilterProgram", set_int(TUNSETFILTEREBPF, -1), ""},
      {"DetachedQueue",
       [](TapHolder& holder) {
         ifreq detach = {};
         detach.ifr_flags = IFF_DETACH_QUEUE;
         const int error = holder.Control(TUNSETQUEUE, &detach);
         return error == EINVAL && !holder.multi_queue() ? 0 : error;
       },
       ""},
      {"Namespace", set(TUNGETDEVNETNS, 0), "", EPERM},
      {"Down", [](TapHolder& holder) { return ControlLink(holder, 1000, SIOCSIFFLAGS); }, "",
       EPERM},
      {"Mtu", [](TapHolder& holder) { return ControlLink(holder, 1000, SIOCSIFMTU); }, "", EPERM},
      {"Name", [](TapHolder& holder) { return ControlLink(holder, 1000, SIOCSIFNAME); }, "", EPERM},
  };
}

}  // namespace svnet::testing

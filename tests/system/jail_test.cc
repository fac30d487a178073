// Firecracker in its jail, which takes TAPs by name only. Debian has neither it nor its jailer:
// this is a stand-in that makes the same system calls in the same order, as their sources have
// them.
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

// Ends the process with the errno of what has failed.
void Require(bool done) {
  if (!done) _exit(errno);
}

// src/jailer/src/env.rs, Env::run: the jailer, which is root. `netns` as --netns, or empty.
void EnterJail(const std::string& folder, const std::string& netns, uid_t uid) {
  if (!netns.empty()) {
    const int place = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
    Require(place >= 0);
    Require(setns(place, CLONE_NEWNET) == 0);
    close(place);
  }
  // src/jailer/src/chroot.rs
  Require(unshare(CLONE_NEWNS) == 0);
  Require(mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0);
  Require(mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0);
  Require(chdir(folder.c_str()) == 0);
  Require(mkdir("old_root", S_IRUSR | S_IWUSR) == 0);
  Require(syscall(SYS_pivot_root, ".", "old_root") == 0);
  Require(chdir("/") == 0);
  Require(umount2("old_root", MNT_DETACH) == 0);
  Require(rmdir("old_root") == 0);
  for (const char* path : {"/", "/dev", "/dev/net"}) {
    Require(mkdir(path, 0700) == 0 || errno == EEXIST);
    Require(chmod(path, 0700) == 0 && chown(path, uid, uid) == 0);
  }
  Require(mknod("/dev/net/tun", S_IFCHR | S_IRUSR | S_IWUSR, makedev(10, 200)) == 0);
  Require(chown("/dev/net/tun", uid, uid) == 0);
  // As Rust's Command does before it executes Firecracker.
  Require(setgroups(0, nullptr) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
}

// src/vmm/src/devices/virtio/net/{tap,device}.rs: Tap::open_named, Net::new, and when the guest
// has chosen its features, Net::activate.
void OpenTapAsFirecracker(const std::string& tap) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  Require(fd >= 0);
  ifreq request = {};
  std::strncpy(request.ifr_name, tap.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  Require(ioctl(fd, TUNSETIFF, &request) == 0);
  int header = 12;  // of a virtio_net_hdr_v1
  Require(ioctl(fd, TUNSETVNETHDRSZ, &header) == 0);
  Require(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_UFO) == 0);
}

class JailTest : public OnEachKind<SystemTest> {
 protected:
  // 0, or the errno with which it ends. The jail's folder must be on a file system that takes
  // devices.
  int RunFirecracker(const v1::Tap& tap, const std::string& netns) const {
    const std::string jail = folder() + "/jail";
    Shell(absl::StrCat("rm -rf ", jail, "; mkdir ", jail));
    const pid_t pid = fork();
    if (pid == 0) {
      EnterJail(jail, netns, kAlice);
      OpenTapAsFirecracker(tap.tap_name());
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, JailTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(JailTest, OpensTheTapOfItsUidInSvnetdsNetworkNamespaceOnly) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  const v1::Tap tap = alice.MustCreate("vm1");
  EXPECT_EQ(RunFirecracker(tap, ""), 0);
  // With --netns it is svnetd's own that works ...
  Shell("ip netns attach svnetds $BASHPID");
  EXPECT_EQ(RunFirecracker(tap, "/run/netns/svnetds"), 0);
  // ... and no other: there is no such TAP, and to make one takes a right that it has not.
  Shell("ip netns add own");
  EXPECT_EQ(RunFirecracker(tap, "/run/netns/own"), EPERM);
  Shell("ip netns delete own; ip netns delete svnetds");
  EXPECT_EQ(RunFirecracker(bob.MustCreate("vm2"), ""), EPERM);
}

}  // namespace
}  // namespace svnet::testing

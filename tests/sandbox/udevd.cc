#include "tests/sandbox/udevd.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

constexpr char kUnpacked[] = SVNET_SOURCE "/build/udev/root";

// systemd itself has 99-systemd.rules, and is the host's.
constexpr char kMounts[] =
    "mount -t tmpfs -o mode=755 none /run; mkdir -p /run/udev /run/etc/{upper,work} "
    "/run/usr/{upper,work};"
    "mount -t sysfs none /sys;"
    "mount -t overlay none /etc -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work;"
    "mount -t overlay none /usr "
    "-o lowerdir=" SVNET_SOURCE
    "/build/udev/root/usr:/usr,upperdir=/run/usr/upper,workdir=/run/usr/work;"
    "mkdir -p /etc/udev/rules.d /etc/systemd/network;"
    "rm -f /etc/udev/rules.d/*svnet* /etc/systemd/network/*svnet* "
    "/usr/lib/udev/rules.d/*svnet* /usr/lib/systemd/network/*svnet*";

// It sets the modes of what is in /dev.
constexpr char kUdevd[] =
    "mount -t tmpfs -o mode=755 none /dev; mknod -m 666 /dev/null c 1 3;"
    "exec >/run/udevd.log 2>&1; exec -a systemd-udevd /usr/bin/udevadm";

pid_t StartUdevd() {
  const pid_t child = fork();
  if (child != 0) return child;
  execl("/usr/bin/unshare", "unshare", "--mount", "bash", "-euc", kUdevd, nullptr);
  _exit(127);
}

absl::Duration Sum(const timeval& a, const timeval& b) {
  return absl::DurationFromTimeval(a) + absl::DurationFromTimeval(b);
}

}  // namespace

Udevd::Udevd(Files files) {
  if (access(kUnpacked, R_OK) != 0) {
    ADD_FAILURE() << "there is no " << kUnpacked << ": tests/unpack.sh build/udev udev";
  }
  Shell(kMounts);
  if (files == Files::kOurs) InstallFiles();
  pid_ = StartUdevd();
  EXPECT_TRUE(Eventually([] { return access("/run/udev/control", F_OK) == 0; }))
      << Shell("cat /run/udevd.log");
  EXPECT_TRUE(Settle());
}

Udevd::~Udevd() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Shell("umount -l /usr; umount -l /etc; umount -l /sys; umount -l /run");
}

void Udevd::InstallFiles() {
  Shell("cp " SVNET_SOURCE
        "/systemd/99-zz-svnet.rules /usr/lib/udev/rules.d;"
        "cp " SVNET_SOURCE "/systemd/10-svnet.link /usr/lib/systemd/network");
  if (pid_ > 0) Shell("udevadm control --reload");
}

void Udevd::Trigger(const std::string& action) {
  Shell(absl::StrCat("udevadm trigger --subsystem-match=net --action=", action));
}

bool Udevd::Settle(absl::Duration deadline) {
  return ShellExitCode(absl::StrCat("udevadm settle --timeout=", absl::ToInt64Seconds(deadline))) ==
         0;
}

std::string Udevd::Data(int ifindex) {
  const std::ifstream file(absl::StrCat("/run/udev/data/n", ifindex));
  std::ostringstream text;
  text << file.rdbuf();
  return file.is_open() ? text.str() : "";
}

absl::Duration Udevd::Stop() {
  Shell("udevadm control --exit");
  int status = 0;
  rusage used = {};
  EXPECT_EQ(wait4(pid_, &status, 0, &used), pid_);
  pid_ = -1;
  return Sum(used.ru_utime, used.ru_stime);
}

}  // namespace svnet::testing

#include "tests/sandbox/sandbox.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace svnet::testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr,
               "this test cannot run here: %s: %s\n(it needs root, and a kernel with "
               "network and mount namespaces and TUN)\n",
               what.c_str(), std::strerror(errno));
  std::_Exit(1);
}

void BindMount(const char* from, const char* to) {
  mkdir(to, 0755);
  if (mount(from, to, nullptr, MS_BIND, nullptr) != 0) Die(std::string("mount ") + from);
}

// Through bash for its "pipefail"; the text reaches it as one argument.
int Run(const std::string& command, std::string* output) {
  setenv("SVNET_TEST_COMMAND", command.c_str(), 1);
  FILE* process = popen("exec bash -euo pipefail -c \"$SVNET_TEST_COMMAND\" 2>&1", "re");
  if (process == nullptr) Die("popen");
  char buffer[4096];
  while (const size_t count = fread(buffer, 1, sizeof(buffer), process)) {
    output->append(buffer, count);
  }
  return pclose(process);
}

}  // namespace

void EnterFreshNetworkNamespace() {
  if (unshare(CLONE_NEWNET) != 0) Die("unshare(CLONE_NEWNET)");
  // Without duplicate address detection, an IPv6 address is the same at once and a second later.
  Shell(
      "ip link set lo up;"
      "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
}

void EnterPrivateMounts() {
  if (unshare(CLONE_NEWNS) != 0) Die("unshare(CLONE_NEWNS)");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) Die("mount /");
  mkdir("/dev/net", 0755);
  if (mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=755") != 0) Die("mount /dev/net");
  if (mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) != 0) Die("mknod /dev/net/tun");
  if (chmod("/dev/net/tun", 0666) != 0) Die("chmod /dev/net/tun");
  mkdir("/run/netns", 0755);
  if (mount("tmpfs", "/run/netns", "tmpfs", 0, "mode=755") != 0) Die("mount /run/netns");
  mkdir("/run/svnet", 0755);
  if (mount("tmpfs", "/run/svnet", "tmpfs", 0, "mode=755") != 0) Die("mount /run/svnet");
  // The checkout may be where no other uid can go.
  if (mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") != 0) Die("mount /mnt");
  BindMount(SVNET_SOURCE_DIR, SVNET_SOURCE);
  // iptables-legacy's lock, which the host's programs and other tests hold now and then.
  if (mknod("/mnt/xtables.lock", S_IFREG | 0600, 0) != 0) Die("mknod xtables.lock");
  close(open("/run/xtables.lock", O_CREAT | O_CLOEXEC, 0600));
  if (mount("/mnt/xtables.lock", "/run/xtables.lock", nullptr, MS_BIND, nullptr) != 0) {
    Die("mount /run/xtables.lock");
  }
  // Another build's programs, tested by this build's tests.
  const char* under_test = std::getenv("SVNET_UNDER_TEST");
  BindMount(under_test != nullptr ? under_test : SVNET_BINARY_DIR, SVNET_BINARY);
}

std::string Shell(const std::string& command) {
  std::string output;
  const int status = Run(command, &output);
  if (status == 0) return output;
  std::fprintf(stderr, "command failed (%d): %s\n%s\n", status, command.c_str(), output.c_str());
  std::abort();
}

int ShellExitCode(const std::string& command) {
  std::string output;
  return WEXITSTATUS(Run(command, &output));
}

std::string RulesTable() {
  // Each has a chain of that name; an empty one is not in force.
  const std::string name = Shell(
      "nft list tables | while read -r word family name; do case $name in"
      "  svnet-svbr0 | svnet-svbr0/[ab])"
      "    nft list chain $family $name input >/dev/null 2>&1 && echo -n $name && break;;"
      "esac; done || true");
  return name.empty() ? "svnet-svbr0" : name;
}

std::string NetworkPicture() {
  // What follows a carrier does so a moment later, and is nobody's doing.
  return Shell(
      "(ip link; ip address; ip route show table all; ip rule; nft list ruleset) |"
      // An svnetd's lock is there as long as that svnetd is.
      "sed '/^table inet svnetd-lock-/,/^}/d' |"
      // Of its tables it does not matter whose turn it is, and whether it runs.
      "sed -E 's|^(table .* svnet-.*)/[ab] \\{.*|\\1 {|; /^\\tflags (owner)?$/d; /^$/d' |"
      "sed -E 's/(NO-CARRIER,|,LOWER_UP)//; s/ state [A-Z]+//; s/ linkdown//'");
}

}  // namespace svnet::testing

#include "tests/sandbox/sandbox.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <vector>

#include "daemon/base/unique_fd.h"

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

// By bash, and without popen(3), which would run a sh for it: tests run commands by the thousand.
int Run(const std::string& command, std::string* output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  const UniqueFd output_end(ends[0]);
  UniqueFd input_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, input_end.get(), STDERR_FILENO);
  const std::vector<std::string> words = {"bash", "-euo", "pipefail", "-c", command};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& each : words) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  errno = posix_spawnp(&pid, "bash", &actions, nullptr, arguments.data(), environ);
  if (errno != 0) Die("bash");
  posix_spawn_file_actions_destroy(&actions);
  input_end.Reset();
  char buffer[4096];
  ssize_t count = 0;
  while ((count = TEMP_FAILURE_RETRY(read(output_end.get(), buffer, sizeof(buffer)))) > 0) {
    output->append(buffer, static_cast<size_t>(count));
  }
  int status = 0;
  if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) != pid) Die("waitpid");
  return status;
}

// Of the network namespace that the calling thread is in.
void WriteSetting(const char* file, const char* value) {
  const UniqueFd fd(open(file, O_WRONLY | O_CLOEXEC));
  if (write(fd.get(), value, std::strlen(value)) < 0) Die(file);
}

void SetLoopbackUp() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) Die("lo up");
}

}  // namespace

void EnterFreshNetworkNamespace() {
  if (unshare(CLONE_NEWNET) != 0) Die("unshare(CLONE_NEWNET)");
  SetLoopbackUp();
  // Without duplicate address detection, an IPv6 address is the same at once and a second later.
  WriteSetting("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
  WriteSetting("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
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
  std::string table;
  std::istringstream chains(Shell("nft list chains"));
  for (std::string line; std::getline(chains, line);) {
    char name[256];
    if (std::sscanf(line.c_str(), "table %*s %255s {", name) == 1) table = name;
    const bool is_ours =
        table == "svnet-svbr0" || table == "svnet-svbr0/a" || table == "svnet-svbr0/b";
    if (is_ours && line == "\tchain input {") return table;
  }
  return "svnet-svbr0";
}

std::string NetworkPicture() {
  // What follows a carrier does so a moment later, and is nobody's doing.
  return Shell(
      "(ip link; ip address; ip route show table all; ip rule; nft list ruleset) |"
      // An svnetd's lock is there as long as that svnetd is.
      "sed -E '/^table inet svnetd-lock-/,/^}/d;"
      // Of its tables it does not matter whose turn it is, and whether it runs.
      "s|^(table .* svnet-.*)/[ab] \\{.*|\\1 {|; /^\\tflags (owner)?$/d; /^$/d;"
      "s/(NO-CARRIER,|,LOWER_UP)//; s/ state [A-Z]+//; s/ linkdown//'");
}

}  // namespace svnet::testing

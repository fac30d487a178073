#include "tests/system/firewalls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

constexpr char kUnpacked[] = SVNET_SOURCE "/build/firewalls/root";

// Root's own, so that it ends with the test: one that changes its uid would not.
constexpr char kBusConfig[] =
    "<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>"
    "<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
    "<allow send_destination=\"*\"/>"
    "<allow receive_sender=\"*\"/></policy></busconfig>";

std::string WithProgram(const char* commands, const std::string& program) {
  return absl::StrReplaceAll(commands, {{"IPT ", program + " "}});
}

// Ends with the test, however that ends.
pid_t StartProgram(const std::vector<std::string>& command, const char* log) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void End(pid_t child) {
  kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
}

void WaitUntil(const std::string& command) {
  EXPECT_TRUE(Eventually([&] { return ShellExitCode(command) == 0; }, absl::Seconds(60)))
      << command << "\n"
      << Shell("cat /run/*.log");
}

}  // namespace

std::string Docker20(const std::string& program) {
  return WithProgram(
      "IPT -P FORWARD DROP; IPT -N DOCKER; IPT -N DOCKER-ISOLATION-STAGE-1;"
      "IPT -N DOCKER-ISOLATION-STAGE-2; IPT -N DOCKER-USER;"
      "IPT -A FORWARD -j DOCKER-USER; IPT -A FORWARD -j DOCKER-ISOLATION-STAGE-1;"
      "IPT -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
      "IPT -A FORWARD -o docker0 -j DOCKER; IPT -A FORWARD -i docker0 ! -o docker0 -j ACCEPT;"
      "IPT -A FORWARD -i docker0 -o docker0 -j ACCEPT;"
      "IPT -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2;"
      "IPT -A DOCKER-ISOLATION-STAGE-1 -j RETURN;"
      "IPT -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP;"
      "IPT -A DOCKER-ISOLATION-STAGE-2 -j RETURN; IPT -A DOCKER-USER -j RETURN",
      program);
}

std::string Docker28(const std::string& program) {
  return WithProgram(
      "IPT -P FORWARD DROP; IPT -N DOCKER; IPT -N DOCKER-BRIDGE; IPT -N DOCKER-CT;"
      "IPT -N DOCKER-FORWARD; IPT -N DOCKER-ISOLATION-STAGE-1;"
      "IPT -N DOCKER-ISOLATION-STAGE-2; IPT -N DOCKER-USER;"
      "IPT -A FORWARD -j DOCKER-USER; IPT -A FORWARD -j DOCKER-FORWARD;"
      "IPT -A DOCKER ! -i docker0 -o docker0 -j DROP; IPT -A DOCKER-BRIDGE -o docker0 -j DOCKER;"
      "IPT -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
      "IPT -A DOCKER-FORWARD -j DOCKER-CT; IPT -A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1;"
      "IPT -A DOCKER-FORWARD -j DOCKER-BRIDGE; IPT -A DOCKER-FORWARD -i docker0 -j ACCEPT;"
      "IPT -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2;"
      "IPT -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP",
      program);
}

UnpackedFirewalls::UnpackedFirewalls() {
  if (access(kUnpacked, R_OK) != 0) {
    ADD_FAILURE() << "there is no " << kUnpacked << ": tests/firewalls/build.sh build/firewalls";
  }
  const std::string unpacked = kUnpacked;
  Shell(
      "mount -t tmpfs -o mode=755 none /run; mkdir /run/upper /run/work;"
      "mount -t overlay none /etc -o lowerdir=" +
      unpacked +
      "/etc:/etc,upperdir=/run/upper,workdir=/run/work;"
      "mount -t overlay none /usr -o lowerdir=" +
      unpacked + "/usr:/usr");
}

UnpackedFirewalls::~UnpackedFirewalls() { Shell("umount -l /usr; umount -l /etc; umount -l /run"); }

Firewalld::Firewalld(bool with_svnets_zone) {
  if (with_svnets_zone) {
    Shell("install -Dm644 " SVNET_SOURCE
          "/systemd/firewalld/zone.xml /etc/firewalld/zones/svnet.xml;"
          "install -Dm644 " SVNET_SOURCE
          "/systemd/firewalld/policy.xml /etc/firewalld/policies/svnet-out.xml");
  }
  Shell(absl::StrCat("mkdir -p /run/dbus; echo '", kBusConfig, "' > /run/bus.conf"));
  bus_ = StartProgram({"/usr/bin/dbus-daemon", "--config-file=/run/bus.conf", "--nofork"},
                      "/run/bus.log");
  WaitUntil("test -S /run/dbus/system_bus_socket");
  polkit_ = StartProgram({"/usr/lib/polkit-1/polkitd", "--no-debug"}, "/run/polkit.log");
  WaitUntil("busctl status org.freedesktop.PolicyKit1");
  firewalld_ = StartProgram({"/usr/bin/python3", "/usr/sbin/firewalld", "--nofork", "--nopid",
                             "--log-file=/run/firewalld.log"},
                            "/run/firewalld.out.log");
  WaitUntil("firewall-cmd --state");
}

Firewalld::~Firewalld() {
  End(firewalld_);
  End(polkit_);
  End(bus_);
}

}  // namespace svnet::testing

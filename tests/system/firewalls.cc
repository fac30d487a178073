#include "tests/system/firewalls.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

// Root's own, so that it ends with the test: one that changes its uid would not.
constexpr char kBusConfig[] =
    "<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>"
    "<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
    "<allow send_destination=\"*\"/>"
    "<allow receive_sender=\"*\"/></policy></busconfig>";

std::string WithProgram(const char* commands, const std::string& program) {
  return absl::StrReplaceAll(commands, {{"IPT ", program + " "}});
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

Firewalld::Firewalld(bool with_svnets_zone) {
  if (with_svnets_zone) {
    Shell("install -Dm644 " SVNET_SOURCE
          "/systemd/firewalld/zone.xml /etc/firewalld/zones/svnet.xml;"
          "install -Dm644 " SVNET_SOURCE
          "/systemd/firewalld/policy.xml /etc/firewalld/policies/svnet-out.xml");
  }
  Shell(absl::StrCat("mkdir -p /run/dbus; echo '", kBusConfig, "' > /run/bus.conf"));
  bus_.emplace("/usr/bin/dbus-daemon --config-file=/run/bus.conf --nofork", "bus");
  WaitUntil("test -S /run/dbus/system_bus_socket");
  polkit_.emplace("/usr/lib/polkit-1/polkitd --no-debug", "polkit");
  WaitUntil("busctl status org.freedesktop.PolicyKit1");
  firewalld_.emplace(
      "/usr/bin/python3 /usr/sbin/firewalld --nofork --nopid --log-file=/run/firewalld.log",
      "firewalld.out");
  WaitUntil("firewall-cmd --state");
}

}  // namespace svnet::testing

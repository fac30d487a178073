#include "tests/bench/peers.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench.h"
#include "tests/bench/command.h"
#include "tests/bench/floor.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::bench {
namespace {

constexpr char kBridge[] = "svbr0";
constexpr char kCni[] = "/usr/lib/cni";
constexpr char kQemuHelper[] = "/usr/lib/qemu/qemu-bridge-helper";
constexpr char kNetavark[] = "/usr/lib/podman/netavark";

std::string TapName(Number number) { return absl::StrFormat("tap%04d", number); }
// Of the VM, which is a container to some.
std::string NamespaceOf(const Candidate& candidate, Number number) {
  return absl::StrFormat("%s%04d", candidate.name(), number);
}

// The descriptor that comes by SCM_RIGHTS (unix(7)).
UniqueFd ReceiveDescriptor(const UniqueFd& socket) {
  char byte = 0;
  iovec part = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC) != 1 ||
      CMSG_FIRSTHDR(&message) == nullptr) {
    Fail("no TAP from qemu-bridge-helper");
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  return UniqueFd(fd);
}

}  // namespace

ShellCandidate::ShellCandidate() : Candidate("typescript") { Floor().MakeBridge(kBridge); }

void ShellCandidate::Create(Number number) {
  const std::string tap = TapName(number);
  RunShell(absl::StrCat("ip tuntap add dev ", tap, " mode tap user ", kFirstUid));
  RunShell(absl::StrCat("ip link set ", tap, " master ", kBridge));
  RunShell(absl::StrCat("ip link set ", tap, " up"));
}

void ShellCandidate::Remove(Number number) {
  RunShell(absl::StrCat("ip link del ", TapName(number)));
}

QemuHelperCandidate::QemuHelperCandidate() : Candidate("qemu-bridge-helper") {
  Floor().MakeBridge(kBridge);
  // In this process' own mounts: the machine's /etc stays as it is.
  testing::Shell(
      "mkdir -p /mnt/etc && mount -t tmpfs none /mnt/etc && mkdir /mnt/etc/{upper,work} &&"
      "mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/etc/upper,workdir=/mnt/etc/work /etc &&"
      "mkdir -p /etc/qemu && echo 'allow all' >/etc/qemu/bridge.conf");
}

void QemuHelperCandidate::Create(Number number) {
  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) Fail("socketpair");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  fcntl(theirs.get(), F_SETFD, 0);
  const Command command = {.words = {kQemuHelper, "--use-vnet", absl::StrCat("--br=", kBridge),
                                     absl::StrCat("--fd=", theirs.get())}};
  const pid_t helper = Spawn(command);
  theirs.Reset();
  if (taps_.size() <= static_cast<size_t>(number)) taps_.resize(number + 1);
  taps_[number] = ReceiveDescriptor(ours);
  WaitFor(helper, command);
}

void QemuHelperCandidate::Remove(Number number) { taps_[number].Reset(); }

CniCandidate::CniCandidate() : Candidate("cni") {
  std::ofstream(folder_.path() + "/bridge.conf") << absl::StrCat(
      R"({"cniVersion": "0.4.0", "name": "bench", "type": "bridge", "bridge": "cni0",)"
      R"( "isGateway": true, "ipMasq": true, "ipam": {"type": "host-local",)"
      R"( "subnet": "10.88.0.0/16", "dataDir": ")",
      folder_.path(), R"("}})");
}

void CniCandidate::Prepare(Number number) {
  testing::Shell("ip netns add " + NamespaceOf(*this, number));
}

void CniCandidate::Create(Number number) { Run("ADD", number); }

void CniCandidate::Remove(Number number) { Run("DEL", number); }

void CniCandidate::Run(const char* command, Number number) {
  bench::Run(
      {.words = {absl::StrCat(kCni, "/bridge")},
       .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", absl::StrCat("CNI_COMMAND=", command),
                       absl::StrCat("CNI_CONTAINERID=", NamespaceOf(*this, number)),
                       absl::StrCat("CNI_NETNS=/run/netns/", NamespaceOf(*this, number)),
                       "CNI_IFNAME=eth0", absl::StrCat("CNI_PATH=", kCni)},
       .input = folder_.path() + "/bridge.conf",
       .output = folder_.path() + "/answer"});
}

NetavarkCandidate::NetavarkCandidate() : Candidate("netavark") {}

void NetavarkCandidate::Prepare(Number number) {
  testing::Shell("ip netns add " + NamespaceOf(*this, number));
  const std::string network = std::string(64, 'a');
  std::ofstream(absl::StrCat(folder_.path(), "/", number)) << absl::StrFormat(
      R"({"container_id": "%s", "container_name": "%s", "networks": {"bench": {)"
      R"("static_ips": ["10.89.%d.%d"], "interface_name": "eth0"}},)"
      R"( "network_info": {"bench": {"name": "bench", "id": "%s", "driver": "bridge",)"
      R"( "network_interface": "podman0", "subnets": [{"subnet": "10.89.0.0/16",)"
      R"( "gateway": "10.89.0.1"}], "ipv6_enabled": false, "internal": false,)"
      R"( "dns_enabled": false, "ipam_options": {"driver": "host-local"}}}})",
      NamespaceOf(*this, number), NamespaceOf(*this, number), 1 + number / 256, number % 256,
      network);
}

void NetavarkCandidate::Create(Number number) { Run("setup", number); }

void NetavarkCandidate::Remove(Number number) { Run("teardown", number); }

void NetavarkCandidate::Run(const char* command, Number number) {
  bench::Run({.words = {kNetavark, "--config", folder_.path(), command,
                        absl::StrCat("/run/netns/", NamespaceOf(*this, number))},
              .input = absl::StrCat(folder_.path(), "/", number),
              .output = folder_.path() + "/answer"});
}

}  // namespace svnet::bench

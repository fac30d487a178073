#include "tests/sandbox/internet.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

// A child in a network namespace of its own, which does nothing.
pid_t HoldNamespace() {
  int ready[2];
  if (pipe(ready) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    EnterFreshNetworkNamespace();
    if (write(ready[1], "r", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte;
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) std::abort();
  close(ready[0]);
  return child;
}

}  // namespace

Internet::Internet(int mtu) : holder_(HoldNamespace()) {
  const std::string both_mtus = std::to_string(mtu);
  testing::Shell("ip link add up0 mtu " + both_mtus + " type veth peer name down0 mtu " +
                 both_mtus + " netns " + std::to_string(holder_) +
                 "; ip address add 203.0.113.2/24 dev up0; ip link set up0 up;"
                 "ip route add default via 203.0.113.1");
  Shell("ip address add 203.0.113.1/24 dev down0; ip link set down0 up");
}

Internet::~Internet() {
  // The kernel takes away what a namespace has had a while after its last process: the next one
  // could not have the name.
  testing::ShellExitCode("ip link delete up0 2>/dev/null");
  kill(holder_, SIGKILL);
  waitpid(holder_, nullptr, 0);
}

std::string Internet::namespace_file() const {
  return "/proc/" + std::to_string(holder_) + "/ns/net";
}

std::string Internet::Enter(const std::string& command) const {
  return "nsenter --net=" + namespace_file() + " bash -euc '" + command + "'";
}

std::string Internet::Shell(const std::string& command) const {
  return testing::Shell(Enter(command));
}

int Internet::ShellExitCode(const std::string& command) const {
  return testing::ShellExitCode(Enter(command));
}

}  // namespace svnet::testing

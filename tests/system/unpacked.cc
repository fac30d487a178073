#include "tests/system/unpacked.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

Unpacked::Unpacked(const std::string& name) {
  const std::string root = absl::StrCat(SVNET_SOURCE "/build/", name, "/root");
  if (access(root.c_str(), R_OK) != 0) {
    ADD_FAILURE() << "there is no build/" << name << ": \"sudo tests/run.sh system\" unpacks it";
  }
  Shell(absl::StrReplaceAll(
      "mount -t tmpfs -o mode=755 none /run; mkdir /run/upper /run/work;"
      "mount -t overlay none /etc -o lowerdir=ROOT/etc:/etc,upperdir=/run/upper,workdir=/run/work;"
      "mount -t overlay none /usr -o lowerdir=ROOT/usr:/usr",
      {{"ROOT", root}}));
}

Unpacked::~Unpacked() { Shell("umount -l /usr; umount -l /etc; umount -l /run"); }

Program::Program(const std::string& command, const std::string& log) {
  const std::string script = absl::StrCat("exec ", command, " >/run/", log, ".log 2>&1");
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execl("/bin/bash", "bash", "-c", script.c_str(), nullptr);
  _exit(127);
}

Program::~Program() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

void WaitUntil(const std::string& command) {
  EXPECT_TRUE(Eventually([&] { return ShellExitCode(command) == 0; }, absl::Seconds(60)))
      << command << "\n"
      << Shell("cat /run/*.log");
}

}  // namespace svnet::testing

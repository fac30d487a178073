// A process of a user, for leases that end with it.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

// Does nothing until it is ended.
class UserProcess {
 public:
  explicit UserProcess(uid_t uid) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      if (setgid(uid) != 0 || setuid(uid) != 0 || write(ready[1], "x", 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    close(ready[1]);
    char c;
    EXPECT_EQ(read(ready[0], &c, 1), 1);
    close(ready[0]);
  }
  ~UserProcess() { End(); }
  UserProcess(const UserProcess&) = delete;
  UserProcess& operator=(const UserProcess&) = delete;

  pid_t pid() const { return pid_; }
  // proc(5), /proc/pid/stat: field 22.
  std::string start_time() const {
    const std::string stat = Shell(absl::StrCat("cut -d' ' -f22 /proc/", pid_, "/stat"));
    return stat.substr(0, stat.size() - 1);
  }
  void End() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

}  // namespace svnet::testing

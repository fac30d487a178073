// What a gate may not.
#include "daemon/gate/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

namespace svnet {
namespace {

constexpr int kNotConfined = 100;

// How a process ends that is confined and then does that; its exit code is what `attempt`
// returns.
int StatusAfter(const std::function<int()>& attempt, bool as_parent = false) {
  const pid_t pid = fork();
  if (pid == 0) {
    const absl::Status confined = as_parent ? ConfineParent() : Confine();
    _exit(confined.ok() ? attempt() : kNotConfined);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

bool DiesOf(const std::function<int()>& attempt, bool as_parent = false) {
  const int status = StatusAfter(attempt, as_parent);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

int ErrorOf(long result) { return result < 0 ? errno : 0; }

// By number: what a wrapper of glibc's would do first is not asked for.
template <typename... Arguments>
std::function<int()> Call(long number, Arguments... arguments) {
  return [=] { return ErrorOf(syscall(number, arguments...)); };
}

struct Attempt {
  const char* name;
  std::function<int()> run;
};

class ConfinementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kConfinesSystemCalls) GTEST_SKIP() << "sanitizers need more than a gate may";
  }
};

TEST_F(ConfinementTest, ForbiddenCallsEndAGate) {
  const char* const kNoArguments[] = {nullptr};
  const std::vector<Attempt> attempts = {
      {"execve", Call(SYS_execve, "/bin/true", kNoArguments, kNoArguments)},
      {"execveat", Call(SYS_execveat, AT_FDCWD, "/bin/true", kNoArguments, kNoArguments, 0)},
      {"fork", Call(SYS_clone, SIGCHLD, 0, 0, 0, 0)},
      {"vfork", Call(SYS_vfork)},
      {"socket", Call(SYS_socket, AF_UNIX, SOCK_STREAM, 0)},
      {"socketpair", Call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nullptr)},
      {"connect", Call(SYS_connect, 0, nullptr, 0)},
      {"bind", Call(SYS_bind, 0, nullptr, 0)},
      {"listen", Call(SYS_listen, 0, 1)},
      {"accept4", Call(SYS_accept4, 0, nullptr, nullptr, 0)},
      {"ptrace", Call(SYS_ptrace, 0, 0, 0, 0)},
      {"kill", Call(SYS_kill, getpid(), 0)},
      {"tgkill another", Call(SYS_tgkill, getpid(), getpid(), 0)},
      {"tkill", Call(SYS_tkill, getpid(), 0)},
      {"rt_sigqueueinfo", Call(SYS_rt_sigqueueinfo, getpid(), 0, nullptr)},
      {"pidfd_open", Call(SYS_pidfd_open, getpid(), 0)},
      {"process_vm_readv", Call(SYS_process_vm_readv, getpid(), nullptr, 0, nullptr, 0, 0)},
      {"process_vm_writev", Call(SYS_process_vm_writev, getpid(), nullptr, 0, nullptr, 0, 0)},
      {"mount", Call(SYS_mount, nullptr, "/", nullptr, 0, nullptr)},
      {"umount2", Call(SYS_umount2, "/", 0)},
      {"chroot", Call(SYS_chroot, "/")},
      {"unshare", Call(SYS_unshare, CLONE_NEWUSER)},
      {"setns", Call(SYS_setns, 0, 0)},
      {"setresuid", Call(SYS_setresuid, 0, 0, 0)},
      {"capset", Call(SYS_capset, nullptr, nullptr)},
      {"bpf", Call(SYS_bpf, 0, nullptr, 0)},
      {"io_uring_setup", Call(SYS_io_uring_setup, 1, nullptr)},
      {"perf_event_open", Call(SYS_perf_event_open, nullptr, 0, 0, -1, 0)},
      {"userfaultfd", Call(SYS_userfaultfd, 0)},
      {"keyctl", Call(SYS_keyctl, 0, 0)},
      {"memfd_create", Call(SYS_memfd_create, "", 0)},
      {"unlink", Call(SYS_unlink, "/nonexistent")},
      {"chmod", Call(SYS_chmod, "/nonexistent", 0)},
      {"mkdir", Call(SYS_mkdir, "/nonexistent", 0)},
      {"ioctl", Call(SYS_ioctl, 0, 0, 0)},
      {"sched_setaffinity", Call(SYS_sched_setaffinity, 0, 0, nullptr)},
      {"seccomp", Call(SYS_seccomp, 0, 0, nullptr)},
      {"prctl PDEATHSIG", Call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0)},
      {"prctl DUMPABLE", Call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)},
      {"fcntl SETOWN", Call(SYS_fcntl, 0, F_SETOWN, 1)},
      {"fcntl SETLK", Call(SYS_fcntl, 0, F_SETLK, nullptr)},
      {"setpriority to another", Call(SYS_setpriority, PRIO_PGRP, 0, 0)},
      {"setpriority of a process", Call(SYS_setpriority, PRIO_PROCESS, 0, 19)},
      {"setpriority of another group", Call(SYS_setpriority, PRIO_PGRP, 1, 19)},
      {"setpriority of a user", Call(SYS_setpriority, PRIO_USER, 0, 19)},
      {"setrlimit", Call(SYS_setrlimit, RLIMIT_DATA, nullptr)},
      {"prlimit64",
       [] {
         const rlimit limit = {};
         return ErrorOf(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr));
       }},
      {"mmap code",
       Call(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
      {"mprotect code",
       [] {
         static char memory[8192];
         char* page = memory + 4096 - reinterpret_cast<uintptr_t>(memory) % 4096;
         return ErrorOf(syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC));
       }},
      {"pkey_mprotect", Call(SYS_pkey_mprotect, 0, 0, PROT_EXEC, -1)},
      {"personality", Call(SYS_personality, 0x0400000)},
      {"a call that there is not", Call(9999)},
  };
  for (const Attempt& attempt : attempts) EXPECT_TRUE(DiesOf(attempt.run)) << attempt.name;
}

TEST_F(ConfinementTest, FilesAreRefused) {
  const std::vector<Attempt> attempts = {
      {"open", Call(SYS_open, "/dev/null", O_RDONLY)},
      {"open for writing", Call(SYS_open, "/dev/null", O_WRONLY)},
      {"openat", Call(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)},
      {"stat", Call(SYS_stat, "/", nullptr)},
      {"readlink", Call(SYS_readlink, "/proc/self/exe", nullptr, 0)},
      {"access", Call(SYS_access, "/", 0)},
      {"setsockopt", Call(SYS_setsockopt, 0, SOL_SOCKET, SO_RCVBUF, nullptr, 0)}};
  for (const Attempt& attempt : attempts) {
    const int status = StatusAfter(attempt.run);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EACCES) << attempt.name << status;
  }
}

TEST_F(ConfinementTest, WhatAGateNeedsItHas) {
  EXPECT_EQ(StatusAfter([] {
              void* memory =
                  mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              const bool mapped = memory != MAP_FAILED && munmap(memory, 4096) == 0;
              rlimit limit = {};
              const bool read = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 4192;
              return mapped && read && prctl(PR_SET_NAME, "name") == 0 ? 0 : 1;
            }),
            0);
  // abort(3) is an abort, and not a SIGSYS: a gate at its limit of memory ends so.
  const int status = StatusAfter([]() -> int { std::abort(); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST_F(ConfinementTest, MemoryHasALimit) {
  EXPECT_EQ(StatusAfter([] {
              void* memory = mmap(nullptr, 100 << 20, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return memory == MAP_FAILED && errno == ENOMEM ? 0 : 1;
            }),
            0);
}

TEST_F(ConfinementTest, ParentOfGatesRunsNoProgramAndOpensNoSocket) {
  const char* const kNoArguments[] = {nullptr};
  const std::vector<Attempt> attempts = {
      {"execve", Call(SYS_execve, "/bin/true", kNoArguments, kNoArguments)},
      {"socket", Call(SYS_socket, AF_UNIX, SOCK_STREAM, 0)},
      {"ptrace", Call(SYS_ptrace, 0, 0, 0, 0)},
      {"process_vm_readv", Call(SYS_process_vm_readv, getpid(), nullptr, 0, nullptr, 0, 0)},
      {"unshare", Call(SYS_unshare, CLONE_NEWUSER)}};
  for (const Attempt& attempt : attempts) EXPECT_TRUE(DiesOf(attempt.run, true)) << attempt.name;
  // But gates it makes.
  EXPECT_EQ(StatusAfter(
                [] {
                  const pid_t pid = fork();
                  if (pid == 0) _exit(Confine().ok() ? 7 : 1);
                  int status = 0;
                  waitpid(pid, &status, 0);
                  return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 1;
                },
                true),
            0);
}

}  // namespace
}  // namespace svnet

#include "daemon/gate/confinement.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <memory>

#include "daemon/base/status_macros.h"
#include "daemon/gate/priority.h"

namespace svnet {
namespace {

// Bytes of heap and stacks (RLIMIT_DATA). A gate with 64 connections under load has 15 MB; with
// 512 answers of 200 KB that nobody reads, which is the worst that a client can do without
// breaking the rules of HTTP/2, 57 MB. Beyond this limit the gate ends, not the host.
constexpr rlim_t kMaxData = 96 << 20;
using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// What gRPC, glibc and the gate itself use, and nothing that takes a descriptor or a process
// from outside. Of calls that do the same there is the one that glibc takes here, and the one
// that it takes on another architecture.
constexpr int kAllowed[] = {
    // Connections, and the channel to svnetd.
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    // Waiting.
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
    // Memory and threads.
    SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mremap), SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler), SCMP_SYS(gettid), SCMP_SYS(getpid),
    // The rest.
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)};

// What glibc, Abseil and gRPC ask for, and do without: /proc, /sys, resolv.conf.
constexpr int kRefused[] = {SCMP_SYS(open),       SCMP_SYS(openat),    SCMP_SYS(readlink),
                            SCMP_SYS(readlinkat), SCMP_SYS(stat),      SCMP_SYS(fstat),
                            SCMP_SYS(newfstatat), SCMP_SYS(access),    SCMP_SYS(faccessat),
                            SCMP_SYS(sysinfo),    SCMP_SYS(setsockopt)};

// What no gate needs for itself, and the parent of gates never does.
constexpr int kNotParents[] = {
    // Programs.
    SCMP_SYS(execve), SCMP_SYS(execveat),
    // Sockets.
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
    // Other processes.
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    // The system, and corners of the kernel where its faults are.
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(unshare), SCMP_SYS(setns),
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup), SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(open_by_handle_at)};

// What libseccomp says to each step: 0, or an errno with a minus.
absl::Status ToStatus(int error) {
  return error >= 0 ? absl::OkStatus() : absl::ErrnoToStatus(-error, "seccomp");
}

absl::Status Add(const Filter& filter, uint32_t action, int call,
                 std::initializer_list<scmp_arg_cmp> conditions = {}) {
  return ToStatus(
      seccomp_rule_add_array(filter.get(), action, call, conditions.size(), conditions.begin()));
}

template <size_t kCount>
absl::Status AddAll(const Filter& filter, uint32_t action, const int (&calls)[kCount]) {
  for (const int call : calls) SVNET_RETURN_IF_ERROR(Add(filter, action, call));
  return absl::OkStatus();
}

// What is allowed with some arguments only.
absl::Status AddConditions(const Filter& filter) {
  const auto allow = [&](int call, std::initializer_list<scmp_arg_cmp> conditions) {
    return Add(filter, SCMP_ACT_ALLOW, call, conditions);
  };
  // No code that was not there before.
  const scmp_arg_cmp no_code = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(mmap), {no_code}));
  SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(mprotect), {no_code}));
  // Threads, and no processes. The flags of clone3 lie in memory: glibc falls back to clone.
  SVNET_RETURN_IF_ERROR(
      allow(SCMP_SYS(clone), {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)}));
  SVNET_RETURN_IF_ERROR(Add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3)));
  // abort(3): a signal to itself.
  const scmp_arg_cmp itself = SCMP_A0_64(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()));
  SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(tgkill), {itself}));
  // Limits can be read, and no more: its threads ask for their stacks'.
  SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(prlimit64), {SCMP_A2_64(SCMP_CMP_EQ, 0)}));
  // The lowest priority, for itself.
  SVNET_RETURN_IF_ERROR(
      allow(SCMP_SYS(setpriority), {SCMP_A0_64(SCMP_CMP_EQ, PRIO_PGRP), SCMP_A1_64(SCMP_CMP_EQ, 0),
                                    SCMP_A2_64(SCMP_CMP_EQ, kLowestNice)}));
  SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(prctl), {SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME)}));
  // Later versions of Abseil give their memory a name, and do without.
  SVNET_RETURN_IF_ERROR(
      Add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), {SCMP_A0_64(SCMP_CMP_EQ, PR_SET_VMA)}));
  for (const int command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC}) {
    const scmp_arg_cmp that = SCMP_A1_64(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command));
    SVNET_RETURN_IF_ERROR(allow(SCMP_SYS(fcntl), {that}));
  }
  return absl::OkStatus();
}

absl::StatusOr<Filter> MakeFilter(uint32_t otherwise) {
  Filter filter(seccomp_init(otherwise), seccomp_release);
  if (filter == nullptr) return absl::InternalError("seccomp_init");
  // As on another architecture, so by its numbers.
  SVNET_RETURN_IF_ERROR(
      ToStatus(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)));
  return filter;
}

absl::Status SetLimit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit = {.rlim_cur = value, .rlim_max = value};
  if (setrlimit(resource, &limit) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "setrlimit");
}

// Not more than there may be already: that would take a privilege.
absl::Status LimitDescriptors(rlim_t count) {
  rlimit now = {};
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) return absl::ErrnoToStatus(errno, "getrlimit");
  return SetLimit(RLIMIT_NOFILE, std::min(count, now.rlim_max));
}

absl::Status SetLimits() {
  SVNET_RETURN_IF_ERROR(SetLimit(RLIMIT_CORE, 0));
  SVNET_RETURN_IF_ERROR(SetLimit(RLIMIT_FSIZE, 0));
  SVNET_RETURN_IF_ERROR(LimitDescriptors(kOwnDescriptors + kMaxConnectionDescriptors));
  return kConfinesSystemCalls ? SetLimit(RLIMIT_DATA, kMaxData) : absl::OkStatus();
}

// Nothing that it runs can gain anything, and no other process of its uid sees into it.
absl::Status GiveUpGains() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return absl::ErrnoToStatus(errno, "prctl");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return absl::ErrnoToStatus(errno, "prctl");
  return absl::OkStatus();
}

}  // namespace

absl::Status Confine() {
  SVNET_RETURN_IF_ERROR(SetLimits());
  SVNET_RETURN_IF_ERROR(GiveUpGains());
  if (!kConfinesSystemCalls) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const Filter filter, MakeFilter(SCMP_ACT_KILL_PROCESS));
  SVNET_RETURN_IF_ERROR(AddAll(filter, SCMP_ACT_ALLOW, kAllowed));
  SVNET_RETURN_IF_ERROR(AddAll(filter, SCMP_ACT_ERRNO(EACCES), kRefused));
  SVNET_RETURN_IF_ERROR(AddConditions(filter));
  return ToStatus(seccomp_load(filter.get()));
}

absl::Status ConfineParent() {
  SVNET_RETURN_IF_ERROR(GiveUpGains());
  if (!kConfinesSystemCalls) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const Filter filter, MakeFilter(SCMP_ACT_ALLOW));
  SVNET_RETURN_IF_ERROR(AddAll(filter, SCMP_ACT_KILL_PROCESS, kNotParents));
  return ToStatus(seccomp_load(filter.get()));
}

}  // namespace svnet

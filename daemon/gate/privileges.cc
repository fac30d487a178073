#include "daemon/gate/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

constexpr int kMaxCapability = 63;  // the kernel has 64 bits for them

void Report(const char* what) {
  std::fprintf(stderr, "svnetd: its gates may more than they need: %s: %s\n", what,
               std::strerror(errno));
}

// Each step by itself: where one is not permitted, as in a container, the next one may be.
void Check(int result, const char* what) {
  if (result != 0) Report(what);
}

// Any process may make itself the first to go.
void GoFirstWithoutMemory() {
  const UniqueFd file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr absl::string_view kFirst = "1000";
  if (!file.valid() || write(file.get(), kFirst.data(), kFirst.size()) < 0) {
    Report("oom_score_adj");
  }
}

// The root of the file system is a folder with nothing in it, which nobody else can find.
void LeaveFiles() {
  char path[] = "/tmp/svnet-gates-XXXXXX";
  if (mkdtemp(path) == nullptr) return Report("mkdtemp");
  const UniqueFd folder(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  rmdir(path);
  Check(folder.valid() ? fchdir(folder.get()) : -1, "fchdir");
  Check(chroot("."), "chroot");
}

void DropCapabilities() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {};
  // Whoever was started without any may not be allowed to say so again.
  if (syscall(SYS_capget, &header, held) == 0 &&
      std::all_of(std::begin(held), std::end(held), [](const auto& each) {
        return (each.effective | each.permitted | each.inheritable) == 0;
      })) {
    return;
  }
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  Check(static_cast<int>(syscall(SYS_capset, &header, none)), "capset");
}

}  // namespace

void DropPrivileges() {
  if (geteuid() == 0) {
    GoFirstWithoutMemory();
    LeaveFiles();
    // Before the ids: without CAP_SETPCAP that is refused.
    for (int each = 0; each <= kMaxCapability; ++each) {
      if (prctl(PR_CAPBSET_READ, each, 0, 0, 0) == 1 &&
          prctl(PR_CAPBSET_DROP, each, 0, 0, 0) != 0) {
        Report("PR_CAPBSET_DROP");
        break;
      }
    }
    Check(setgroups(0, nullptr), "setgroups");
    Check(setresgid(kGateId, kGateId, kGateId), "setresgid");
    Check(setresuid(kGateId, kGateId, kGateId), "setresuid");
  }
  DropCapabilities();
}

}  // namespace svnet

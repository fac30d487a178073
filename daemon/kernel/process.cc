#include "daemon/kernel/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return absl::ErrnoToStatus(errno, path);
  std::array<char, 4096> text;  // more than either file has
  const ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) return absl::ErrnoToStatus(errno, path);
  return std::string(text.data(), size);
}

// Field 22. What comes before may hold spaces and brackets: the program's own name, in
// brackets.
absl::StatusOr<uint64_t> ReadStartTime(pid_t pid) {
  constexpr size_t kFieldAfterName = 3;
  constexpr size_t kStartTime = 22;
  SVNET_ASSIGN_OR_RETURN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat")));
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(stat.rfind(')') + 1), ' ', absl::SkipEmpty());
  uint64_t start_time = 0;
  if (fields.size() <= kStartTime - kFieldAfterName ||
      !absl::SimpleAtoi(fields[kStartTime - kFieldAfterName], &start_time)) {
    return absl::InternalError(absl::StrCat("/proc/", pid, "/stat is not as proc(5) says"));
  }
  return start_time;
}

absl::StatusOr<uid_t> ReadRealUid(pid_t pid) {
  SVNET_ASSIGN_OR_RETURN(const std::string status,
                         ReadFile(absl::StrCat("/proc/", pid, "/status")));
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    uid_t uid = 0;
    if (fields[0] == "Uid:" && fields.size() > 1 && absl::SimpleAtoi(fields[1], &uid)) return uid;
  }
  return absl::InternalError(absl::StrCat("/proc/", pid, "/status is not as proc(5) says"));
}

}  // namespace

absl::StatusOr<Process> OpenProcessOf(pid_t pid) {
  Process process;
  process.pidfd = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.pidfd.valid()) {
    if (errno == ESRCH || errno == EINVAL) return absl::NotFoundError("there is no such process");
    return absl::ErrnoToStatus(errno, "pidfd_open");
  }
  SVNET_ASSIGN_OR_RETURN(process.uid, ReadRealUid(pid));
  SVNET_ASSIGN_OR_RETURN(process.start_time, ReadStartTime(pid));
  // If it is still there now, then it was when its files were read.
  pollfd ended = {.fd = process.pidfd.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, 0) != 0) return absl::NotFoundError("the process has ended");
  return process;
}

}  // namespace svnet

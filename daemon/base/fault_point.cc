#include "daemon/base/fault_point.h"

#ifdef SVNET_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

struct Fault {
  std::string name;
  int countdown = 0;
  int signal = 0;  // 0: none
  int error = EIO;
};

std::string Setting() {
  const char* text = std::getenv("SVNET_FAULT");
  return text == nullptr ? "" : text;
}

Fault ReadFault(const std::string& setting) {
  const std::vector<std::string> parts = absl::StrSplit(setting, ':');
  Fault fault;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &fault.countdown)) return {};
  fault.name = parts[0];
  if (parts[2] == "die") fault.signal = SIGKILL;
  if (parts[2] == "stop") fault.signal = SIGSTOP;
  if (parts[2] == "unsupported") fault.error = EOPNOTSUPP;
  return fault;
}

void Trace(absl::string_view name) {
  const char* path = std::getenv("SVNET_FAULT_TRACE");
  if (path == nullptr) return;
  const UniqueFd file(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string line = absl::StrCat(name, "\n");
  if (write(file.get(), line.data(), line.size()) < 0) abort();
}

}  // namespace

absl::Status FaultPoint(absl::string_view name) {
  static std::mutex mutex;
  static std::string setting;
  static Fault fault;
  const std::lock_guard<std::mutex> lock(mutex);
  // A child of a test has another one.
  if (setting != Setting()) fault = ReadFault(setting = Setting());
  Trace(name);
  if (name != fault.name || --fault.countdown != 0) return absl::OkStatus();
  if (fault.signal != 0) {
    kill(getpid(), fault.signal);
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(fault.error, absl::StrCat("fault point ", name));
}

}  // namespace svnet

#endif

// A systemd-udevd of the test's own.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/time/time.h"

namespace svnet::testing {

// Debian's systemd-udevd, with all of the host's rules and those of its package, in the caller's
// network namespace: tests/unpack.sh unpacks it. As long as it lives, the test's processes have
// a /run and a /sys of their own, and what they write to /etc and /usr goes with it. udevd sees no
// devices but links, and no /dev of anybody's. Not thread-safe; one at a time.
class Udevd {
 public:
  // What of systemd/ is installed.
  enum class Files { kNone, kOurs };

  explicit Udevd(Files files);
  ~Udevd();
  Udevd(const Udevd&) = delete;
  Udevd& operator=(const Udevd&) = delete;

  // From now on, also for links that are there: installs svnet's files.
  void InstallFiles();

  // Has udev handle all links once more, as if the kernel had just said `action` of them.
  void Trigger(const std::string& action);

  // Waits until it has handled all that has happened. False: it has not, after that time.
  [[nodiscard]] bool Settle(absl::Duration deadline = absl::Seconds(20));

  // What it knows of a link; empty if it knows nothing.
  static std::string Data(int ifindex);

  // Ends it. How much processor time it took, with its workers and all that they ran.
  absl::Duration Stop();

 private:
  pid_t pid_ = -1;
};

}  // namespace svnet::testing

// How long a lease lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace svnet {

// Until it is removed.
struct Persistent {
  friend bool operator==(const Persistent&, const Persistent&) = default;
};

// Until that process has ended, and no process holds the TAP open.
struct BoundToProcess {
  pid_t pid;
  uint64_t start_time = 0;  // see Process: what tells it from a later one of that number

  friend bool operator==(const BoundToProcess&, const BoundToProcess&) = default;
};

// Until, after a process has held the TAP open for the first time, none has for `grace`.
struct UntilDetached {
  absl::Duration grace;  // whole milliseconds, 0 to kMaxGrace

  friend bool operator==(const UntilDetached&, const UntilDetached&) = default;
};
inline constexpr absl::Duration kMaxGrace = absl::Hours(1);

using Lifetime = std::variant<Persistent, BoundToProcess, UntilDetached>;

// As the alias has it: "persistent", "process:4711:1234567" (pid, start time),
// "detached:5000" (ms).
std::string FormatLifetime(const Lifetime& lifetime);
// InvalidArgument if it is none of these.
absl::StatusOr<Lifetime> ParseLifetime(absl::string_view text);

// The same lifetime, with the start time if it is bound to a process.
Lifetime WithStartTime(Lifetime lifetime, uint64_t start_time);

}  // namespace svnet

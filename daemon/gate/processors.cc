#include <unistd.h>

// gRPC 1.51 has threads for each processor, and on a large host 180 of them in a gate. It asks
// before main() and keeps the answer, so that the whole program says that there is one: svnetd
// itself has no use for the number.
//
// Takes glibc's place for the libraries, too: the linker exports what they refer to. Sanitizers
// ask it themselves before they are ready for code of theirs.

// glibc's own, by its other name.
extern "C" long __sysconf(int name) noexcept;

extern "C" __attribute__((no_sanitize("address"), no_sanitize("thread"))) long sysconf(
    int name) noexcept {
  const bool asks_for_processors = name == _SC_NPROCESSORS_CONF || name == _SC_NPROCESSORS_ONLN;
  return asks_for_processors ? 1 : __sysconf(name);
}

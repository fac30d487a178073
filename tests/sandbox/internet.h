// A simulated internet.
#pragma once

#include <sys/types.h>

#include <string>

namespace svnet::testing {

// A network namespace beside the caller's, with the address 203.0.113.1/24 at the far
// end of the link `up0`, over which the caller's default route leads from then on. It
// has no route back: only what leaves with the address 203.0.113.2 gets an answer.
// Gone with the object.
class Internet {
 public:
  // `mtu` of the link between, in bytes.
  explicit Internet(int mtu = 1500);
  ~Internet();

  // Its namespace, a file for setns(2).
  std::string namespace_file() const;
  // As Shell and ShellExitCode, on the internet.
  std::string Shell(const std::string& command) const;
  int ShellExitCode(const std::string& command) const;

 private:
  std::string Enter(const std::string& command) const;

  pid_t holder_;  // keeps the namespace
};

}  // namespace svnet::testing

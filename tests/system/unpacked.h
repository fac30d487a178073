// Programs of Debian's that are not installed, where nobody else sees them.
#pragma once

#include <sys/types.h>

#include <string>

namespace svnet::testing {

// Has what tests/unpack.sh has put into the folder build/`name` be there as if it were
// installed, with a /run of its own and files that go with the object.
class Unpacked {
 public:
  explicit Unpacked(const std::string& name);
  ~Unpacked();
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
};

// A process that ends with the object, and with the test, however that ends.
class Program {
 public:
  // In bash; what it prints goes to /run/`log`.log.
  Program(const std::string& command, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  pid_t pid_ = -1;
};

// Waits until the command succeeds. If it does not, the test fails with all logs.
void WaitUntil(const std::string& command);

}  // namespace svnet::testing

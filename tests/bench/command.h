// What the peers run: programs, from start to end. What fails ends the program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace svnet::bench {

// What is run, and how.
struct Command {
  std::vector<std::string> words;
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  std::string input;   // a file
  std::string output;  // a file
};

// Starts it, and does not wait.
pid_t Spawn(const Command& command);
// Until it has ended, with exit code 0.
void WaitFor(pid_t pid, const Command& command);
// Both.
void Run(const Command& command);
// `text` in a bash of its own.
void RunShell(const std::string& text);

}  // namespace svnet::bench

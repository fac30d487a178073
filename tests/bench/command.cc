#include "tests/bench/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/bench/bench.h"

namespace svnet::bench {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t Spawn(const Command& command) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const std::string null = "/dev/null";
  const std::string& input = command.input.empty() ? null : command.input;
  const std::string& output = command.output.empty() ? null : command.output;
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = -1;
  errno = posix_spawn(&pid, command.words[0].c_str(), &files, nullptr,
                      Pointers(command.words).data(), Pointers(command.environment).data());
  posix_spawn_file_actions_destroy(&files);
  if (errno != 0) Fail(command.words[0]);
  return pid;
}

void WaitFor(pid_t pid, const Command& command) {
  int status = 0;
  errno = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) {
    Fail(absl::StrCat(command.words[0], " ended with ", status));
  }
}

void Run(const Command& command) { WaitFor(Spawn(command), command); }

void RunShell(const std::string& text) { Run({.words = {"/bin/bash", "-c", text}}); }

}  // namespace svnet::bench

#include "client/child.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"

namespace svnet::client {
namespace {

constexpr std::array kForwarded = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

sigset_t ForwardedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : kForwarded) sigaddset(&signals, signal);
  return signals;
}

sigset_t AwaitedSignals() {
  sigset_t signals = ForwardedSignals();
  sigaddset(&signals, SIGCHLD);
  return signals;
}

std::vector<char*> Arguments(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  return arguments;
}

// -1 as long as the child has not ended.
int ExitCodeIfEnded(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, WNOHANG) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void BlockForwardedSignals() {
  const sigset_t signals = AwaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int PendingSignal() {
  sigset_t pending;
  sigpending(&pending);
  for (int signal : kForwarded) {
    if (sigismember(&pending, signal) == 1) return signal;
  }
  return 0;
}

absl::StatusOr<pid_t> StartProgram(const std::vector<std::string>& command,
                                   const std::vector<UniqueFd>& descriptors) {
  posix_spawnattr_t attributes;
  if (const int error = posix_spawnattr_init(&attributes); error != 0) {
    return absl::ErrnoToStatus(error, "posix_spawnattr_init");
  }
  const absl::Cleanup destroy = [&] { posix_spawnattr_destroy(&attributes); };
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // Ignored by PrepareStandardStreams.
  sigset_t pipe = none;
  sigaddset(&pipe, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &pipe);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  if (const int error = posix_spawn_file_actions_init(&actions); error != 0) {
    return absl::ErrnoToStatus(error, "posix_spawn_file_actions_init");
  }
  const absl::Cleanup destroy_actions = [&] { posix_spawn_file_actions_destroy(&actions); };
  for (const UniqueFd& each : descriptors) {
    // To itself: it is not closed on exec any more.
    posix_spawn_file_actions_adddup2(&actions, each.get(), each.get());
  }
  pid_t child;
  const int error = posix_spawnp(&child, command[0].c_str(), &actions, &attributes,
                                 Arguments(command).data(), environ);
  if (error != 0) return absl::ErrnoToStatus(error, command[0]);
  return child;
}

int WaitAndForwardSignals(pid_t child) {
  const sigset_t signals = AwaitedSignals();
  int code;
  while ((code = ExitCodeIfEnded(child)) < 0) {
    siginfo_t info;
    const int signal = sigwaitinfo(&signals, &info);
    if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL) kill(child, signal);
  }
  return code;
}

}  // namespace svnet::client

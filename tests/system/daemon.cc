#include "tests/system/daemon.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace svnet::testing {
namespace {

constexpr int kReadyTimeout = 30'000;  // ms; a sanitizer's build on a busy machine
constexpr int kEndTimeout = 60'000;    // ms; more than svnetd's patience with calls

std::vector<char*> Arguments(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  return arguments;
}

int ExitCode(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

int OpenForWriting(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
}

Exited Run(const RunAs* who, const std::vector<std::string>& command) {
  const TemporaryFolder folder;
  const std::string out = folder.path() + "/out";
  const std::string err = folder.path() + "/err";
  const pid_t child = fork();
  if (child == 0) {
    dup2(OpenForWriting(out), STDOUT_FILENO);
    dup2(OpenForWriting(err), STDERR_FILENO);
    if (who != nullptr && (setgroups(who->groups.size(), who->groups.data()) != 0 ||
                           setgid(who->gid) != 0 || setuid(who->uid) != 0)) {
      _exit(127);
    }
    execvp(command[0].c_str(), Arguments(command).data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {.code = ExitCode(status), .out = ReadAll(out), .err = ReadAll(err)};
}

// Where svnetd says READY=1 (sd_notify(3)).
UniqueFd OpenNotifySocket(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  unlink(path.c_str());
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  chmod(path.c_str(), 0666);
  return fd;
}

// True when a message came, false when the process ended first, or nothing happened.
bool WaitForMessage(const UniqueFd& notify, pid_t pid, int timeout_ms) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  std::array<pollfd, 2> fds = {pollfd{.fd = notify.get(), .events = POLLIN, .revents = 0},
                               pollfd{.fd = process.get(), .events = POLLIN, .revents = 0}};
  poll(fds.data(), fds.size(), timeout_ms);
  return (fds[0].revents & POLLIN) != 0;
}

// Of the child that becomes svnetd.
void Supervise(const Supervision& supervision, const std::string& notify) {
  setenv("NOTIFY_SOCKET", notify.c_str(), 1);
  if (supervision.watchdog_time_ms > 0) {
    setenv("WATCHDOG_USEC", std::to_string(supervision.watchdog_time_ms * 1000).c_str(), 1);
  }
  if (supervision.listening < 0) return;
  constexpr int kFirstPassed = 3;
  if (supervision.listening == kFirstPassed) {
    fcntl(kFirstPassed, F_SETFD, 0);
  } else {
    dup2(supervision.listening, kFirstPassed);
  }
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path_("/tmp/svnet-test-XXXXXX") {
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
  chmod(path_.c_str(), 0755);
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path_); }

Exited RunProgram(const std::vector<std::string>& command) { return Run(nullptr, command); }

Exited RunProgramAs(const RunAs& who, const std::vector<std::string>& command) {
  return Run(&who, command);
}

Daemon::Daemon(const std::string& folder, const std::vector<std::string>& flags,
               const std::string& config, const std::vector<std::string>& wrapper,
               const Supervision& supervision)
    : socket_(folder + "/svnetd.sock"),
      log_path_(folder + "/svnetd.log"),
      config_path_(folder + "/svnetd.toml"),
      notify_(OpenNotifySocket(folder + "/notify")) {
  std::ofstream(config_path_) << config;
  std::vector<std::string> command = wrapper;
  command.insert(command.end(),
                 {supervision.program, "--config", config_path_, "--socket", socket_});
  command.insert(command.end(), flags.begin(), flags.end());
  pid_ = fork();
  if (pid_ == 0) {
    // It must not outlive a test that ends before its time.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(OpenForWriting(log_path_), STDERR_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    Supervise(supervision, folder + "/notify");
    execvp(command[0].c_str(), Arguments(command).data());
    _exit(127);
  }
  if (!WaitForNotification("READY=1", kReadyTimeout)) {
    exit_code_ = Reap();
  }
}

bool Daemon::WaitForNotification(const std::string& text, int timeout_ms) {
  std::array<char, 4096> message;
  while (WaitForMessage(notify_, pid_, timeout_ms)) {
    const ssize_t size = recv(notify_.get(), message.data(), message.size(), 0);
    if (std::string(message.data(), std::max<ssize_t>(size, 0)).find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

void Daemon::Reload(const std::string& config) {
  std::ofstream(config_path_) << config;
  kill(pid_, SIGHUP);
  EXPECT_TRUE(WaitForNotification("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_TRUE(WaitForNotification("READY=1"));
}

Daemon::~Daemon() {
  if (!running()) return;
  EXPECT_EQ(Stop(SIGTERM), 0) << log();
}

std::string Daemon::log() const { return ReadAll(log_path_); }

int Daemon::Stop(int signal) {
  if (!running()) return exit_code_;  // and kill(2) of -1 would be everybody
  kill(pid_, signal);
  return Reap();
}

int Daemon::Reap() {
  int status = 0;
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended = {.fd = process.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, kEndTimeout) == 0) {
    ADD_FAILURE() << "svnetd does not end: " << log();
    kill(pid_, SIGKILL);
  }
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return ExitCode(status);
}

}  // namespace svnet::testing

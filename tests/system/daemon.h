// svnetd as a process.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

inline constexpr char kSvnetd[] = SVNET_BINARY "/daemon/svnetd";
inline constexpr char kSvnetctl[] = SVNET_BINARY "/client/svnetctl";

// A folder of its own under /tmp that every uid may enter; gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Exited {
  int code;         // -1: by a signal
  std::string out;  // standard output
  std::string err;
};

// Runs a program to its end, as `uid` with `groups` if it is given (nullopt: as the test).
struct RunAs {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};
Exited RunProgram(const std::vector<std::string>& command);
Exited RunProgramAs(const RunAs& who, const std::vector<std::string>& command);

// What a service manager gives a service.
struct Supervision {
  int listening = -1;        // a socket, as systemd passes it (sd_listen_fds(3))
  int watchdog_time_ms = 0;  // WatchdogSec=; 0: none
  std::string program = kSvnetd;
};

// Started in the caller's network namespace. Ends with the object, if it has not.
class Daemon {
 public:
  // `flags` come after --socket and --config, so they may repeat neither. Returns when
  // svnetd says that it is ready (sd_notify), or has ended.
  Daemon(const std::string& folder, const std::vector<std::string>& flags,
         const std::string& config = "", const std::vector<std::string>& wrapper = {},
         const Supervision& supervision = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  const std::string& socket() const { return socket_; }
  // All that it has written to standard error.
  std::string log() const;

  // Takes what svnetd says (sd_notify(3)), of which one text is this; false if there is
  // no such in that time.
  bool WaitForNotification(const std::string& text, int timeout_ms = 30'000);
  // Replaces the file, and has svnetd read it.
  void Reload(const std::string& config);

  // Sends `signal` and waits for the end; the exit code, -1 if a signal ended it. One that
  // has ended already: what it ended with.
  int Stop(int signal);
  // What it ended with, if it did not become ready.
  int exit_code() const { return exit_code_; }

 private:
  int Reap();

  std::string socket_;
  std::string log_path_;
  std::string config_path_;
  UniqueFd notify_;
  pid_t pid_ = -1;
  int exit_code_ = 0;
};

}  // namespace svnet::testing

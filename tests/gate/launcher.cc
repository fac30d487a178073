#include "tests/gate/launcher.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "daemon/gate/gate.h"
#include "daemon/gate/gate_parent.h"
#include "tests/eventually.h"

namespace svnet::testing {
namespace {

constexpr char kParent = 'p';
constexpr char kServedParent = 's';
constexpr char kBareGate = 'g';

const Channel* launcher = nullptr;

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "launcher: %s\n", std::string(status.message()).c_str());
  std::abort();
}

void ServeAsSystemdDoes() {
  unlink(kGatesSocket);
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::strcpy(address.sun_path, kGatesSocket);
  const UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(kGatesSocket, 0666) != 0 || listen(listener.get(), 8) != 0) {
    Check(absl::ErrnoToStatus(errno, kGatesSocket));
  }
  if (fork() != 0) return;
  constexpr int kFirst = 3;
  if (listener.get() != kFirst) dup2(listener.get(), kFirst);
  close_range(kFirst + 1, ~0U, 0);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", "1", 1);
  _exit(ServeGateParent());
}

UniqueFd Launch(char what) {
  if (what == kServedParent) {
    ServeAsSystemdDoes();
    return UniqueFd();
  }
  if (what == kParent) {
    absl::StatusOr<UniqueFd> requests = ForkGateParent();
    Check(requests.status());
    return *std::move(requests);
  }
  auto ends = Channel::Pair();
  Check(ends.status());
  if (fork() == 0) {
    // What the test would read from it is not for it to keep open.
    std::move(ends->first).Release();
    RunGate(std::move(ends->second));
  }
  return std::move(ends->first).Release();
}

[[noreturn]] void BeLauncher(const Channel& tests) {
  while (true) {
    const auto packet = tests.Receive(1, false, true);
    if (!packet.ok()) _exit(0);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    const std::vector<pid_t> before = ChildrenOf(getpid());
    const UniqueFd made = Launch(packet->bytes[0]);
    pid_t pid = 0;
    for (const pid_t each : ChildrenOf(getpid())) {
      if (std::find(before.begin(), before.end(), each) == before.end()) pid = each;
    }
    Check(tests.Send(std::string(reinterpret_cast<const char*>(&pid), sizeof(pid)), made.get()));
  }
}

Launched Ask(char what) {
  Check(launcher->Send(std::string(1, what)));
  auto packet = launcher->Receive(sizeof(pid_t), true, true);
  Check(packet.status());
  Launched launched = {.pid = 0, .channel = Channel(std::move(packet->descriptor))};
  std::memcpy(&launched.pid, packet->bytes.data(), sizeof(launched.pid));
  return launched;
}

// "pid (name) state ppid": the name may hold anything.
bool ReadStat(pid_t pid, char* state, pid_t* parent) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  const size_t end = text.rfind(')');
  return end != std::string::npos &&
         std::sscanf(text.c_str() + end + 1, " %c %d", state, parent) == 2;
}

}  // namespace

void StartLauncher() {
  auto ends = Channel::Pair();
  Check(ends.status());
  if (fork() == 0) {
    const Channel tests = std::move(ends->second);
    ends->first = Channel(UniqueFd());
    BeLauncher(tests);
  }
  launcher = new Channel(std::move(ends->first));
}

Launched LaunchGateParent() { return Ask(kParent); }
Launched LaunchServedGateParent() { return Ask(kServedParent); }
Launched LaunchBareGate() { return Ask(kBareGate); }

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  while (const dirent* entry = readdir(folder.get())) {
    const pid_t each = std::atoi(entry->d_name);
    char state = 0;
    pid_t parent = 0;
    if (each > 0 && ReadStat(each, &state, &parent) && parent == pid && state != 'Z') {
      children.push_back(each);
    }
  }
  return children;
}

bool Ends(pid_t pid) {
  return Eventually([&] {
    char state = 0;
    pid_t parent = 0;
    return !ReadStat(pid, &state, &parent) || state == 'Z';
  });
}

}  // namespace svnet::testing

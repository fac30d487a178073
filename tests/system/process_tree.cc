#include "tests/system/process_tree.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

// Of a file such as /proc/PID/status; 0 if the process has ended.
int FieldOf(const std::string& path, absl::string_view name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!absl::StartsWith(line, name)) continue;
    return std::stoi(line.substr(name.size()));
  }
  return 0;
}

// What its first line says; empty if the process has ended.
std::string LineOf(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::string LineOf(pid_t pid, const char* file) {
  return LineOf(absl::StrCat("/proc/", pid, "/", file));
}

// All that there are, and the parent of each (proc(5), stat).
std::map<pid_t, pid_t> Parents() {
  std::map<pid_t, pid_t> parents;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::string line = LineOf(pid, "stat");
    const size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream rest(line.substr(name_end + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    if (state != 'Z' && state != 'X') parents[pid] = parent;
  }
  return parents;
}

// Whether a thread of that process has something to do.
bool IsBusy(pid_t pid) {
  std::error_code error;  // it may end meanwhile
  const std::filesystem::directory_iterator threads(absl::StrCat("/proc/", pid, "/task"), error);
  if (error) return false;
  return std::any_of(begin(threads), end(threads), [](const auto& thread) {
    const std::string line = LineOf(thread.path() / "stat");
    const size_t name_end = line.rfind(')');
    return name_end != std::string::npos && absl::StartsWith(line.substr(name_end), ") R");
  });
}

size_t EntriesOf(const std::string& folder) {
  std::error_code error;  // it may end meanwhile
  const std::filesystem::directory_iterator entries(folder, error);
  return error ? 0 : std::distance(begin(entries), end(entries));
}

bool HasSocket(pid_t pid, const std::string& inode) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(absl::StrCat("/proc/", pid, "/fd"), error);
  if (error) return false;
  return std::any_of(begin(entries), end(entries), [&](const auto& entry) {
    std::error_code gone;
    return std::filesystem::read_symlink(entry.path(), gone).string() ==
           absl::StrCat("socket:[", inode, "]");
  });
}

// The inode of the socket at the other end.
std::string PeerOf(const UniqueFd& connection) {
  struct stat own = {};
  fstat(connection.get(), &own);
  // Name and inode of one end, name and inode of the other.
  std::string peer = Shell(absl::StrCat("ss -xnH | awk '$6 == ", own.st_ino, " { print $8 }'"));
  while (!peer.empty() && peer.back() == '\n') peer.pop_back();
  return peer;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& [child, parent] : Parents()) {
    if (parent == pid) children.push_back(child);
  }
  return children;
}

std::vector<pid_t> ProcessTree(pid_t pid) {
  const std::map<pid_t, pid_t> parents = Parents();
  std::vector<pid_t> tree = {pid};
  for (size_t i = 0; i < tree.size(); ++i) {
    for (const auto& [child, parent] : parents) {
      if (parent == tree[i]) tree.push_back(child);
    }
  }
  return tree;
}

bool IsRunning(pid_t pid) { return Parents().contains(pid); }

void Signal(pid_t pid, int signal) {
  if (pid <= 1) {
    ADD_FAILURE() << "no such process: " << pid;
    return;
  }
  EXPECT_EQ(kill(pid, signal), 0);
}

pid_t GateParentOf(pid_t svnetd) {
  for (const pid_t child : ChildrenOf(svnetd)) {
    if (absl::StartsWith(LineOf(child, "comm"), "svnet")) return child;
  }
  return -1;
}

std::vector<pid_t> GatesOf(pid_t svnetd) {
  const pid_t parent = GateParentOf(svnetd);
  return parent < 0 ? std::vector<pid_t>() : ChildrenOf(parent);
}

pid_t GateOf(pid_t svnetd, const UniqueFd& connection) {
  const std::string peer = PeerOf(connection);
  for (const pid_t gate : GatesOf(svnetd)) {
    if (HasSocket(gate, peer)) return gate;
  }
  return -1;
}

size_t DescriptorsOf(pid_t pid) { return EntriesOf(absl::StrCat("/proc/", pid, "/fd")); }

size_t DescriptorsBesideGates(pid_t svnetd) {
  // A gate that is made between the two looks would count as one that there was.
  std::vector<pid_t> gates;
  size_t descriptors = 0;
  do {
    gates = GatesOf(svnetd);
    descriptors = DescriptorsOf(svnetd);
  } while (GatesOf(svnetd) != gates);
  return descriptors - gates.size();
}

void ExpectDescriptorsReturnTo(size_t before, pid_t svnetd) {
  // While a gate is being made, its socket is there and it is not.
  EXPECT_TRUE(Eventually([&] { return DescriptorsBesideGates(svnetd) <= before; }))
      << DescriptorsBesideGates(svnetd) << " where there were " << before;
}

void ExpectGatesComeToRest(pid_t svnetd) {
  // One that is busy may wait for a moment.
  constexpr int kLooks = 20;
  int at_rest = 0;
  EXPECT_TRUE(Eventually([&] {
    const std::vector<pid_t> gates = GatesOf(svnetd);
    at_rest = std::any_of(gates.begin(), gates.end(), IsBusy) ? 0 : at_rest + 1;
    return at_rest == kLooks;
  }));
}

size_t ThreadsOf(pid_t pid) { return EntriesOf(absl::StrCat("/proc/", pid, "/task")); }

int MemoryOf(pid_t pid) { return FieldOf(absl::StrCat("/proc/", pid, "/status"), "VmRSS:"); }

int PeakMemoryOf(pid_t pid) { return FieldOf(absl::StrCat("/proc/", pid, "/status"), "VmHWM:"); }

void ForgetPeakMemoryOf(pid_t pid) {
  std::ofstream(absl::StrCat("/proc/", pid, "/clear_refs")) << 5;  // proc(5)
}

int ProportionalMemoryOf(const std::vector<pid_t>& pids) {
  int sum = 0;
  for (const pid_t pid : pids) sum += FieldOf(absl::StrCat("/proc/", pid, "/smaps_rollup"), "Pss:");
  return sum;
}

}  // namespace svnet::testing

#include "daemon/gate/gate_children.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/gate/confinement.h"
#include "daemon/gate/gate.h"
#include "daemon/gate/metrics_gate.h"
#include "daemon/wire/channel.h"

namespace svnet {
namespace {

constexpr int kChannel = 3;  // the descriptor

// Of its parent it has nothing but the channel, and standard streams that lead nowhere: a
// library that writes to a file would end it by SIGXFSZ.
UniqueFd KeepOnly(int channel, int null) {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, standard);
  const bool moved = channel == kChannel || dup2(channel, kChannel) == kChannel;
  if (!moved || close_range(kChannel + 1, ~0U, 0) != 0) _exit(1);
  return UniqueFd(kChannel);
}

[[noreturn]] void BeGate(const GateRequest& request, int channel, int null, pid_t parent) {
  prctl(PR_SET_NAME, "svnet-gate", 0, 0, 0);
  // It ends when svnetd or the parent does, and not by what systemd sends to a whole group: a
  // call that runs is still to be answered.
  for (const int ignored : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) signal(ignored, SIG_IGN);
  // Before there are threads, which have it too. More than the parent has needs no right.
  if (request.nice != 0) setpriority(PRIO_PROCESS, 0, request.nice);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // The kernel forgets it when the ids change, so it comes after that; and it comes too late if
  // the parent has ended just now.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent) _exit(1);
  Channel core(KeepOnly(channel, null));
  if (request.kind == GateRequest::Kind::kMakeForCalls) RunGate(std::move(core), request.is_shared);
  if (!Confine().ok()) _exit(1);
  RunMetricsGate(std::move(core));
}

}  // namespace

GateChildren::GateChildren(UniqueFd null) : null_(std::move(null)) {}

void GateChildren::Make(const GateRequest& request, UniqueFd channel) {
  if (!channel.valid() || pids_.contains(request.number)) return;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BeGate(request, channel.get(), null_.get(), parent);
  if (pid > 0) pids_.emplace(request.number, pid);
}

void GateChildren::Kill(uint64_t number) {
  if (const auto found = pids_.find(number); found != pids_.end()) kill(found->second, SIGKILL);
}

void GateChildren::KillAll() {
  for (const auto& [number, pid] : pids_) kill(pid, SIGKILL);
  for (const auto& [number, pid] : pids_) waitpid(pid, nullptr, 0);
  pids_.clear();
}

void GateChildren::Reap() {
  // Each by its pid: there may be other children, of whoever was this process before.
  std::erase_if(pids_,
                [](const auto& each) { return waitpid(each.second, nullptr, WNOHANG) != 0; });
}

}  // namespace svnet

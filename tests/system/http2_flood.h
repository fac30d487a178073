// Processes that attack svnetd, and processes that only keep the machine busy.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/system/daemon.h"
#include "tests/system/http2_attack.h"

namespace svnet::testing {

// Forked from the test, each of them running `work`. They end with the object.
class Processes {
 public:
  Processes(int count, const std::function<void(int number)>& work);
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

 private:
  std::vector<pid_t> pids_;
};

// That many processes that compute, and do nothing else.
class CpuBurners {
 public:
  explicit CpuBurners(int count);

 private:
  Processes processes_;
};

// A process that connects without pause, and keeps the last `held` connections open.
class ConnectStorm {
 public:
  ConnectStorm(const std::string& socket, const RunAs& who, int held);

 private:
  Processes processes_;
};

// Who attacks: each connection has the uid and groups that `who` says.
struct FloodSource {
  std::string name;
  int processes;
  int connections;  // of each process
  std::function<RunAs(int process, int connection)> who;
};

// An attack that goes on until the object ends. A connection that is closed is made again.
class Http2Flood {
 public:
  Http2Flood(const std::string& socket, const Http2Attack& attack, const FloodSource& source,
             bool acknowledges_settings);

  uint64_t sent() const { return counts_->sent; }  // bytes
  uint64_t connections() const { return counts_->connections; }
  // Until so many bytes have been sent; fails the test if it takes more than 20 seconds.
  void WaitUntilSent(uint64_t bytes) const;

 private:
  // What the processes have in common with the test.
  struct Counts {
    std::atomic<uint64_t> sent;
    std::atomic<uint64_t> connections;
  };
  struct Unmap {
    void operator()(Counts* counts) const;
  };
  class Connection;
  static std::unique_ptr<Counts, Unmap> SharedCounts();

  std::unique_ptr<Counts, Unmap> counts_ = SharedCounts();
  Processes processes_;
};

}  // namespace svnet::testing

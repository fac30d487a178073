// svnetd's start with a thousand leases to adopt, and what it weighs with them.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"

namespace svnet::bench {
namespace {

// proc(5): VmRSS of /proc/PID/status, in MiB.
double ResidentMemory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    int kibibytes = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %d kB", &kibibytes) == 1) return kibibytes / 1024.0;
  }
  Fail("VmRSS of svnetd");
}

// With as many connections as there may well be.
void Weigh(SvnetdCandidate& svnetd, int leases, Results* results) {
  std::vector<std::unique_ptr<testing::Client>> callers;
  for (int i = 0; i < 64; ++i) {
    callers.push_back(svnetd.Connect(kFirstUid + i % 8));
    SvnetdCandidate::ListBy(*callers.back());
  }
  results->Add({"resident memory", "svnetd", leases, 64}, "MiB",
               ResidentMemory(svnetd.daemon().pid()));
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  const int leases = options.thousand();
  SvnetdCandidate empty;
  SvnetdCandidate full;
  Floor links;  // of the second one's namespace
  for (Number number = 0; number < leases; ++number) full.Create(number);
  for (int round = 0; round < options.rounds(11); ++round) {
    empty.Enter();
    empty.Stop();
    results.Add({"restart", "svnetd", 0}, "us", empty.Start());
    full.Enter();
    results.Add({"link dump", "floor", leases}, "us", Time([&] { links.DumpLinks(); }));
    full.Stop();
    results.Add({"restart", "svnetd", leases}, "us", full.Start());
  }
  Weigh(empty, 0, &results);
  Weigh(full, leases, &results);
  SvnetdCandidate::CleanupBy(full.caller(), v1::CLEANUP_SCOPE_CALLER);
  full.WaitUntilGone(leases);
  results.Write();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

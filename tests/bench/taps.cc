// One caller: creating, removing and reading, with 1, 100 and 1,000 TAPs present. The
// candidates take turns at each TAP.
#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/bench/namespaces.h"
#include "tests/bench/peers.h"

namespace svnet::bench {
namespace {

// So many TAPs come and go, round after round, beside those that are present.
constexpr int kBatch = 10;
// The first of them; below it is what is present.
constexpr Number kFirstOfBatch = 2000;

using Candidates = std::vector<Candidate*>;

// Until so many are there; nothing is measured.
void Fill(const Candidates& candidates, int from, int to) {
  for (Candidate* candidate : candidates) {
    candidate->Enter();
    for (Number number = from; number < to; ++number) {
      candidate->Prepare(number);
      candidate->Create(number);
    }
  }
}

void Prepare(const Candidates& candidates) {
  for (Candidate* candidate : candidates) {
    candidate->Enter();
    for (int i = 0; i < kBatch; ++i) candidate->Prepare(kFirstOfBatch + i);
  }
}

void CreateInTurns(const Candidates& candidates, int present, Results* results) {
  for (Number number = kFirstOfBatch; number < kFirstOfBatch + kBatch; ++number) {
    for (Candidate* candidate : candidates) {
      candidate->Enter();
      const double time = Time([&] { candidate->Create(number); });
      results->Add({"create", candidate->name(), present}, "us", time);
    }
  }
}

// What is there already: what CreateTap costs beside the kernel's work. Who has no such call makes
// others, so that a turn comes as long after the last one as in CreateInTurns.
void CreateAgainInTurns(const Candidates& candidates, int present, Results* results) {
  for (Number number = kFirstOfBatch; number < kFirstOfBatch + kBatch; ++number) {
    for (Candidate* candidate : candidates) {
      candidate->Enter();
      if (!candidate->is_idempotent()) {
        candidate->Create(number + kBatch);
        continue;
      }
      const double time = Time([&] { candidate->Create(number); });
      results->Add({"create again", candidate->name(), present}, "us", time);
    }
  }
  for (Candidate* candidate : candidates) {
    if (candidate->is_idempotent()) continue;
    candidate->Enter();
    for (int i = 0; i < kBatch; ++i) candidate->Remove(kFirstOfBatch + kBatch + i);
  }
}

void RemoveInTurns(const Candidates& candidates, int present, Results* results) {
  for (Number number = kFirstOfBatch; number < kFirstOfBatch + kBatch; ++number) {
    for (Candidate* candidate : candidates) {
      candidate->Enter();
      const Stopwatch stopwatch;
      candidate->Remove(number);
      results->Add({"remove", candidate->name(), present}, "us", stopwatch.microseconds());
      candidate->WaitUntilGone(1);
      results->Add({"remove until gone", candidate->name(), present}, "us",
                   stopwatch.microseconds());
    }
  }
}

// What only reads. A list reads all links, as a bare dump does.
void Read(SvnetdCandidate& svnetd, FloorCandidate& floor, int present, int rounds,
          Results* results) {
  for (int round = 0; round < rounds; ++round) {
    svnetd.Enter();
    results->Add({"list", "svnetd", present}, "us",
                 Time([&] { SvnetdCandidate::ListBy(svnetd.caller()); }));
    floor.Enter();
    results->Add({"list", "floor", present}, "us", Time([&] { floor.floor().DumpLinks(); }));
  }
  for (int round = 0; round < rounds; ++round) {
    const Number number = round % present;
    results->Add({"boot args", "svnetd", present}, "us",
                 Time([&] { SvnetdCandidate::GetBootArgsBy(svnetd.caller(), number); }));
  }
}

void Measure(const Candidates& candidates, int present, int rounds, Results* results) {
  for (int round = 0; round < rounds; ++round) {
    CreateInTurns(candidates, present, results);
    RemoveInTurns(candidates, present, results);
  }
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  FloorCandidate floor;
  FloorCandidate floor_routed("floor routed", NetworkKind::kRouted);
  SvnetdCandidate svnetd;
  SvnetdCandidate routed("svnetd routed", testing::kSvnetd, {"--kind=routed"});
  SvnetdCandidate clones("svnetd routed with clones", testing::kSvnetd, {"--kind=routed"});
  clones.GiveView(SnapshotView());
  ShellCandidate shell;
  QemuHelperCandidate qemu;
  CniCandidate cni;
  NetavarkCandidate netavark;
  ShellNamespaceCandidate namespaces_by_shell;
  NetlinkNamespaceCandidate namespaces_by_netlink;
  const Candidates fast = {&floor, &floor_routed, &svnetd, &routed, &clones};
  // Not one directly after the other: the kernel destroys one namespace at a time.
  Candidates all = fast;
  all.insert(all.end(),
             {&namespaces_by_netlink, &shell, &qemu, &cni, &netavark, &namespaces_by_shell});
  Prepare(all);
  int filled = 0;
  for (const int present : {1, options.hundred(), options.thousand()}) {
    // The peers would take minutes to have a thousand.
    const Candidates& candidates = present > options.hundred() ? fast : all;
    Fill(candidates, filled, present);
    filled = present;
    for (int round = 0; round < options.rounds(8); ++round) {
      CreateInTurns(fast, present, &results);
      CreateAgainInTurns(fast, present, &results);
      RemoveInTurns(fast, present, &results);
    }
    Measure(candidates, present, options.rounds(2), &results);
    Read(svnetd, floor, present, 20 * options.rounds(5), &results);
    results.Write();
  }
  floor.RemoveAll();
  floor_routed.RemoveAll();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

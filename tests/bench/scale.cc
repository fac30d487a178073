// Ten thousand guests on one routed network. One after the other, beside the same devices and
// routes without svnetd.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/bench/many_callers.h"
#include "tests/sandbox/udevd.h"

namespace svnet::bench {
namespace {

constexpr int kCallers = 64;
// Of somebody who creates while another cleans up.
constexpr uid_t kBystander = kFirstUid + 100;
constexpr Number kFirstOfBystander = 15000;
constexpr int kMostOfBystander = 3000;
constexpr std::chrono::milliseconds kPause(2);
// So many TAPs come and go beside those that are present.
constexpr int kBatch = 20;
constexpr Number kFirstOfBatch = 12000;

struct Sizes {
  int few;
  int many;
  int all;
};

void CreateBatches(Candidate& candidate, int present, int rounds, Results* results) {
  candidate.Enter();
  for (int round = 0; round < rounds; ++round) {
    for (Number number = kFirstOfBatch; number < kFirstOfBatch + kBatch; ++number) {
      results->Add({"create in a row", candidate.name(), present}, "us",
                   Time([&] { candidate.Create(number); }));
    }
    for (Number number = kFirstOfBatch; number < kFirstOfBatch + kBatch; ++number) {
      candidate.Remove(number);
    }
    candidate.WaitUntilGone(kBatch);
  }
}

void Fill(Candidate& candidate, Number from, Number to) {
  candidate.Enter();
  for (Number number = from; number < to; ++number) candidate.Create(number);
}

// So many at once, by callers of eight uids.
void CreateMany(SvnetdCandidate& svnetd, int count, Results* results,
                const std::string& what = "create many") {
  svnetd.Enter();
  Callers callers = Connect(svnetd, kCallers, 8);
  results->Add({what, svnetd.name(), count, kCallers}, "us",
               InParallel(callers, 0, count, SvnetdCandidate::CreateBy));
  for (int uid = 0; uid < 8; ++uid) {
    SvnetdCandidate::CleanupBy(*callers[uid], v1::CLEANUP_SCOPE_CALLER);
  }
  svnetd.WaitUntilGone(count);
}

void CreateMany(FloorCandidate& floor, int count, Results* results) {
  floor.Enter();
  results->Add({"create many", floor.name(), count}, "us", Time([&] { Fill(floor, 0, count); }));
  floor.RemoveAll();
}

// udevd has svnet's files, as on a host with the package.
void CreateManyWithUdevd(SvnetdCandidate& svnetd, int count, int rounds, Results* results) {
  svnetd.Enter();
  testing::Udevd udevd(testing::Udevd::Files::kOurs);
  for (int round = 0; round < rounds; ++round) {
    CreateMany(svnetd, count, results, "create many with udevd");
    if (!udevd.Settle(absl::Minutes(2))) Fail("udevd does not settle");
  }
}

// One caller takes all away that it has, and another creates meanwhile.
void CleanUp(SvnetdCandidate& svnetd, int count, Results* results) {
  svnetd.Enter();
  const std::unique_ptr<testing::Client> bystander = svnetd.Connect(kBystander);
  SvnetdCandidate::ListBy(*bystander);
  std::atomic<bool> over = false;
  int created = 0;
  std::thread creating([&] {
    for (; !over && created < kMostOfBystander; ++created) {
      std::this_thread::sleep_for(kPause);
      results->Add({"create during cleanup", svnetd.name(), count}, "us", Time([&] {
                     SvnetdCandidate::CreateBy(*bystander, kFirstOfBystander + created);
                   }));
    }
  });
  const Stopwatch stopwatch;
  SvnetdCandidate::CleanupBy(svnetd.caller(), v1::CLEANUP_SCOPE_CALLER);
  const double answered = stopwatch.microseconds();
  svnetd.WaitUntilGone(count);
  const double gone = stopwatch.microseconds();
  over = true;
  creating.join();
  results->Add({"cleanup", svnetd.name(), count}, "us", answered);
  results->Add({"cleanup until gone", svnetd.name(), count}, "us", gone);
  SvnetdCandidate::CleanupBy(*bystander, v1::CLEANUP_SCOPE_CALLER);
  svnetd.WaitUntilGone(created);
}

void Restart(SvnetdCandidate& svnetd, Floor& links, int count, Results* results) {
  svnetd.Enter();
  results->Add({"link dump", "floor", count}, "us", Time([&] { links.DumpLinks(); }));
  svnetd.Stop();
  results->Add({"restart", svnetd.name(), count}, "us", svnetd.Start());
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  const Sizes sizes = options.quick ? Sizes{.few = 20, .many = 50, .all = 100}
                                    : Sizes{.few = 100, .many = 4000, .all = 10000};
  const int rounds = options.rounds(5);
  FloorCandidate floor("floor routed", NetworkKind::kRouted);
  SvnetdCandidate svnetd("svnetd routed", testing::kSvnetd, {"--kind=routed"});
  Floor links;  // of svnetd's namespace
  for (int round = 0; round < options.rounds(2); ++round) {
    CreateMany(floor, sizes.many, &results);
    CreateMany(svnetd, sizes.many, &results);
  }
  CreateManyWithUdevd(svnetd, sizes.many, options.rounds(2), &results);
  for (Candidate* each : {static_cast<Candidate*>(&floor), static_cast<Candidate*>(&svnetd)}) {
    Fill(*each, 0, sizes.few);
    CreateBatches(*each, sizes.few, rounds, &results);
    Fill(*each, sizes.few, sizes.all);
    CreateBatches(*each, sizes.all, rounds, &results);
  }
  for (int round = 0; round < options.rounds(5); ++round) {
    Restart(svnetd, links, sizes.all, &results);
  }
  floor.Enter();
  results.Add({"remove all", floor.name(), sizes.all}, "us", Time([&] { floor.RemoveAll(); }));
  CleanUp(svnetd, sizes.all, &results);
  results.Write();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

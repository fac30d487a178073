// Many callers at once, each with its own connection: creating and removing a
// thousand, Cleanup of a thousand, and CreateTap while others remove what they have.
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/bench/many_callers.h"

namespace svnet::bench {
namespace {

constexpr int kUids = 8;
// Of somebody who has no part in the storm.
constexpr uid_t kBystander = kFirstUid + kUids;
// Of the bystander's TAPs; below it are those of the storm.
constexpr Number kFirstOfBystander = 5000;

void CreateAll(const SvnetdCandidate& svnetd, Callers& callers, int count, Results* results) {
  const double time = InParallel(callers, 0, count, SvnetdCandidate::CreateBy);
  results->Add({"create all", svnetd.name(), 0, static_cast<int>(callers.size())}, "1/s",
               PerSecond(count, time));
}

// Until it is answered, and until the kernel has destroyed the last one.
void RemoveAll(SvnetdCandidate& svnetd, const Case& what, int count,
               const std::function<void()>& remove, Results* results) {
  const Stopwatch stopwatch;
  remove();
  results->Add(what, "us", stopwatch.microseconds());
  svnetd.WaitUntilGone(count);
  Case until_gone = what;
  until_gone.operation += " until gone";
  results->Add(until_gone, "us", stopwatch.microseconds());
}

void MeasureFloor(FloorCandidate& floor, int count, Results* results) {
  floor.Enter();
  const double time = Time([&] {
    for (Number number = 0; number < count; ++number) floor.Create(number);
  });
  results->Add({"create all", "floor", 0}, "1/s", PerSecond(count, time));
  results->Add({"remove all", "floor", count}, "us", Time([&] { floor.RemoveAll(); }));
}

// One caller, and what it has goes with Cleanup.
void MeasureOne(SvnetdCandidate& svnetd, int count, Results* results) {
  Callers callers = Connect(svnetd, 1, kUids);
  CreateAll(svnetd, callers, count, results);
  RemoveAll(
      svnetd, {"cleanup", "svnetd", count}, count,
      [&] { SvnetdCandidate::CleanupBy(*callers[0], v1::CLEANUP_SCOPE_CALLER); }, results);
}

// Eight, and an administrator takes away the whole network.
void MeasureEight(SvnetdCandidate& svnetd, int count, Results* results) {
  Callers callers = Connect(svnetd, 8, kUids);
  CreateAll(svnetd, callers, count, results);
  const std::unique_ptr<testing::Client> root = svnetd.Connect(0);
  RemoveAll(
      svnetd, {"cleanup network", "svnetd", count}, count,
      [&] { SvnetdCandidate::CleanupBy(*root, v1::CLEANUP_SCOPE_NETWORK); }, results);
  svnetd.WaitUntilGone(1);  // the bridge
}

void MeasureMany(SvnetdCandidate& svnetd, int count, Results* results) {
  Callers callers = Connect(svnetd, 64, kUids);
  CreateAll(svnetd, callers, count, results);
  RemoveAll(
      svnetd, {"remove all", svnetd.name(), count, 64}, count,
      [&] { InParallel(callers, 0, count, SvnetdCandidate::RemoveBy); }, results);
}

// CreateTap of a bystander, so often at most; how many there were.
int CreateUntil(const std::atomic<bool>& over, testing::Client& bystander, int most,
                const Case& what, Results* results) {
  int created = 0;
  for (; created < most && !over; ++created) {
    const Number number = kFirstOfBystander + created;
    results->Add(what, "us", Time([&] { SvnetdCandidate::CreateBy(bystander, number); }));
  }
  return created;
}

void ForgetAll(SvnetdCandidate& svnetd, testing::Client& caller, int count) {
  SvnetdCandidate::CleanupBy(caller, v1::CLEANUP_SCOPE_CALLER);
  svnetd.WaitUntilGone(count);
}

// `count` and `creations` together are no more than a bridge takes.
void MeasureStorm(SvnetdCandidate& svnetd, int count, int creations, Results* results) {
  Callers callers = Connect(svnetd, kUids, kUids);
  const std::unique_ptr<testing::Client> bystander = svnetd.Connect(kBystander);
  InParallel(callers, 0, count, SvnetdCandidate::CreateBy);
  std::atomic<bool> over = false;
  const Case quiet = {"create", "svnetd quiet", count};
  ForgetAll(svnetd, *bystander, CreateUntil(over, *bystander, creations, quiet, results));
  int created = 0;
  std::thread creating([&] {
    const Case storm = {"create", "svnetd in a storm", count};
    created = CreateUntil(over, *bystander, creations, storm, results);
  });
  InParallel(callers, 0, count, SvnetdCandidate::RemoveBy);
  svnetd.WaitUntilGone(count);
  over = true;
  creating.join();
  ForgetAll(svnetd, *bystander, created);
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  FloorCandidate floor;
  SvnetdCandidate svnetd;
  SvnetdCandidate routed("svnetd routed", testing::kSvnetd, {"--kind=routed"});
  const int count = options.thousand();
  for (int round = 0; round < options.rounds(7); ++round) {
    MeasureFloor(floor, count, &results);
    svnetd.Enter();
    MeasureOne(svnetd, count, &results);
    MeasureFloor(floor, count, &results);
    svnetd.Enter();
    MeasureEight(svnetd, count, &results);
    MeasureFloor(floor, count, &results);
    svnetd.Enter();
    MeasureMany(svnetd, count, &results);
    MeasureStorm(svnetd, count * 9 / 10, count / 10, &results);
    MeasureFloor(floor, count, &results);
    routed.Enter();
    MeasureMany(routed, count, &results);
  }
  results.Write();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

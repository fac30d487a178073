// Two versions of svnetd, side by side: what a change costs, in times, rate and memory.
// See versions.sh.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/bench/many_callers.h"
#include "tests/system/process_tree.h"
#include "tests/system/raw_call.h"

namespace svnet::bench {
namespace {

constexpr int kLeases = 10;  // that a list shows
constexpr int kCreations = 10;
constexpr int kReads = 40;
constexpr int kCallers = 64;
constexpr int kUids = 8;       // of those callers
constexpr int kPerCaller = 4;  // TAPs that each creates
constexpr int kListsPerCaller = 10;
constexpr int kNewCallers = 20;
constexpr int kManyUids = 50;
constexpr Number kFirstNew = 2000;  // of TAPs that come and go
constexpr uid_t kFirstNewUid = 3000;

// Of an odd number, the one in the middle.
double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Versions {
  SvnetdCandidate& before;
  SvnetdCandidate& after;
};

// One round of one of them; the value that counts.
using Round = std::function<double(SvnetdCandidate&)>;

// Both take turns, each as often first, so that what else the machine does hits both. The
// ratio is the median of the rounds' own.
void Compare(const Versions& versions, const std::string& what, int callers,
             const std::string& unit, int rounds, const Round& round, Results* results) {
  std::array<double, 2> value;
  for (int i = 0; i < rounds; ++i) {
    for (const int turn : {i % 2, (i + 1) % 2}) {
      SvnetdCandidate& candidate = turn == 0 ? versions.before : versions.after;
      candidate.Enter();
      value.at(turn) = round(candidate);
      results->Add({what, candidate.name(), 0, callers}, unit, value.at(turn));
    }
    results->Add({what, "after / before", 0, callers}, "%", 100 * value[1] / value[0]);
  }
}

double TimeReads(const std::function<void()>& read) {
  read();  // what the turn before has driven out of the caches
  std::vector<double> times;
  for (int i = 0; i < kReads; ++i) times.push_back(Time(read));
  return Median(times);
}

double TimeCreations(SvnetdCandidate& svnetd) {
  std::vector<double> times;
  for (Number number = kFirstNew; number < kFirstNew + kCreations; ++number) {
    times.push_back(Time([&] { svnetd.Create(number); }));
  }
  for (Number number = kFirstNew; number < kFirstNew + kCreations; ++number) svnetd.Remove(number);
  svnetd.WaitUntilGone(kCreations);
  return Median(times);
}

void CompareCalls(const Versions& versions, int rounds, Results* results) {
  for (SvnetdCandidate* each : {&versions.before, &versions.after}) {
    each->Enter();
    for (Number number = 0; number < kLeases; ++number) each->Create(number);
  }
  Compare(versions, "CreateTap", 1, "us", rounds, TimeCreations, results);
  Compare(
      versions, "GetBootArgs", 1, "us", rounds,
      [](SvnetdCandidate& svnetd) {
        return TimeReads([&] { SvnetdCandidate::GetBootArgsBy(svnetd.caller(), 0); });
      },
      results);
  Compare(
      versions, "ListTaps", 1, "us", rounds,
      [](SvnetdCandidate& svnetd) {
        return TimeReads([&] { SvnetdCandidate::ListBy(svnetd.caller()); });
      },
      results);
}

// Calls a second, when all do it at once, each so often.
double RateOf(Callers& callers, int times,
              const std::function<void(testing::Client&, Number)>& work) {
  std::latch start(static_cast<std::ptrdiff_t>(callers.size()) + 1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < callers.size(); ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int k = 0; k < times; ++k) {
        work(*callers[i], kFirstNew + static_cast<Number>(i) * times + k);
      }
    });
  }
  start.arrive_and_wait();
  const Stopwatch stopwatch;
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(callers.size()) * times / (stopwatch.microseconds() / 1e6);
}

// Many at once.
void CompareRates(const Versions& versions, int rounds, Results* results) {
  Callers before = Connect(versions.before, kCallers, kUids);
  Callers after = Connect(versions.after, kCallers, kUids);
  const auto of = [&](const SvnetdCandidate& svnetd) -> Callers& {
    return &svnetd == &versions.before ? before : after;
  };
  Compare(
      versions, "CreateTap", kCallers, "1/s", rounds,
      [&](SvnetdCandidate& svnetd) {
        const double rate = RateOf(of(svnetd), kPerCaller, SvnetdCandidate::CreateBy);
        RateOf(of(svnetd), kPerCaller, SvnetdCandidate::RemoveBy);
        svnetd.WaitUntilGone(kCallers * kPerCaller);
        return rate;
      },
      results);
  Compare(
      versions, "ListTaps", kCallers, "1/s", rounds,
      [&](SvnetdCandidate& svnetd) {
        return RateOf(of(svnetd), kListsPerCaller,
                      [](testing::Client& caller, Number) { SvnetdCandidate::ListBy(caller); });
      },
      results);
}

// From connect(2) to the end of the answer, in microseconds. By hand, so that no client's
// library counts.
double TimeFirstCall(const SvnetdCandidate& svnetd, uid_t uid) {
  return Time([&] {
    const UniqueFd socket = testing::ConnectAs(svnetd.daemon().socket(), {uid, uid, {}});
    testing::SendAll(socket, testing::RawStart() + testing::RawCall("ListTaps", 1));
    errno = 0;
    if (testing::ReceiveUntil(socket, "grpc-status").find("grpc-status") == std::string::npos) {
      Fail("no answer");
    }
  });
}

void CompareFirstCalls(const Versions& versions, Results* results) {
  uid_t uid = kFirstNewUid;
  Compare(
      versions, "first call", 1, "us", kNewCallers,
      [&](SvnetdCandidate& svnetd) { return TimeFirstCall(svnetd, uid++); }, results);
}

// In MiB: svnetd's and its children's part of it.
double MemoryOf(const SvnetdCandidate& svnetd) {
  return testing::ProportionalMemoryOf(testing::ProcessTree(svnetd.daemon().pid())) / 1024.0;
}

// Of one that is started for this alone: two would share what the program's file has.
void Weigh(const std::string& name, const std::string& program, const std::string& what,
           int connections, int uids, Results* results) {
  const SvnetdCandidate svnetd(name, program);
  const Callers callers = Connect(svnetd, connections, uids);
  results->Add({what, name, 0, connections}, "MiB", MemoryOf(svnetd));
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  if (options.others.size() != 2) {
    std::fprintf(stderr, "usage: %s [--quick] RESULTS BEFORE AFTER\n", argv[0]);
    return 2;
  }
  Results results(options.results);
  {
    SvnetdCandidate before("before", options.others[0]);
    SvnetdCandidate after("after", options.others[1]);
    const Versions versions = {before, after};
    CompareCalls(versions, options.rounds(41), &results);
    CompareRates(versions, options.rounds(15), &results);
    CompareFirstCalls(versions, &results);
  }
  for (const auto& [name, program] :
       {std::pair("before", options.others[0]), std::pair("after", options.others[1])}) {
    Weigh(name, program, "memory for one uid", kCallers, 1, &results);
    Weigh(name, program, "memory for a uid each", kManyUids, kManyUids, &results);
  }
  results.Write();
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

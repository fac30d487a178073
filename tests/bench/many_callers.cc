#include "tests/bench/many_callers.h"

#include <latch>
#include <thread>

#include "tests/bench/bench.h"

namespace svnet::bench {

Callers Connect(const SvnetdCandidate& svnetd, int count, int uids) {
  Callers callers;
  for (int i = 0; i < count; ++i) {
    callers.push_back(svnetd.Connect(kFirstUid + i % uids));
    SvnetdCandidate::ListBy(*callers.back());
  }
  return callers;
}

double InParallel(Callers& callers, Number first, Number last, const Work& work) {
  std::latch start(static_cast<std::ptrdiff_t>(callers.size()) + 1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < callers.size(); ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (Number number = first + static_cast<Number>(i); number < last;
           number += static_cast<Number>(callers.size())) {
        work(*callers[i], number);
      }
    });
  }
  start.arrive_and_wait();
  const Stopwatch stopwatch;
  for (std::thread& thread : threads) thread.join();
  return stopwatch.microseconds();
}

}  // namespace svnet::bench

// What other people's sets, chains, links and routes cost a caller of svnetd: CreateTap against
// the floor on a host that is full of them, and on an empty one. All four take turns, each with one
// TAP present: with the first lease svnetd looks at the host as a whole.
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench.h"
#include "tests/bench/candidates.h"
#include "tests/sandbox/sandbox.h"
#include "tests/system/process_tree.h"

namespace svnet::bench {
namespace {

// How much there is of everything.
struct Crowd {
  int elements;  // of a set
  int chains;    // with a rule each
  int links;
  int routes;
};

constexpr Crowd kFull = {.elements = 1'000'000, .chains = 8'000, .links = 1'500, .routes = 400'000};
constexpr Crowd kQuick = {.elements = 20'000, .chains = 500, .links = 100, .routes = 10'000};
// More than that is a fault: CreateTap / the floor, crowded, to the same on an empty host.
constexpr double kMostOfEmpty = 1.2;
constexpr int kWarmUp = 10;

// In the network namespace that the calling thread is in.
void Fill(const Crowd& crowd) {
  testing::Shell(absl::StrFormat(
      "seq %d | awk 'BEGIN { print \"table inet crowd {\\nset s { type ipv4_addr; elements = {\" }"
      "{ printf \"%%s100.%%d.%%d.%%d\", (NR > 1) ? \",\" : \"\", $1 / 65536, $1 / 256 %% 256, "
      "$1 %% 256 } END { print \" }\\n}\\n}\" }' | nft -f -",
      crowd.elements));
  testing::Shell(
      absl::StrFormat("seq %d | awk 'BEGIN { print \"table inet crowd {\" }"
                      "{ print \"chain c\" $1 \" { ip saddr @s counter accept\\n}\" } END { print "
                      "\"}\" }' | nft -f -",
                      crowd.chains));
  testing::Shell(absl::StrFormat(
      "seq %d | awk '{ print \"link add c\" $1 \" type veth peer name d\" $1 }' | ip -batch -;"
      "ip link set c1 up; ip link set d1 up",
      crowd.links / 2));
  testing::Shell(
      absl::StrFormat("seq %d | awk '{ printf \"route add 101.%%d.%%d.%%d dev c1\\n\", $1 / 65536, "
                      "$1 / 256 %% 256, "
                      "$1 %% 256 }' | ip -batch -",
                      crowd.routes));
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Measured {
  Candidate* candidate;
  std::vector<double> times = {};

  double median() const { return Median(times); }
};

void MeasureOnce(Measured* measured, Number number) {
  measured->candidate->Enter();
  measured->times.push_back(Time([&] { measured->candidate->Create(number); }));
  measured->candidate->Remove(number);
  measured->candidate->WaitUntilGone(1);
  // The kernel says so before it lets go of the lock for links, which the next one needs.
  testing::Shell("ip link set lo up");
}

// In seconds, of the process.
double ProcessorTimeOf(pid_t pid) {
  const std::string ticks =
      testing::Shell(absl::StrCat("awk '{ print $14 + $15 }' /proc/", pid, "/stat"));
  return std::stod(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Somebody adds a rule each second: the processor time, in seconds, that svnetd takes to read all
// of them. After a look it rests twenty times as long as that took.
double ProcessorTimeWhileRulesChange(const testing::Daemon& svnetd, int seconds) {
  const double before = ProcessorTimeOf(svnetd.pid());
  const Stopwatch stopwatch;
  for (int i = 1; i <= seconds; ++i) {
    testing::Shell("nft add rule inet crowd c1 counter");
    const double left = i * 1e6 - stopwatch.microseconds();
    std::this_thread::sleep_for(
        std::chrono::microseconds(static_cast<int64_t>(std::max(left, 0.0))));
  }
  return ProcessorTimeOf(svnetd.pid()) - before;
}

int Main(int argc, char** argv) {
  const Options options = Begin(argc, argv);
  Results results(options.results);
  FloorCandidate empty_floor("floor");
  SvnetdCandidate empty("svnetd");
  FloorCandidate crowded_floor("floor among them");
  Fill(options.quick ? kQuick : kFull);
  SvnetdCandidate crowded("svnetd among them");
  Fill(options.quick ? kQuick : kFull);
  Measured all[] = {{&empty_floor}, {&empty}, {&crowded_floor}, {&crowded}};
  for (Measured& each : all) {
    each.candidate->Enter();
    each.candidate->Prepare(0);
    each.candidate->Prepare(1);
    each.candidate->Create(1);
  }
  for (int i = 0; i < kWarmUp + 20 * options.rounds(5); ++i) {
    for (Measured& each : all) {
      MeasureOnce(&each, 0);
      if (i < kWarmUp) each.times.clear();
    }
  }
  for (const Measured& each : all) {
    for (const double time : each.times) {
      results.Add({"create beside others' things", each.candidate->name(), 1}, "us", time);
    }
  }
  const double ratio = (all[3].median() / all[2].median()) / (all[1].median() / all[0].median());
  results.Add({"create beside others' things", "crowded / empty", 1}, "", ratio);
  crowded.Enter();
  const int seconds = 5 * options.rounds(4);
  results.Add({absl::StrCat("a rule of others' a second for ", seconds, " s"), crowded.name(), 0},
              "s", ProcessorTimeWhileRulesChange(crowded.daemon(), seconds));
  results.Add({"peak memory", "svnetd", 0}, "MiB",
              testing::PeakMemoryOf(empty.daemon().pid()) / 1024.0);
  results.Add({"peak memory", crowded.name(), 0}, "MiB",
              testing::PeakMemoryOf(crowded.daemon().pid()) / 1024.0);
  results.Write();
  if (ratio > kMostOfEmpty)
    Fail(absl::StrCat("others' things cost CreateTap ", ratio, " times as much"));
  return 0;
}

}  // namespace
}  // namespace svnet::bench

int main(int argc, char** argv) { return svnet::bench::Main(argc, argv); }

// What the benchmarks share: a stopwatch, samples, and the file that they go to.
#pragma once

#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace svnet::bench {

struct Options {
  bool quick = false;               // a run that only shows that all of it works
  std::string results;              // a CSV file, which is appended to
  std::vector<std::string> others;  // what else the command line names: files

  // How many TAPs "a hundred" and "a thousand" are: the quick run has fewer.
  int hundred() const { return quick ? 20 : 100; }
  int thousand() const { return quick ? 50 : 1000; }
  int rounds(int of_full_run) const { return quick ? 1 : of_full_run; }
};

// `PROGRAM [--quick] RESULTS [OTHERS...]`. Then gives the process mounts of its own
// (tests/sandbox), in which svnetd is the one of the build folder in SVNET_UNDER_TEST, or of this
// build. From here on a check that fails ends the program.
Options Begin(int argc, char** argv);

// Ends the program: "cannot measure here: WHAT: (errno's words)".
[[noreturn]] void Fail(const std::string& what);

// How long `work` takes, in microseconds.
double Time(const std::function<void()>& work);

// A stopwatch that runs.
class Stopwatch {
 public:
  Stopwatch() : start_(std::chrono::steady_clock::now()) {}
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_;
};

// What was measured of whom, and under what load.
struct Case {
  std::string operation;  // "create"
  std::string candidate;  // "svnetd", "floor"
  int present = 0;        // TAPs on the bridge, before
  int callers = 1;

  friend auto operator<=>(const Case&, const Case&) = default;
};

// A line of CSV for each case; the columns are in its first line.
class Results {
 public:
  explicit Results(const std::string& path);

  // Keeps what it is given, also in several parts. `unit` is "us", "1/s", "MiB", ...
  void Add(const Case& what, const std::string& unit, double value);
  // Writes all cases, in the order in which they came first, and shows them.
  void Write();

 private:
  struct Series {
    Case what;
    std::string unit;
    std::vector<double> values;
  };

  std::ofstream file_;
  std::vector<Series> series_;
};

}  // namespace svnet::bench

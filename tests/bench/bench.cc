#include "tests/bench/bench.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/floor.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::bench {
namespace {

constexpr char kColumns[] = "operation,candidate,present,callers,unit,samples,median,p99,min";

// The nearest rank: of 100 values sorted, the 99th is the 0.99.
double Quantile(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  const double rank = quantile * static_cast<double>(values.size());
  const auto index = static_cast<size_t>(std::max(0.0, rank - 1e-9));
  return values[std::min(index, values.size() - 1)];
}

// The kernel destroys namespaces in the background, one batch after the other, and holds
// up everybody who makes or destroys a link. When this returns, those of the runs before
// are gone: a namespace that died after them is.
void WaitForDyingNamespaces() {
  testing::EnterFreshNetworkNamespace();
  DeletedLinks deleted;
  testing::Shell(
      "ip netns add last; ip link add here type veth peer name there netns last;"
      "ip netns delete last");
  deleted.Wait(1);
}

}  // namespace

Options Begin(int argc, char** argv) {
  GTEST_FLAG_SET(throw_on_failure, true);
  ::testing::InitGoogleMock(&argc, argv);
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      options.quick = true;
    } else if (!options.results.empty()) {
      options.others.push_back(std::filesystem::absolute(argv[i]));
    } else {
      options.results = std::filesystem::absolute(argv[i]);
    }
  }
  if (options.results.empty()) {
    std::fprintf(stderr, "usage: %s [--quick] RESULTS [OTHERS...]\n", argv[0]);
    std::exit(2);
  }
  testing::EnterPrivateMounts();
  WaitForDyingNamespaces();
  return options;
}

void Fail(const std::string& what) {
  std::fprintf(stderr, "cannot measure here: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(1);
}

double Time(const std::function<void()>& work) {
  const Stopwatch stopwatch;
  work();
  return stopwatch.microseconds();
}

Results::Results(const std::string& path) {
  const bool begins = !std::filesystem::exists(path);
  file_.open(path, std::ios::app);
  if (!file_) Fail(path);
  if (begins) file_ << kColumns << "\n";
}

void Results::Add(const Case& what, const std::string& unit, double value) {
  if (absl::StrContains(absl::StrCat(what.operation, what.candidate, unit), ',')) {
    Fail(absl::StrCat("a column of CSV has no comma: ", what.operation, " of ", what.candidate));
  }
  auto found = std::find_if(series_.begin(), series_.end(),
                            [&](const Series& each) { return each.what == what; });
  if (found == series_.end()) {
    found = series_.insert(found, {.what = what, .unit = unit, .values = {}});
  }
  found->values.push_back(value);
}

void Results::Write() {
  for (const Series& each : series_) {
    const double median = Quantile(each.values, 0.5);
    const double p99 = Quantile(each.values, 0.99);
    const double min = Quantile(each.values, 0);
    file_ << each.what.operation << "," << each.what.candidate << "," << each.what.present << ","
          << each.what.callers << "," << each.unit << "," << each.values.size() << "," << median
          << "," << p99 << "," << min << "\n";
    std::printf("%-24s %-20s %5d present %3d callers %12.1f %-5s p99 %12.1f  (%zu)\n",
                each.what.operation.c_str(), each.what.candidate.c_str(), each.what.present,
                each.what.callers, median, each.unit.c_str(), p99, each.values.size());
  }
  std::fflush(stdout);
  series_.clear();
  if (!file_.flush()) Fail("write the results");
}

}  // namespace svnet::bench

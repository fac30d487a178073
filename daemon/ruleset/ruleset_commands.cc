#include "daemon/ruleset/ruleset_commands.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/ruleset/text_lines.h"

namespace svnet {
namespace {

// The commands that tables as text stand for. Rules come last: they name sets and chains.
class Commands {
 public:
  void Add(absl::string_view line) {
    if (absl::StartsWith(line, "table ")) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
      table_ = absl::StrCat(words[1], " ", words[2]);
    } else if (absl::ConsumePrefix(&line, "  chain ")) {
      StartChain(*absl::StrSplit(line, ' ').begin());
    } else if (line == "  }") {
      End();
    } else if (!chain_.empty()) {
      AddToChain(absl::StripPrefix(line, "    "));
    } else if (IsObject(line)) {
      const std::vector<absl::string_view> words =
          absl::StrSplit(line.substr(2), absl::MaxSplits(' ', 1));
      absl::StrAppend(&objects_, "add ", words[0], " ", table_, " ", words[1], "\n");
    } else if (absl::StartsWith(line, "    ")) {
      absl::StrAppend(&objects_, line, "\n");  // of a set that takes several lines
    }
  }

  std::string Take() { return absl::StrCat(objects_, chains_, rules_); }

 private:
  static bool IsObject(absl::string_view line) {
    return absl::StartsWith(line, "  set ") || absl::StartsWith(line, "  map ") ||
           absl::StartsWith(line, "  counter ");
  }

  void StartChain(absl::string_view name) {
    chain_ = absl::StrCat(table_, " ", name);
    header_.clear();
  }

  // A chain's type and comment come first, then its rules.
  void AddToChain(absl::string_view line) {
    if (absl::StartsWith(line, "type ")) {
      absl::StrAppend(&header_, line, " ");
    } else if (absl::StartsWith(line, "comment ")) {
      absl::StrAppend(&header_, line, "; ");
    } else {
      absl::StrAppend(&rules_, "add rule ", chain_, " ", line, "\n");
    }
  }

  void End() {
    if (chain_.empty()) {
      objects_ += "  }\n";
      return;
    }
    absl::StrAppend(&chains_, "add chain ", chain_);
    if (!header_.empty()) absl::StrAppend(&chains_, " { ", header_, "}");
    chains_ += "\n";
    chain_.clear();
  }

  std::string table_;  // "inet svnet-svbr0/a"
  std::string chain_;  // with its table; empty: outside of chains
  std::string header_;
  std::string objects_;
  std::string chains_;
  std::string rules_;
};

}  // namespace

std::string CommandsOf(const std::string& tables) {
  Commands commands;
  for (const absl::string_view line : LinesOf(tables)) commands.Add(line);
  return commands.Take();
}

}  // namespace svnet

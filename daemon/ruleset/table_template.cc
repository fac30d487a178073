#include "daemon/ruleset/table_template.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/ruleset/text_lines.h"

namespace svnet {
namespace {

// The lines of one network in a hook that have the same guard.
struct Guarded {
  Guard guard;
  std::vector<std::string> rests;
};

std::vector<Guarded> GuardedLinesOf(absl::string_view text) {
  std::vector<Guarded> guarded;
  if (text.empty()) return guarded;
  for (const absl::string_view line : LinesOf(text)) {
    std::optional<GuardedLine> found = FindGuard(line);
    if (!found.has_value()) continue;  // RulesetPartTest.IsInTheWhole shows that there is none
    if (guarded.empty() || guarded.back().guard != found->guard) {
      guarded.push_back({.guard = found->guard, .rests = {}});
    }
    guarded.back().rests.push_back(std::move(found->rest));
  }
  return guarded;
}

// What a line does with every packet that comes to it; empty if it looks at them.
std::string VerdictOf(absl::string_view line) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line.substr(0, line.find(" comment ")), ' ', absl::SkipEmpty());
  const bool is_verdict = words.size() == 1
                              ? words[0] == "accept" || words[0] == "drop"
                              : words.size() == 2 && (words[0] == "goto" || words[0] == "jump");
  return is_verdict ? absl::StrJoin(words, " ") : "";
}

// "prerouting" of "bridge.prerouting", "forward" of "inet.forward.first".
absl::string_view HookOf(absl::string_view place) {
  const std::vector<absl::string_view> parts = absl::StrSplit(place, '.');
  return parts[1];
}

}  // namespace

std::string OwnPrefix(const NetworkName& network) {
  return network == NetworkName() ? "" : absl::StrCat(network.text(), "/");
}

std::string TableTemplate::Fill(absl::string_view text) const {
  std::string out;
  FillShared(text, &out);
  return out;
}

void TableTemplate::FillShared(absl::string_view text, std::string* out) const {
  std::string chains;  // that follow the one that is being filled
  for (absl::string_view line : LinesOf(text)) {
    if (absl::ConsumePrefix(&line, "%%")) {
      FillHook(std::string(line), out, &chains);
    } else if (absl::ConsumePrefix(&line, "%")) {
      FillPlace(std::string(line), out);
    } else {
      absl::StrAppend(out, line, "\n");
      if (line == "  }") absl::StrAppend(out, std::exchange(chains, ""));
    }
  }
}

void TableTemplate::FillPlace(const std::string& place, std::string* out) const {
  if (const absl::string_view text = shared_.At(place); !text.empty()) FillShared(text, out);
  for (size_t i = 0; i < own_.size(); ++i) FillOwn(i, own_[i].At(place), out);
}

void TableTemplate::FillHook(const std::string& place, std::string* out,
                             std::string* chains) const {
  if (own_.size() == 1) return FillOwn(0, own_[0].At(place), out);
  // By guard, in the order in which they are first met.
  std::vector<std::pair<Guard, std::vector<std::pair<GuardedNetwork, std::string>>>> verdicts;
  for (size_t i = 0; i < own_.size(); ++i) {
    for (const Guarded& each : GuardedLinesOf(own_[i].At(place))) {
      std::string verdict = VerdictOf(each.rests[0]);
      if (each.rests.size() > 1 || verdict.empty()) {
        const std::string chain = absl::StrCat("~", HookOf(place), "_", NameOf(each.guard));
        verdict = absl::StrCat("jump ", chain);
        absl::StrAppend(chains, "\n", FillLine(i, absl::StrCat("  chain ", chain, " {")), "\n");
        for (const std::string& rest : each.rests) {
          absl::StrAppend(chains, FillLine(i, rest), "\n");
        }
        absl::StrAppend(chains, "  }\n");
      }
      auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                [&](const auto& known) { return known.first == each.guard; });
      if (found == verdicts.end()) found = verdicts.insert(found, {each.guard, {}});
      found->second.emplace_back(networks_[i], FillLine(i, verdict));
    }
  }
  for (const auto& [guard, of_networks] : verdicts) {
    absl::StrAppend(out, Dispatch(guard, of_networks));
  }
}

void TableTemplate::FillOwn(size_t i, absl::string_view text, std::string* out) const {
  if (text.empty()) return;
  for (absl::string_view line : LinesOf(text)) {
    if (absl::ConsumePrefix(&line, "%")) {
      FillOwn(i, own_[i].At(std::string(line)), out);
    } else {
      absl::StrAppend(out, FillLine(i, line), "\n");
    }
  }
}

std::string TableTemplate::FillLine(size_t i, absl::string_view line) const {
  const RulesetNetwork& network = *networks_[i].network;
  return absl::StrReplaceAll(
      WithMatch(line, networks_[i]),
      {{"~", OwnPrefix(network.name)},
       {"$prefix", network.prefix.ToString()},
       {"$gateway", Ipv4Address(network.prefix.network().value() + 1).ToString()},
       {"$name", network.bridge.text()},
       {"$bridge", absl::StrCat(networks_[i].bridge.ifindex)},
       {"$mac", networks_[i].bridge.mac.ToString()},
       {"$taps",
        absl::StrCat(network.link_group, "-", network.link_group + network.retired_groups)}});
}

}  // namespace svnet

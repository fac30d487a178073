// Other people's packet filters in memory.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewalls.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

class FakeForeignFirewalls final : public ForeignFirewalls {
 public:
  // `faults` must outlive it.
  explicit FakeForeignFirewalls(Faults* faults) : faults_(faults) {}

  absl::StatusOr<std::vector<FilterChain>> Read() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Read"));
    legacy_changed = false;
    return chains;
  }

  absl::StatusOr<bool> IptablesLegacyWasChanged() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("IptablesLegacyWasChanged"));
    return legacy_changed;
  }

  bool IptablesLegacyIsHidden() const override { return legacy_is_hidden; }

  const std::string& tag() const override { return tag_; }

  absl::Status Replace(const FilterChain& chain, const std::vector<FilterRule>& rules) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Replace"));
    const auto place = std::find(chains.begin(), chains.end(), chain);
    if (place == chains.end()) return absl::InternalError("nftables: No such file or directory");
    std::erase_if(place->rules, [&](const FilterRule& rule) { return rule.comment == tag_; });
    const auto end =
        std::find_if(place->rules.begin(), place->rules.end(), [](const FilterRule& rule) {
          return rule.verdict == FilterRule::Verdict::kReturn && rule.IsUnconditional();
        });
    place->rules.insert(end, rules.begin(), rules.end());
    if (after_replace != nullptr) std::exchange(after_replace, nullptr)();
    return absl::OkStatus();
  }

  absl::Status JoinZone(const ZoneMember& member) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("JoinZone"));
    for (FilterChain& chain : chains) {
      if (chain.name != "filter_FORWARD") continue;
      FilterRule rule = {.verdict = FilterRule::Verdict::kJump, .target = "filter_FWD_svnet"};
      if (member.kind == ZoneMember::Kind::kInterface) {
        rule.from = member.text;
      } else {
        rule.source = Ipv4Prefix::Parse(member.text).value();
      }
      chain.rules.insert(chain.rules.begin(), rule);
      chains.push_back({.family = "inet",
                        .table = "firewalld",
                        .name = "filter_FWD_svnet",
                        .rules = {{.verdict = FilterRule::Verdict::kAccept}}});
      break;
    }
    return absl::OkStatus();
  }

  absl::Status LeaveZone(const ZoneMember& member) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("LeaveZone"));
    const bool by_link = member.kind == ZoneMember::Kind::kInterface;
    for (FilterChain& chain : chains) {
      std::erase_if(chain.rules, [&](const FilterRule& rule) {
        return rule.target == "filter_FWD_svnet" &&
               (by_link ? rule.from : SourceOf(rule)) == member.text;
      });
    }
    return absl::OkStatus();
  }

  FilterChain& Chain(const std::string& name) {
    return *std::find_if(chains.begin(), chains.end(),
                         [&](const FilterChain& chain) { return chain.name == name; });
  }

  // The rules of a chain, one a line, as iptables would say them.
  std::string Dump(const std::string& name) {
    std::string text;
    for (const FilterRule& rule : Chain(name).rules) {
      constexpr const char* kVerdicts[] = {"none", "ACCEPT", "DROP", "RETURN", "jump"};
      const std::string source = SourceOf(rule);
      const std::string destination =
          rule.destination.has_value() ? rule.destination->ToString() : "";
      absl::StrAppend(&text, source.empty() ? "" : absl::StrCat("-s ", source, " "),
                      destination.empty() ? "" : absl::StrCat("-d ", destination, " "),
                      rule.from.empty() ? "" : absl::StrCat("-i ", rule.from, " "),
                      rule.to.empty() ? "" : absl::StrCat("-o ", rule.to, " "),
                      kVerdicts[static_cast<int>(rule.verdict)],
                      rule.target.empty() ? "" : absl::StrCat(" ", rule.target),
                      rule.comment.empty() ? "" : absl::StrCat(" /* ", rule.comment, " */"), "\n");
    }
    return text;
  }

  // What other programs did; Read returns it.
  std::vector<FilterChain> chains;
  bool legacy_changed = false;
  bool legacy_is_hidden = false;
  // What another program does right after the next Replace.
  std::function<void()> after_replace;

 private:
  static std::string SourceOf(const FilterRule& rule) {
    return rule.source.has_value() ? rule.source->ToString() : "";
  }

  Faults* const faults_;
  const std::string tag_ = "svnet-svbr0";
};

}  // namespace svnet::testing

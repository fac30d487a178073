#include "daemon/lease/lifetime.h"

#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace svnet {
namespace {

constexpr absl::string_view kPersistent = "persistent";
constexpr absl::string_view kProcess = "process";
constexpr absl::string_view kDetached = "detached";

std::string Format(const Persistent&) { return std::string(kPersistent); }
std::string Format(const BoundToProcess& process) {
  return absl::StrCat(kProcess, ":", process.pid, ":", process.start_time);
}
std::string Format(const UntilDetached& detached) {
  return absl::StrCat(kDetached, ":", absl::ToInt64Milliseconds(detached.grace));
}

std::optional<Lifetime> Parse(const std::vector<absl::string_view>& parts) {
  BoundToProcess process = {};
  int64_t grace = 0;
  if (parts.size() == 1 && parts[0] == kPersistent) return Persistent();
  if (parts.size() == 3 && parts[0] == kProcess && absl::SimpleAtoi(parts[1], &process.pid) &&
      process.pid > 0 && absl::SimpleAtoi(parts[2], &process.start_time)) {
    return process;
  }
  if (parts.size() == 2 && parts[0] == kDetached && absl::SimpleAtoi(parts[1], &grace) &&
      grace >= 0 && absl::Milliseconds(grace) <= kMaxGrace) {
    return UntilDetached{.grace = absl::Milliseconds(grace)};
  }
  return std::nullopt;
}

}  // namespace

std::string FormatLifetime(const Lifetime& lifetime) {
  return std::visit([](const auto& each) { return Format(each); }, lifetime);
}

absl::StatusOr<Lifetime> ParseLifetime(absl::string_view text) {
  if (const std::optional<Lifetime> lifetime = Parse(absl::StrSplit(text, ':'))) return *lifetime;
  return absl::InvalidArgumentError("no such lifetime");
}

Lifetime WithStartTime(Lifetime lifetime, uint64_t start_time) {
  if (auto* bound = std::get_if<BoundToProcess>(&lifetime)) bound->start_time = start_time;
  return lifetime;
}

}  // namespace svnet

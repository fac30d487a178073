#include "daemon/lease/alias.h"

#include <array>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/base/network_name.h"
#include "daemon/base/spec_digest.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias_fields.h"

namespace svnet {
namespace {

constexpr absl::string_view kVersion = "svnet2";
constexpr absl::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr uint64_t kBase = kDigits.size();

std::string Base36(uint64_t number) {
  std::array<char, 13> text;  // 36^13 is more than 2^64
  size_t first = text.size();
  do {
    text[--first] = kDigits[number % kBase];
    number /= kBase;
  } while (number > 0);
  return std::string(text.data() + first, text.size() - first);
}

// nullopt if it is not such a number, or is above `max`.
std::optional<uint64_t> ParseBase36(absl::string_view text, uint64_t max) {
  if (text.empty()) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == absl::string_view::npos || number > (max - digit) / kBase) return std::nullopt;
    number = number * kBase + digit;
  }
  return number;
}

// `count` octets as two hex digits each; nullopt if it is anything else.
template <size_t kCount>
std::optional<std::array<uint8_t, kCount>> ParseHex(absl::string_view text) {
  std::array<uint8_t, kCount> octets = {};
  if (text.size() != 2 * kCount) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t digit = kDigits.find(text[i]);
    if (digit > 15) return std::nullopt;
    octets[i / 2] = static_cast<uint8_t>(octets[i / 2] << 4 | digit);
  }
  return octets;
}

std::string MacText(const MacAddress& mac) {
  const MacAddress::Octets& octets = mac.octets();
  return absl::BytesToHexString({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

// Empty for the one that needs no word.
std::string LifetimeText(const Lifetime& lifetime) {
  if (const auto* bound = std::get_if<BoundToProcess>(&lifetime)) {
    return absl::StrCat("p", Base36(static_cast<uint64_t>(bound->pid)), ":",
                        Base36(bound->start_time));
  }
  if (const auto* detached = std::get_if<UntilDetached>(&lifetime)) {
    return absl::StrCat("d",
                        Base36(static_cast<uint64_t>(absl::ToInt64Milliseconds(detached->grace))));
  }
  return "";
}

std::optional<Lifetime> ReadProcess(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  const auto pid = ParseBase36(parts.first, std::numeric_limits<pid_t>::max());
  const auto start = ParseBase36(parts.second, std::numeric_limits<uint64_t>::max());
  if (!pid.has_value() || *pid == 0 || !start.has_value()) return std::nullopt;
  return BoundToProcess{.pid = static_cast<pid_t>(*pid), .start_time = *start};
}

std::optional<Lifetime> ReadLifetime(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "p")) return ReadProcess(text);
  if (!absl::ConsumePrefix(&text, "d")) return std::nullopt;
  const auto grace = ParseBase36(text, static_cast<uint64_t>(absl::ToInt64Milliseconds(kMaxGrace)));
  if (!grace.has_value()) return std::nullopt;
  return UntilDetached{.grace = absl::Milliseconds(*grace)};
}

absl::Status NotA(absl::string_view what, absl::string_view key) {
  return absl::InvalidArgumentError(absl::StrCat(key, "= is not ", what));
}

absl::StatusOr<uint64_t> TakeNumber(AliasFields& fields, absl::string_view key, uint64_t min,
                                    uint64_t max) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take(key));
  const std::optional<uint64_t> number = ParseBase36(text, max);
  if (number.has_value() && *number >= min) return *number;
  return NotA(absl::StrCat(min, " to ", max, " in base 36"), key);
}

absl::StatusOr<Ipv4Address> TakeAddress(AliasFields& fields) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take("a"));
  const auto octets = ParseHex<4>(text);
  if (!octets.has_value()) return NotA("an address", "a");
  uint32_t value = 0;
  for (const uint8_t octet : *octets) value = value << 8 | octet;
  return Ipv4Address(value);
}

absl::StatusOr<MacAddress> TakeMac(AliasFields& fields) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take("m"));
  const auto octets = ParseHex<6>(text);
  if (!octets.has_value()) return NotA("a MAC", "m");
  return MacAddress(*octets);
}

absl::StatusOr<std::optional<gid_t>> TakeGroup(AliasFields& fields) {
  const std::optional<absl::string_view> text = fields.TakeIf("g");
  if (!text.has_value()) return std::nullopt;
  const auto gid = ParseBase36(*text, std::numeric_limits<gid_t>::max());
  if (!gid.has_value()) return NotA("a group", "g");
  return static_cast<gid_t>(*gid);
}

absl::StatusOr<Lifetime> TakeLifetime(AliasFields& fields) {
  const std::optional<absl::string_view> text = fields.TakeIf("l");
  if (!text.has_value()) return Persistent();
  const std::optional<Lifetime> lifetime = ReadLifetime(*text);
  if (!lifetime.has_value()) return NotA("a lifetime", "l");
  return *lifetime;
}

absl::StatusOr<std::string> TakeTextDigest(AliasFields& fields) {
  const std::optional<absl::string_view> text = fields.TakeIf("s");
  if (!text.has_value()) return std::string();
  if (!IsSpecDigest(*text)) return NotA("a digest", "s");
  return std::string(*text);
}

}  // namespace

std::string FormatAlias(const LeaseSpec& spec) {
  std::string text = absl::StrCat(
      kVersion, " n=", spec.network.text(), " v=", spec.key.vm.text(), " i=", spec.key.iface.text(),
      " a=", absl::Hex(spec.ip.value(), absl::kZeroPad8), " m=", MacText(spec.mac),
      " q=", Base36(static_cast<uint64_t>(spec.queues)), " o=", Base36(spec.key.owner));
  if (spec.group.has_value()) absl::StrAppend(&text, " g=", Base36(*spec.group));
  if (const std::string lifetime = LifetimeText(spec.lifetime); !lifetime.empty()) {
    absl::StrAppend(&text, " l=", lifetime);
  }
  absl::StrAppend(&text, " t=", Base36(static_cast<uint64_t>(spec.create_time)),
                  " e=", Base36(spec.generation));
  if (!spec.text_digest.empty()) absl::StrAppend(&text, " s=", spec.text_digest);
  return text;
}

absl::StatusOr<LeaseSpec> ParseAlias(const LinkName& tap, absl::string_view text) {
  AliasFields fields(text);
  if (!fields.TakeWord(kVersion)) {
    return absl::InvalidArgumentError(absl::StrCat("it does not begin with ", kVersion));
  }
  SVNET_ASSIGN_OR_RETURN(const NetworkName network, fields.TakeValue<NetworkName>("n"));
  SVNET_ASSIGN_OR_RETURN(const VmId vm, fields.TakeValue<VmId>("v"));
  SVNET_ASSIGN_OR_RETURN(const IfaceId iface, fields.TakeValue<IfaceId>("i"));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, TakeAddress(fields));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, TakeMac(fields));
  SVNET_ASSIGN_OR_RETURN(const uint64_t queues, TakeNumber(fields, "q", 1, kMaxQueues));
  constexpr uint64_t kMaxUid = std::numeric_limits<uid_t>::max();
  SVNET_ASSIGN_OR_RETURN(const uint64_t owner, TakeNumber(fields, "o", 0, kMaxUid));
  SVNET_ASSIGN_OR_RETURN(const std::optional<gid_t> group, TakeGroup(fields));
  SVNET_ASSIGN_OR_RETURN(const Lifetime lifetime, TakeLifetime(fields));
  // Seven digits: until the year 4453.
  constexpr uint64_t kMaxTime = kBase * kBase * kBase * kBase * kBase * kBase * kBase - 1;
  SVNET_ASSIGN_OR_RETURN(const uint64_t time, TakeNumber(fields, "t", 0, kMaxTime));
  constexpr uint64_t kMaxGeneration = std::numeric_limits<uint32_t>::max();
  SVNET_ASSIGN_OR_RETURN(const uint64_t generation, TakeNumber(fields, "e", 1, kMaxGeneration));
  SVNET_ASSIGN_OR_RETURN(std::string text_digest, TakeTextDigest(fields));
  LeaseSpec spec = {.network = network,
                    .key = {.owner = static_cast<uid_t>(owner), .vm = vm, .iface = iface},
                    .tap = tap,
                    .ip = ip,
                    .mac = mac,
                    .queues = static_cast<int>(queues),
                    .group = group,
                    .lifetime = lifetime,
                    .create_time = static_cast<int64_t>(time),
                    .generation = static_cast<uint32_t>(generation),
                    .text_digest = std::move(text_digest)};
  // Whatever the steps above let pass ("q=01", a word at the end) ends here.
  if (FormatAlias(spec) != text) return absl::InvalidArgumentError("it is not in the exact form");
  return spec;
}

absl::string_view TextDigestIn(absl::string_view alias) {
  if (!absl::StartsWith(alias, "svnet")) return "";
  for (absl::string_view word : absl::StrSplit(alias, ' ')) {
    if (absl::ConsumePrefix(&word, "s=") && IsSpecDigest(word)) return word;
  }
  return "";
}

bool IsAliasOf(absl::string_view text, const NetworkName& network) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  return IsAlias(text) && words[1] == absl::StrCat("n=", network.text());
}

bool IsAlias(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  if (words.size() < 2) return false;
  absl::string_view name = words[1];
  if (!absl::ConsumePrefix(&name, "n=") || !NetworkName::Parse(name).ok()) return false;
  absl::string_view version = words[0];
  return absl::ConsumePrefix(&version, "svnet") && !version.empty() &&
         version.find_first_not_of("0123456789") == absl::string_view::npos;
}

}  // namespace svnet

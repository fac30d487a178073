#include "daemon/config/key_values.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"

namespace svnet {

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 80)), "\"");
}

std::vector<absl::string_view> Items(absl::string_view text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

absl::StatusOr<NetworkName> ParseNetworkName(absl::string_view text) {
  absl::StatusOr<NetworkName> name = NetworkName::Parse(text);
  if (name.ok()) return name;
  return absl::InvalidArgumentError(absl::StrCat(
      Quote(text),
      " is not a name for a network: a small letter, and up to 14 small letters, digits and -"));
}

absl::StatusOr<uint32_t> ParseId(
    absl::string_view kind, absl::string_view text,
    const std::function<std::optional<uint32_t>(const std::string&)>& find) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number != UINT32_MAX) return number;
  if (const std::optional<uint32_t> id = find(std::string(text)); id.has_value()) return *id;
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is not a ", kind, " of this host or a number"));
}

absl::Status SetUsers(std::set<uid_t>* users, absl::string_view text, const Accounts& accounts) {
  users->clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const uid_t uid, ParseId("user", item, accounts.find_user));
    users->insert(uid);
  }
  return absl::OkStatus();
}

absl::Status SetGroups(std::set<gid_t>* groups, absl::string_view text, const Accounts& accounts) {
  groups->clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const gid_t gid, ParseId("group", item, accounts.find_group));
    groups->insert(gid);
  }
  return absl::OkStatus();
}

absl::Status SetCount(uint32_t* count, uint32_t min, absl::string_view text) {
  constexpr uint32_t kMax = 1'000'000;
  uint32_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > kMax) {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is not ", min, " to ", kMax));
  }
  *count = value;
  return absl::OkStatus();
}

}  // namespace svnet

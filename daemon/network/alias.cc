#include "daemon/network/alias.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr absl::string_view kVersion = "svnet1";
constexpr int kMaxQueues = 256;

// Takes the fields off the front of an alias, one by one.
class Fields {
 public:
  explicit Fields(absl::string_view text) : fields_(absl::StrSplit(text, ' ')) {}

  absl::StatusOr<absl::string_view> Take(absl::string_view key) {
    const absl::string_view field = next_ < fields_.size() ? fields_[next_++] : "";
    const std::string start = absl::StrCat(key, "=");
    if (absl::StartsWith(field, start)) return field.substr(start.size());
    return absl::InvalidArgumentError(absl::StrCat("no ", key, " where it should be"));
  }

  bool TakeWord(absl::string_view word) {
    return next_ < fields_.size() && fields_[next_++] == word;
  }

 private:
  std::vector<absl::string_view> fields_;
  size_t next_ = 0;
};

// Parses field `key`; the name of the field stands before the error.
template <typename Value>
absl::StatusOr<Value> TakeValue(Fields& fields, absl::string_view key) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take(key));
  return Value::Parse(text);
}

absl::StatusOr<int> TakeQueues(Fields& fields) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take("queues"));
  int queues = 0;
  if (absl::SimpleAtoi(text, &queues) && queues >= 1 && queues <= kMaxQueues) return queues;
  return absl::InvalidArgumentError(absl::StrCat("queues is not 1 to ", kMaxQueues));
}

}  // namespace

std::string FormatAlias(const Alias& alias) {
  return absl::StrCat(kVersion, " bridge=", alias.bridge.text(), " vm=", alias.vm.text(),
                      " iface=", alias.iface.text(), " ip=", alias.ip.ToString(),
                      " mac=", alias.mac.ToString(), " queues=", alias.queues,
                      " lifetime=", FormatLifetime(alias.lifetime));
}

Alias AliasOf(const Lease& lease, const LinkName& bridge) {
  return {.bridge = bridge,
          .vm = lease.key.vm,
          .iface = lease.key.iface,
          .ip = lease.ip,
          .mac = lease.mac,
          .queues = lease.queues,
          .lifetime = lease.lifetime};
}

absl::StatusOr<Alias> ParseAlias(absl::string_view text) {
  Fields fields(text);
  if (!fields.TakeWord(kVersion)) {
    return absl::InvalidArgumentError(absl::StrCat("it does not begin with ", kVersion));
  }
  SVNET_ASSIGN_OR_RETURN(const LinkName bridge, TakeValue<LinkName>(fields, "bridge"));
  SVNET_ASSIGN_OR_RETURN(const VmId vm, TakeValue<VmId>(fields, "vm"));
  SVNET_ASSIGN_OR_RETURN(const IfaceId iface, TakeValue<IfaceId>(fields, "iface"));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, TakeValue<Ipv4Address>(fields, "ip"));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, TakeValue<MacAddress>(fields, "mac"));
  SVNET_ASSIGN_OR_RETURN(const int queues, TakeQueues(fields));
  SVNET_ASSIGN_OR_RETURN(const absl::string_view lifetime_text, fields.Take("lifetime"));
  SVNET_ASSIGN_OR_RETURN(const Lifetime lifetime, ParseLifetime(lifetime_text));
  const Alias alias = {.bridge = bridge,
                       .vm = vm,
                       .iface = iface,
                       .ip = ip,
                       .mac = mac,
                       .queues = queues,
                       .lifetime = lifetime};
  // Whatever the steps above let pass ("queues=+1", something at the end) ends here.
  if (FormatAlias(alias) != text) return absl::InvalidArgumentError("it is not in the exact form");
  return alias;
}

bool IsAliasOf(absl::string_view text, const LinkName& bridge) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  return fields.size() >= 2 && absl::StartsWith(fields[0], "svnet") &&
         fields[1] == absl::StrCat("bridge=", bridge.text());
}

}  // namespace svnet

#include "client/list.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/json.h"
#include "client/natural_order.h"
#include "client/output.h"
#include "client/text.h"
#include "client/yaml.h"

namespace svnet::client {
namespace {

struct Name {
  const char* text;
  ListFormat format;
};
constexpr std::array kNames = {
    Name{"table", ListFormat::kTable}, Name{"wide", ListFormat::kWide},
    Name{"name", ListFormat::kName},   Name{"json", ListFormat::kJson},
    Name{"yaml", ListFormat::kYaml},
};

bool IsWanted(const v1::Tap& tap, const ListLeases& list) {
  // An earlier svnetd lists all VMs.
  const std::string& vm = list.request.vm_id();
  return (vm.empty() || tap.vm_id() == vm) &&
         (!list.owner.has_value() || tap.owner_uid() == *list.owner) &&
         (!list.attached.has_value() || tap.attached() == *list.attached);
}

bool ComesBefore(const v1::Tap& a, const v1::Tap& b) {
  if (a.vm_id() != b.vm_id()) return NaturalLess(a.vm_id(), b.vm_id());
  if (a.iface_id() != b.iface_id()) return NaturalLess(a.iface_id(), b.iface_id());
  return std::make_tuple(a.owner_uid(), a.tap_name()) <
         std::make_tuple(b.owner_uid(), b.tap_name());
}

// Each VM once, a line each: what other commands take.
std::string RenderVms(const std::vector<v1::Tap>& taps) {
  std::set<std::string> seen;
  std::string text;
  for (const v1::Tap& tap : taps) {
    if (seen.insert(tap.vm_id()).second) absl::StrAppend(&text, Printable(tap.vm_id()), "\n");
  }
  return text;
}

v1::ListTapsResponse AsResponse(const std::vector<v1::Tap>& taps) {
  v1::ListTapsResponse response;
  for (const v1::Tap& tap : taps) *response.add_taps() = tap;
  return response;
}

}  // namespace

std::string ListFormatNames() {
  return absl::StrJoin(kNames, "|", [](std::string* out, const Name& name) { *out += name.text; });
}

absl::StatusOr<ListFormat> ParseListFormat(const std::string& name) {
  for (const Name& each : kNames) {
    if (name == each.text) return each.format;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no format '", name, "'; choose one of ", ListFormatNames()));
}

Outcome RenderObject(const google::protobuf::Message& message, ListFormat format) {
  Outcome json = ShowJson(message);
  const auto* text = std::get_if<std::string>(&json);
  if (text == nullptr || format == ListFormat::kJson) return json;
  return JsonToYaml(*text);
}

std::vector<v1::Tap> Selected(std::vector<v1::Tap> taps, const ListLeases& list) {
  taps.erase(std::remove_if(taps.begin(), taps.end(),
                            [&list](const v1::Tap& tap) { return !IsWanted(tap, list); }),
             taps.end());
  std::sort(taps.begin(), taps.end(), ComesBefore);
  return taps;
}

Outcome RenderList(const std::vector<v1::Tap>& taps, const ListLeases& list) {
  switch (list.format) {
    case ListFormat::kTable:
      return RenderTaps(taps);
    case ListFormat::kWide:
      return RenderTapsWide(taps);
    case ListFormat::kName:
      return RenderVms(taps);
    case ListFormat::kJson:
    case ListFormat::kYaml:
      break;
  }
  return RenderObject(AsResponse(taps), list.format);
}

Outcome List(Connection& svnetd, const ListLeases& list) {
  const Result<v1::ListTapsResponse> answer = ListAllPages(svnetd, list.request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& taps = std::get<v1::ListTapsResponse>(answer).taps();
  return RenderList(Selected({taps.begin(), taps.end()}, list), list);
}

}  // namespace svnet::client

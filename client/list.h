// `svnetctl list`.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// The values of --output.
enum class ListFormat { kTable, kWide, kName, kJson, kYaml };

// "table|wide|name|json|yaml".
std::string ListFormatNames();

// InvalidArgument with all the names if `name` is none of them.
absl::StatusOr<ListFormat> ParseListFormat(const std::string& name);

struct ListLeases {
  v1::ListTapsRequest request;
  std::optional<uint32_t> owner;
  std::optional<bool> attached;
  ListFormat format = ListFormat::kTable;
};

// `message` in kJson or kYaml.
Outcome RenderObject(const google::protobuf::Message& message, ListFormat format);

// Those that `list` asks for, by VM in natural order.
std::vector<v1::Tap> Selected(std::vector<v1::Tap> taps, const ListLeases& list);

// `taps` in the format of `list`; a failure if they are not JSON.
Outcome RenderList(const std::vector<v1::Tap>& taps, const ListLeases& list);

// Shows all pages as one.
Outcome List(Connection& svnetd, const ListLeases& list);

}  // namespace svnet::client

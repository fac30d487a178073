// The fields of a log line.
#pragma once

#include <spdlog/common.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/lease/lease.h"

namespace svnet {

// Empty = unknown. Caller-supplied text appears only if it is a valid name.
struct LogFields {
  std::string network;
  std::string vm;
  std::string iface;
  std::string tap;
  std::optional<uid_t> owner;   // of the lease
  std::optional<uid_t> caller;  // who asked
  std::string reason;           // of a refusal, an ErrorReason of the contract
};

LogFields FieldsOf(const Lease& lease);

// A log line, or a part of one, with its fields.
struct LogLine {
  std::string text;
  LogFields fields;
  bool changed = false;  // the call had an effect
};

// Logs the text. Only the journal keeps the fields.
void WriteLine(spdlog::level::level_enum level, absl::string_view text, const LogFields& fields);

// For sinks: the fields of the line that the calling thread is writing now.
const LogFields& FieldsOfThisLine();

// As long as it lives, that line has none: a sink writes one of its own.
class WithoutFields {
 public:
  WithoutFields();
  ~WithoutFields();
  WithoutFields(const WithoutFields&) = delete;
  WithoutFields& operator=(const WithoutFields&) = delete;

 private:
  const LogFields* const fields_;
};

}  // namespace svnet

// What a line of the log is about, besides its words.
#pragma once

#include <spdlog/common.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/lease/lease.h"

namespace svnet {

// What is empty is not known, or not what it should be: nothing here is of a caller's own
// making but checked names.
struct LogFields {
  std::string vm;
  std::string iface;
  std::string tap;
  std::optional<uid_t> owner;   // of the lease
  std::optional<uid_t> caller;  // who asked
  std::string reason;           // of a refusal, as the contract has it
};

LogFields FieldsOf(const Lease& lease);

// A line of the log for a call, or a part of it, and its fields.
struct LogLine {
  std::string text;
  LogFields fields;
  bool changed = false;  // the call had an effect
};

// Logs the text. To a terminal or a file the fields are nothing; the journal keeps them.
void WriteLine(spdlog::level::level_enum level, absl::string_view text, const LogFields& fields);

// For who writes the log: the fields of the line that the calling thread is writing now.
const LogFields& FieldsOfThisLine();

}  // namespace svnet

#define SD_JOURNAL_SUPPRESS_LOCATION  // svnetd's source lines do not help readers of the journal
#include "daemon/log/journal_sink.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/log/log_fields.h"

namespace svnet {
namespace {

int PriorityOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
      return LOG_CRIT;
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::debug:
    case spdlog::level::trace:
      return LOG_DEBUG;
    default:
      return LOG_INFO;
  }
}

void Add(std::vector<std::string>* entry, absl::string_view name, absl::string_view value) {
  if (!value.empty()) entry->push_back(absl::StrCat(name, "=", value));
}

void Add(std::vector<std::string>* entry, absl::string_view name, const std::optional<uid_t>& uid) {
  if (uid.has_value()) entry->push_back(absl::StrCat(name, "=", *uid));
}

}  // namespace

bool IsStderrJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return absl::StrCat(status.st_dev, ":", status.st_ino) == stream;
}

void JournalSink::sink_it_(const spdlog::details::log_msg& message) {
  const absl::string_view text(message.payload.data(), message.payload.size());
  const LogFields& fields = FieldsOfThisLine();
  std::vector<std::string> entry = {absl::StrCat("MESSAGE=", text),
                                    absl::StrCat("PRIORITY=", PriorityOf(message.level)),
                                    "SYSLOG_IDENTIFIER=svnetd"};
  Add(&entry, "VM_ID", fields.vm);
  Add(&entry, "IFACE_ID", fields.iface);
  Add(&entry, "TAP", fields.tap);
  Add(&entry, "OWNER_UID", fields.owner);
  Add(&entry, "CALLER_UID", fields.caller);
  Add(&entry, "REASON", fields.reason);
  std::vector<iovec> parts;
  for (std::string& part : entry)
    parts.push_back({.iov_base = part.data(), .iov_len = part.size()});
  if (sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0) return;
  // At least the message: standard error also goes to the journal.
  std::fprintf(stderr, "<%d>%.*s\n", PriorityOf(message.level), static_cast<int>(text.size()),
               text.data());
}

}  // namespace svnet

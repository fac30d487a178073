#include "daemon/log/journal_sink.h"

#include <endian.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/log/log_fields.h"
#include "daemon/log/stderr_sink.h"

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

void Add(std::string* entry, absl::string_view name, absl::string_view value) {
  if (value.empty()) return;
  if (value.find('\n') == absl::string_view::npos) {
    absl::StrAppend(entry, name, "=", value, "\n");
    return;
  }
  const uint64_t size = htole64(value.size());
  absl::StrAppend(entry, name, "\n",
                  absl::string_view(reinterpret_cast<const char*>(&size), sizeof(size)), value,
                  "\n");
}

void Add(std::string* entry, absl::string_view name, const std::optional<uid_t>& uid) {
  if (uid.has_value()) Add(entry, name, absl::StrCat(*uid));
}

}  // namespace

bool IsStderrJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return absl::StrCat(status.st_dev, ":", status.st_ino) == stream;
}

JournalSink::JournalSink() : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

bool JournalSink::TryToWrite(const spdlog::details::log_msg& message) {
  const absl::string_view text(message.payload.data(), message.payload.size());
  const LogFields& fields = FieldsOfThisLine();
  std::string entry;
  Add(&entry, "MESSAGE", text);
  Add(&entry, "PRIORITY", absl::StrCat(PriorityOf(message.level)));
  Add(&entry, "SYSLOG_IDENTIFIER", "svnetd");
  Add(&entry, "NETWORK", fields.network);
  Add(&entry, "VM_ID", fields.vm);
  Add(&entry, "IFACE_ID", fields.iface);
  Add(&entry, "TAP", fields.tap);
  Add(&entry, "OWNER_UID", fields.owner);
  Add(&entry, "CALLER_UID", fields.caller);
  Add(&entry, "REASON", fields.reason);
  const sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
  const ssize_t sent =
      sendto(socket_.get(), entry.data(), entry.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&journal), sizeof(journal));
  if (sent >= 0) return true;
  if (errno == EAGAIN) return false;
  // It is not there, or the entry is too long: at least the message. Standard error also goes to
  // the journal.
  const std::string line = absl::StrCat("<", PriorityOf(message.level), ">", text, "\n");
  return TryToWriteToStderr(line.data(), line.size());
}

}  // namespace svnet

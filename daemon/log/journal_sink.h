// A log sink for systemd's journal.
#pragma once

#include "daemon/base/unique_fd.h"
#include "daemon/log/non_blocking_sink.h"

namespace svnet {

// Whether standard error is connected to the journal (systemd.exec(5), JOURNAL_STREAM).
bool IsStderrJournal();

// One entry for each line, with the fields of the line (LogFields) as fields of the
// entry: `journalctl VM_ID=vm1`. In the journal's own protocol (systemd's "Native Journal
// Protocol"), because sd_journal_sendv(3) waits for a journal that is busy.
class JournalSink final : public NonBlockingSink {
 public:
  JournalSink();

 private:
  bool TryToWrite(const spdlog::details::log_msg& message) override;

  const UniqueFd socket_;
};

}  // namespace svnet

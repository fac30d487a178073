// A log sink for systemd's journal.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <mutex>

namespace svnet {

// Whether standard error is connected to the journal (systemd.exec(5), JOURNAL_STREAM).
bool IsStderrJournal();

// One entry for each line, with the fields of the line (LogFields) as fields of the
// entry: `journalctl VM_ID=vm1`. Thread-safe, as spdlog's sinks with a mutex are.
class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}
};

}  // namespace svnet

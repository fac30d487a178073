// A log sink that waits for nobody.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <mutex>

namespace svnet {

// Calls are logged in the thread that runs them: should what reads the log hang (a journal on a
// disk that is full, a pipe that nobody empties), all callers would wait with it. So a line that
// is not taken at once is lost; it is counted, and the next that is taken says how many are
// missing. Thread-safe, as spdlog's sinks with a mutex are.
class NonBlockingSink : public spdlog::sinks::base_sink<std::mutex> {
 private:
  // False: to write it would take waiting.
  virtual bool TryToWrite(const spdlog::details::log_msg& message) = 0;

  void sink_it_(const spdlog::details::log_msg& message) final;
  void flush_() final {}

  uint64_t missing_ = 0;  // since the last line that was taken
};

}  // namespace svnet

// A log sink for standard error.
#pragma once

#include "daemon/log/non_blocking_sink.h"

namespace svnet {

class StderrSink final : public NonBlockingSink {
 private:
  bool TryToWrite(const spdlog::details::log_msg& message) override;
};

// Writes to standard error what it takes without waiting, whatever it is. False: not all.
bool TryToWriteToStderr(const char* text, size_t size);

}  // namespace svnet

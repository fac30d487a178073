#include "daemon/log/non_blocking_sink.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/lost_log_lines.h"
#include "daemon/log/log_fields.h"

namespace svnet {

void NonBlockingSink::sink_it_(const spdlog::details::log_msg& message) {
  if (missing_ > 0) {
    const std::string text = absl::StrCat(missing_, " lines are missing: nobody took them");
    const WithoutFields none;
    if (TryToWrite({message.logger_name, spdlog::level::warn, text})) missing_ = 0;
  }
  if (missing_ == 0 && TryToWrite(message)) return;
  ++missing_;
  ++lost_log_lines;
}

}  // namespace svnet

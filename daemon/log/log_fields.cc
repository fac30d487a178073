#include "daemon/log/log_fields.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace svnet {
namespace {

// spdlog has no place for fields, and calls sinks in the thread that logs.
thread_local const LogFields* of_this_line = nullptr;

}  // namespace

LogFields FieldsOf(const Lease& lease) {
  return {.network = lease.spec.network.text(),
          .vm = std::string(lease.spec.key.vm.text()),
          .iface = std::string(lease.spec.key.iface.text()),
          .tap = std::string(lease.spec.tap.text()),
          .owner = lease.spec.key.owner};
}

void WriteLine(spdlog::level::level_enum level, absl::string_view text, const LogFields& fields) {
  of_this_line = &fields;
  spdlog::log(level, "{}", spdlog::string_view_t(text.data(), text.size()));
  of_this_line = nullptr;
}

const LogFields& FieldsOfThisLine() {
  static const auto* const kNone = new LogFields();
  return of_this_line == nullptr ? *kNone : *of_this_line;
}

WithoutFields::WithoutFields() : fields_(std::exchange(of_this_line, nullptr)) {}
WithoutFields::~WithoutFields() { of_this_line = fields_; }

}  // namespace svnet

// What Debian's Abseil lacks: early return on an error.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SVNET_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status svnet_status = (expression); !svnet_status.ok()) return svnet_status; \
  } while (false)

// SVNET_ASSIGN_OR_RETURN(Link link, kernel.GetLink(name));
#define SVNET_ASSIGN_OR_RETURN(left, expression) \
  SVNET_ASSIGN_OR_RETURN_(SVNET_CONCAT_(svnet_status_or_, __LINE__), left, expression)

#define SVNET_CONCAT_(a, b) SVNET_CONCAT_AGAIN_(a, b)
#define SVNET_CONCAT_AGAIN_(a, b) a##b
#define SVNET_ASSIGN_OR_RETURN_(status_or, left, expression) \
  auto status_or = (expression);                             \
  if (!status_or.ok()) return std::move(status_or).status(); \
  left = std::move(status_or).value()

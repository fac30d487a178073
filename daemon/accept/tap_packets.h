// What is said on a connection of tap.sock (OpenTapRequest in the contract).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// The bytes of the request; nullopt: it has not come yet. ABORTED: none will come.
// INVALID_REQUEST: it is longer than one can be.
absl::StatusOr<std::optional<std::string>> ReceiveTapRequest(const UniqueFd& connection);

// Answers with `status` and, if that is OK, with these queues, which it only borrows. An error of
// which the caller hears nothing.
absl::Status SendTapResponse(const UniqueFd& connection, const absl::Status& status,
                             const std::vector<UniqueFd>& queues);

// Whether the other end has taken all that was sent to it.
bool HasTakenAll(const UniqueFd& connection);

}  // namespace svnet

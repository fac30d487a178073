#include "daemon/network/network_closure.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/error.h"

namespace svnet {

void NetworkClosure::Set(bool closed) {
  closed_ = closed;
  if (!closed) has_left_ = false;
}

absl::Status NetworkClosure::CheckOpen() const {
  if (!closed_) return absl::OkStatus();
  return Error(Reason::kNetworkNotFound,
               absl::StrCat("network ", name_.text(),
                            " has gone from svnetd's configuration: it takes no new leases"));
}

void NetworkClosure::AddConditions(size_t leases, std::vector<Condition>* conditions) const {
  if (!closed_) return;
  const absl::string_view name = name_.text();
  conditions->push_back({.type = "NETWORK_GONE",
                         .message = absl::StrCat("it has gone from the configuration: ", leases,
                                                 leases == 1 ? " lease stays" : " leases stay",
                                                 " as granted, and new ones are refused"),
                         .remedy = absl::StrCat("put [networks.", name,
                                                "] back and reload svnetd, or end its leases ",
                                                "(`svnetctl cleanup --network --of ", name,
                                                "`) and restart svnetd to forget it"),
                         .network = name_});
}

}  // namespace svnet

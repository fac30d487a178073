#include "daemon/accept/untaken_descriptors.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {

absl::Status UntakenDescriptors::CheckRoomFor(uid_t uid, size_t more) const {
  const auto found = counts_.find(uid);
  const size_t own = found == counts_.end() ? 0 : found->second;
  if (own + more <= kMostOfOneUid && all_ + more <= kMostOfAll) return absl::OkStatus();
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("uid ", uid, " has ", own,
                            " descriptors on connections to tap.sock that it has not taken: take "
                            "them, or close those connections"));
}

void UntakenDescriptors::Add(uid_t uid, size_t count) {
  if (count == 0) return;
  counts_[uid] += count;
  all_ += count;
}

void UntakenDescriptors::Remove(uid_t uid, size_t count) {
  const auto found = counts_.find(uid);
  if (count == 0 || found == counts_.end()) return;
  found->second -= count;
  all_ -= count;
  if (found->second == 0) counts_.erase(found);
}

}  // namespace svnet

#include "daemon/rpc/stream_limit.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {

absl::Status StreamLimit::Enter(const Caller& caller) {
  MutexLock lock(&mutex_);
  size_t& count = of_uid_[caller.uid];
  if (!caller.administrator && count >= kMaxOfOneUid) {
    return Error(Reason::kQuotaExceeded,
                 absl::StrCat("uid ", caller.uid, " has ", count,
                              " such streams open, and may have no more: close some"));
  }
  if (all_ >= kMax) {
    if (count == 0) of_uid_.erase(caller.uid);
    return Error(Reason::kQuotaExceeded,
                 absl::StrCat("there are ", kMax, " such streams: svnetd takes no more"));
  }
  ++count;
  ++all_;
  return absl::OkStatus();
}

void StreamLimit::Leave(const Caller& caller) {
  MutexLock lock(&mutex_);
  --all_;
  const auto count = of_uid_.find(caller.uid);
  if (--count->second == 0) of_uid_.erase(count);
}

}  // namespace svnet

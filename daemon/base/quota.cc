#include "daemon/base/quota.h"

#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/mutex.h"

namespace svnet {

struct Quota::Counts {
  Mutex mutex;
  std::map<uid_t, size_t> of_uid ABSL_GUARDED_BY(mutex);  // none is zero
  size_t users ABSL_GUARDED_BY(mutex) = 0;                // of all but administrators
  size_t all ABSL_GUARDED_BY(mutex) = 0;

  void Leave(uid_t uid, bool administrator) {
    MutexLock lock(&mutex);
    --all;
    if (!administrator) --users;
    const auto count = of_uid.find(uid);
    if (--count->second == 0) of_uid.erase(count);
  }
};

Quota::Quota(absl::string_view what, const Limits& limits)
    : what_(what), limits_(limits), counts_(std::make_shared<Counts>()) {}

absl::StatusOr<Quota::Place> Quota::Enter(uid_t uid, bool administrator) {
  MutexLock lock(&counts_->mutex);
  const auto found = counts_->of_uid.find(uid);
  const size_t count = found == counts_->of_uid.end() ? 0 : found->second;
  if (!administrator && count >= limits_.of_one_uid) {
    return Error(Reason::kQuotaExceeded, absl::StrCat("uid ", uid, " has ", count, " ", what_,
                                                      " open, and may have no more: close some"));
  }
  const bool full = counts_->all >= limits_.all ||
                    (!administrator && counts_->users >= limits_.all - limits_.reserve);
  if (full) {
    return Error(Reason::kQuotaExceeded, absl::StrCat("there are ", counts_->all, " ", what_,
                                                      " open: svnetd takes no more for now"));
  }
  ++counts_->of_uid[uid];
  ++counts_->all;
  if (!administrator) ++counts_->users;
  // Not a pointer to an object: what its end does.
  return Place(std::shared_ptr<void>(nullptr, [counts = counts_, uid, administrator](void*) {
    counts->Leave(uid, administrator);
  }));
}

size_t Quota::count() const {
  MutexLock lock(&counts_->mutex);
  return counts_->all;
}

}  // namespace svnet

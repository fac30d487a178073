// How many of something callers may have.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// So many for each uid, and so many for all together. Administrators have no limit of their
// own, and a reserve that nobody else can take: however many users there are, there is room for
// those who look after them. It forgets a uid with that uid's last place.
// Thread-safe.
class Quota {
 public:
  struct Limits {
    size_t of_one_uid;
    size_t all;
    size_t reserve;  // of `all`: for administrators alone
  };
  // Of watches, and of streams of other kinds, each kind by itself.
  static constexpr Limits kOfStreams = {.of_one_uid = 16, .all = 1024, .reserve = 64};

  // A place that is taken as long as the object lives. May outlive the quota.
  class Place {
   public:
    Place() = default;  // none
    Place(Place&&) = default;
    Place& operator=(Place&&) = default;

   private:
    friend class Quota;
    explicit Place(std::shared_ptr<void> leave) : leave_(std::move(leave)) {}

    std::shared_ptr<void> leave_;
  };

  // `what`: "watches of TAPs", for the words of a refusal.
  Quota(absl::string_view what, const Limits& limits);

  // QUOTA_EXCEEDED if the uid, or all together, have as many as may be.
  absl::StatusOr<Place> Enter(uid_t uid, bool administrator);

  // How many are taken.
  size_t count() const;

 private:
  struct Counts;

  const std::string what_;
  const Limits limits_;
  const std::shared_ptr<Counts> counts_;
};

}  // namespace svnet

// The texts of all leases: in the store, and what is known of them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/lease/lease_spec.h"
#include "daemon/lease/spec_text.h"
#include "daemon/store/spec_store.h"

namespace svnet {

// One for all networks, which share the store. A text that was read, or was granted since the
// start, is remembered: what happens to its file later takes nothing from its leases. Not
// thread-safe.
class SpecTexts {
 public:
  // `store` must outlive it.
  explicit SpecTexts(SpecStore* store) : store_(store) {}

  // Keeps a text that is about to be granted, before an alias names it, and returns its digest;
  // an empty one for an empty text. INVALID_REQUEST if svnetd does not know what it means,
  // TAP_CREATE_FAILED if it cannot be written. An error leaves nothing.
  absl::StatusOr<std::string> Keep(absl::string_view text);

  struct Changes {
    std::set<std::string> found;              // since the last time: they were lost, or unknown
    std::set<std::string> met;                // for the first time, whether found or lost
    std::map<std::string, std::string> lost;  // and why: they were not known yet
    std::vector<std::string> restored;        // what was repaired, for people
    std::vector<std::string> failed;          // and what could not be
  };
  // Reads the texts that are not known, or lost, and restores the files of the others.
  Changes Look(const std::set<std::string>& digests);
  // Why the guest of a lease is cut off: its text is not there, or not what was granted, or not
  // understood. nullopt: it is not.
  std::optional<std::string> WhyLost(const LeaseSpec& spec) const;
  // SPEC_LOST if it is.
  absl::Status CheckNotLost(const LeaseSpec& spec) const;

  // No lease has come of what named that text, so that its file is another's to keep or delete.
  void Forget(const std::string& digest) { known_.erase(digest); }
  // What it says of the guest's view; nullopt: nothing, or it is lost.
  std::optional<GuestView> ViewOf(const std::string& digest) const;

  // How many texts are known, the lost ones too.
  size_t size() const { return known_.size(); }
  // Deletes the texts that are known and are not among `digests`.
  absl::Status DeleteAllBut(const std::set<std::string>& digests);

  // At start: what that alias of a link names, whether or not the link is a lease, is needed.
  void NoteAlias(absl::string_view alias);
  // At start: deletes all texts that no such alias names.
  absl::Status DeleteUnnamed();

 private:
  struct Known {
    std::string text;    // empty: it is lost
    std::string why;     // it is lost
    LeaseGrants grants;  // what it says
  };

  absl::StatusOr<Known> Read(const std::string& digest) const;
  void Restore(const std::string& digest, const std::string& text, Changes* changes);

  SpecStore* const store_;
  std::map<std::string, Known> known_;  // by digest
  std::set<std::string> named_;         // digests; see NoteAlias
  std::set<std::string> kept_again_;    // digests: they were lost, and then granted anew
};

}  // namespace svnet

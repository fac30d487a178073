#include "daemon/network/spec_texts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/spec_text.h"

namespace svnet {

absl::StatusOr<std::string> SpecTexts::Keep(absl::string_view text) {
  if (text.empty()) return std::string();
  const absl::StatusOr<LeaseGrants> grants = ParseSpecText(text);
  if (!grants.ok()) {
    return Error(Reason::kInvalidRequest, absl::StrCat("the spec: ", grants.status().message()));
  }
  absl::StatusOr<std::string> digest = store_->Write(text);
  if (!digest.ok()) {
    return WithReason(Reason::kTapCreateFailed, "cannot keep the spec", digest.status());
  }
  const auto [known, is_new] = known_.try_emplace(*digest);
  if (!is_new && known->second.text.empty()) kept_again_.insert(*digest);
  known->second = {.text = std::string(text), .why = {}, .grants = *grants};
  return digest;
}

absl::StatusOr<SpecTexts::Known> SpecTexts::Read(const std::string& digest) const {
  SVNET_ASSIGN_OR_RETURN(std::string text, store_->Read(digest));
  SVNET_ASSIGN_OR_RETURN(LeaseGrants grants, ParseSpecText(text));
  return Known{.text = std::move(text), .why = {}, .grants = std::move(grants)};
}

SpecTexts::Changes SpecTexts::Look(const std::set<std::string>& digests) {
  Changes changes;
  changes.found = std::exchange(kept_again_, {});
  for (const std::string& digest : digests) {
    const auto [at, is_new] = known_.try_emplace(digest);
    if (is_new) changes.met.insert(digest);
    Known& known = at->second;
    if (!known.text.empty()) {
      Restore(digest, known.text, &changes);
      continue;
    }
    absl::StatusOr<Known> read = Read(digest);
    if (read.ok()) {
      known = *std::move(read);
      changes.found.insert(digest);
    } else {
      known.why = std::string(read.status().message());
      if (is_new) changes.lost.emplace(digest, known.why);
    }
  }
  return changes;
}

void SpecTexts::Restore(const std::string& digest, const std::string& text, Changes* changes) {
  const absl::Status read = store_->Read(digest).status();
  if (read.ok()) return;
  const absl::Status written = store_->Write(text).status();
  if (written.ok()) {
    changes->restored.push_back(absl::StrCat(read.message(), ": svnetd has written it again"));
  } else {
    changes->failed.push_back(absl::StrCat(read.message(), ", and svnetd cannot write it again (",
                                           written.message(),
                                           "): the next start of svnetd will cut its guests off"));
  }
}

std::optional<std::string> SpecTexts::WhyLost(const LeaseSpec& spec) const {
  if (spec.text_digest.empty()) return std::nullopt;
  const auto known = known_.find(spec.text_digest);
  if (known == known_.end()) return "its spec was not read yet";
  if (known->second.text.empty()) return known->second.why;
  return std::nullopt;
}

absl::Status SpecTexts::CheckNotLost(const LeaseSpec& spec) const {
  const std::optional<std::string> why = WhyLost(spec);
  if (!why.has_value()) return absl::OkStatus();
  return Error(Reason::kSpecLost, absl::StrCat("the guest on ", spec.tap.text(),
                                               " is cut off, because what it was "
                                               "granted cannot be read (",
                                               *why, "): remove the TAP, and create it anew"));
}

std::optional<GuestView> SpecTexts::ViewOf(const std::string& digest) const {
  const auto known = known_.find(digest);
  return known == known_.end() ? std::nullopt : known->second.grants.view;
}

absl::Status SpecTexts::DeleteAllBut(const std::set<std::string>& digests) {
  absl::Status deleted = absl::OkStatus();
  for (auto each = known_.begin(); each != known_.end();) {
    if (digests.contains(each->first)) {
      ++each;
      continue;
    }
    // One that stays is deleted at the next start.
    deleted.Update(store_->Delete(each->first));
    each = known_.erase(each);
  }
  return deleted;
}

void SpecTexts::NoteAlias(absl::string_view alias) {
  const absl::string_view digest = TextDigestIn(alias);
  if (!digest.empty()) named_.emplace(digest);
}

absl::Status SpecTexts::DeleteUnnamed() { return store_->DeleteAllBut(std::exchange(named_, {})); }

}  // namespace svnet

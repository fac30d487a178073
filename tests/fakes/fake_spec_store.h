// A SpecStore in memory.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/spec_digest.h"
#include "daemon/base/status_macros.h"
#include "daemon/store/spec_store.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

class FakeSpecStore final : public SpecStore {
 public:
  // `faults` must outlive it.
  explicit FakeSpecStore(Faults* faults) : faults_(faults) {}

  absl::StatusOr<std::string> Write(absl::string_view text) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("WriteSpec"));
    const std::string digest = SpecDigest(text);
    texts_.insert_or_assign(digest, std::string(text));
    return digest;
  }
  absl::StatusOr<std::string> Read(absl::string_view digest) const override {
    SVNET_RETURN_IF_ERROR(faults_->Check("ReadSpec"));
    const auto text = texts_.find(std::string(digest));
    if (text == texts_.end()) return absl::NotFoundError(absl::StrCat(digest, " is gone"));
    if (SpecDigest(text->second) == digest) return text->second;
    return absl::DataLossError(absl::StrCat(digest, " was altered"));
  }
  absl::Status Delete(const std::string& digest) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("DeleteSpec"));
    texts_.erase(digest);
    return absl::OkStatus();
  }
  absl::Status DeleteAllBut(const std::set<std::string>& digests) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("DeleteSpecs"));
    std::erase_if(texts_, [&](const auto& each) { return !digests.contains(each.first); });
    return absl::OkStatus();
  }

  // What another program may do to it, or find in it.
  std::map<std::string, std::string>& texts() { return texts_; }

 private:
  Faults* const faults_;
  std::map<std::string, std::string> texts_;  // by digest
};

}  // namespace svnet::testing

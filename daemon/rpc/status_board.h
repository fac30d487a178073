// What svnetd says of itself, besides its networks: what is wrong, and which settings are in force.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "daemon/base/condition.h"
#include "daemon/base/mutex.h"
#include "daemon/base/setting.h"

namespace svnet {

// Holds one condition of each type. Thread-safe.
class StatusBoard {
 public:
  void Set(Condition condition) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const std::string type = condition.type;
    conditions_.insert_or_assign(type, std::move(condition));
  }

  void Clear(const std::string& type) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    conditions_.erase(type);
  }

  void AppendTo(std::vector<Condition>* conditions) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    for (const auto& [type, condition] : conditions_) conditions->push_back(condition);
  }

  // Those of before are forgotten.
  void SetSettings(std::vector<Setting> settings) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    settings_ = std::move(settings);
  }

  std::vector<Setting> settings() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return settings_;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, Condition> conditions_ ABSL_GUARDED_BY(mutex_);
  std::vector<Setting> settings_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet

// What earlier svnetds served, as they wrote it down.
#pragma once

#include <optional>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/store/folder_spec_store.h"

namespace svnet {

// The one before, with the same `state_dir`; nullopt: none has, or what it wrote cannot be read,
// which the log says.
std::optional<Config> ReadServed(const FolderSpecStore& store);
// Those with the same socket that had another `state_dir`, because it is named after `bridge`, and
// that do not run.
std::vector<Config> FindServedElsewhere(const Config& config);
// An error is only said in the log: guests go on.
void WriteServed(const Config& config, FolderSpecStore* store);

}  // namespace svnet

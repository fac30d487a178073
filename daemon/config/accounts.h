// The host's users and groups.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace svnet {

// By name; nullopt: there is none.
struct Accounts {
  std::function<std::optional<uid_t>(const std::string&)> find_user;
  std::function<std::optional<gid_t>(const std::string&)> find_group;
};

}  // namespace svnet

// Findings of `svnetctl doctor`.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace svnet::client {

// From good to bad.
enum class Level {
  kOk,
  // The check could not be made: the message says what it needs.
  kNotChecked,
  // Guests have network now, but may lose it.
  kWarning,
  // Guests or callers lack something that svnet promises.
  kProblem,
};

struct Finding {
  Level level = Level::kOk;
  // What was found. No full stop, no line ends.
  std::string message;
  // A command, for root unless it names svnetctl or newgrp; empty if there is none.
  std::string fix;
};

using Findings = std::vector<Finding>;

inline Findings Ok(std::string message) { return {{Level::kOk, std::move(message), ""}}; }
inline Findings NotChecked(std::string message) {
  return {{Level::kNotChecked, std::move(message), ""}};
}
inline Findings Warning(std::string message, std::string fix) {
  return {{Level::kWarning, std::move(message), std::move(fix)}};
}
inline Findings Problem(std::string message, std::string fix) {
  return {{Level::kProblem, std::move(message), std::move(fix)}};
}

// For messages: "a, b, c and 4 more".
std::string NameSome(const std::vector<std::string>& names);

}  // namespace svnet::client

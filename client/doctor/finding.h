// What a check of `svnetctl doctor` found.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace svnet::client {

// From good to bad.
enum class Level {
  kOk,
  // It could not be: the message says what it needs.
  kNotChecked,
  // Guests have their network, but not for certain, or not for long.
  kWarning,
  // Somebody does not have what svnet promises.
  kProblem,
};

struct Finding {
  Level level = Level::kOk;
  // What was seen. No full stop, no line ends.
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

}  // namespace svnet::client

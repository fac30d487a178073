// The subcommands that make, show or change a lease.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "client/commands.h"

namespace svnet::client {

void AddCreate(CLI::App& app, std::optional<Command>& chosen);
void AddShow(CLI::App& app, std::optional<Command>& chosen);
void AddUpdate(CLI::App& app, std::optional<Command>& chosen);
// What follows its "--" is not seen by CLI11: see command_line.cc.
void AddRun(CLI::App& app, std::optional<Command>& chosen);

}  // namespace svnet::client

// svnetctl's subcommands, as CLI11 knows them.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "client/commands.h"

namespace svnet::client {

// Adds all of them to `app`. The one that is parsed puts itself into
// `chosen`, which must outlive `app`.
void AddSubcommands(CLI::App& app, std::optional<Command>& chosen);

}  // namespace svnet::client

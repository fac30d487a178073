// What svnetctl says of a command line that it does not understand.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/failure.h"

namespace svnet::client {

inline constexpr char kRunSynopsis[] = "svnetctl run VM [--iface IFACE] -- PROGRAM ARGUMENT ...";

// `message`, and which help to read: that of the command, if it came to that.
Report UsageError(const CLI::App& app, const std::string& message, Format format);

// What ended the parsing. --help and --version do, too: then the report is their text.
Report EndParsing(const CLI::App& app, const CLI::ParseError& error, Format format);

}  // namespace svnet::client

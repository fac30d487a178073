// What is wrong with a command line, in a sentence.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace svnet {

// `error` is what app.parse has thrown. Ends with a newline.
std::string DescribeUsageError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace svnet

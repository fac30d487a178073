// Building blocks of svnetctl's subcommands.
//
// A request is filled in by the options themselves while CLI11 parses; the subcommand's callback
// then chooses it. The daemon checks ids and addresses; these options only refuse what a request
// cannot contain.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/account.h"
#include "client/commands.h"
#include "client/selection.h"

namespace svnet::client {

// `examples`: each on a line of its own, indented by two spaces from the second on.
CLI::App* AddSubcommand(CLI::App& app, const std::string& name, const std::string& description,
                        const std::string& examples);

// An option or, if `name` has no dashes, a positional argument, that holds UTF-8. Empty text is
// refused: it is the value of a variable that a script has not set.
CLI::Option* AddText(CLI::App* subcommand, const std::string& name, const std::string& placeholder,
                     const std::string& description,
                     const std::function<void(const std::string&)>& set);

// A check for CLI11: what is wrong with `text`, or "".
std::string RefuseBadText(const std::string& text);

// A check for CLI11: a whole number in that range.
CLI::Validator NumberFrom(uint64_t least, uint64_t most);

// A validator that replaces a name by its number.
template <typename Parse>
CLI::Validator ToNumber(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) {
        const auto number = parse(text);
        if (!number.ok()) return std::string(number.status().message());
        text = absl::StrCat(*number);
        return std::string();
      },
      "");
}

// A validator that refuses what `parse` refuses.
template <typename Parse>
CLI::Validator ParsedBy(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) {
        const auto parsed = parse(text);
        return parsed.ok() ? std::string() : std::string(parsed.status().message());
      },
      "");
}

template <typename C>
void ChooseWhenParsed(CLI::App* subcommand, std::optional<Command>& chosen,
                      const std::shared_ptr<C>& command) {
  subcommand->callback([&chosen, command] { chosen = Command(*command); });
}

// VM
CLI::Option* AddVm(CLI::App* subcommand, const std::function<void(const std::string&)>& set);

// VM ... . An argument after the first that is usually an interface's name is refused: an earlier
// svnetctl took the interface there.
CLI::Option* AddVms(CLI::App* subcommand,
                    const std::function<void(const std::vector<std::string>&)>& set);

CLI::Option* AddIface(CLI::App* subcommand, const std::function<void(const std::string&)>& set);

CLI::Option* AddNetwork(CLI::App* subcommand, const std::function<void(const std::string&)>& set,
                        const std::string& description);

CLI::Option* AddOwner(CLI::App* subcommand, const std::function<void(uint32_t)>& set,
                      const std::string& description);

// VM or --tap NAME, --iface and --owner.
void AddLease(CLI::App* subcommand, const std::shared_ptr<LeaseName>& name);

// The same with VM ... .
void AddLeases(CLI::App* subcommand, const std::shared_ptr<LeaseNames>& names);

}  // namespace svnet::client

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

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/account.h"
#include "client/commands.h"

namespace svnet::client {

inline constexpr char kDefaultIface[] = "eth0";

// `examples`: each on a line of its own, indented by two spaces from the second on.
CLI::App* AddSubcommand(CLI::App& app, const std::string& name, const std::string& description,
                        const std::string& examples);

// An option or, if `name` has no dashes, a positional argument, that holds UTF-8.
CLI::Option* AddText(CLI::App* subcommand, const std::string& name, const std::string& placeholder,
                     const std::string& description,
                     const std::function<void(const std::string&)>& set);

// A check for CLI11: what is wrong with `text`, or "".
std::string RefuseOtherThanUtf8(const std::string& text);

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

template <typename R>
CLI::Option* AddVm(CLI::App* subcommand, const std::shared_ptr<R>& request) {
  return AddText(subcommand, "VM", "", "The VM's id",
                 [request](const std::string& vm) { request->set_vm_id(vm); });
}

template <typename R>
CLI::Option* AddIface(CLI::App* subcommand, const std::shared_ptr<R>& request) {
  return AddText(subcommand, "IFACE", "", "The id of the VM's network interface (default: eth0)",
                 [request](const std::string& iface) { request->set_iface_id(iface); });
}

template <typename R>
void AddOwner(CLI::App* subcommand, const std::shared_ptr<R>& request,
              const std::string& description) {
  subcommand
      ->add_option_function<uint32_t>(
          "--owner", [request](uint32_t uid) { request->set_owner_uid(uid); }, description)
      ->type_name("UID|NAME")
      ->transform(ToNumber(ParseUser));
}

// VM [IFACE], or --tap NAME; and --owner.
template <typename R>
void AddLease(CLI::App* subcommand, const std::shared_ptr<R>& request) {
  CLI::Option* vm = AddVm(subcommand, request);
  CLI::Option* iface = AddIface(subcommand, request);
  CLI::Option* tap = AddText(subcommand, "--tap", "NAME", "The TAP's name, instead of VM and IFACE",
                             [request](const std::string& name) { request->set_tap_name(name); });
  tap->excludes(vm)->excludes(iface);
  AddOwner(subcommand, request, "Whose VM it is, if not yours (administrators)");
  subcommand->parse_complete_callback([request, vm, iface, tap] {
    if (vm->empty() && tap->empty()) throw CLI::RequiredError("VM or --tap NAME");
    if (!vm->empty() && iface->empty()) request->set_iface_id(kDefaultIface);
  });
}

}  // namespace svnet::client

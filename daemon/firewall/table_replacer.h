// The tables that a bridge's rules are in, which are replaced whole.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/firewall/rule_tables.h"
#include "daemon/ruleset/ruleset.h"

namespace svnet {

// Three tables of one name.
//
// Where the kernel can (from 6.9 on), they are svnetd's own: `nft flush ruleset` of another program
// passes over them, and when svnetd has ended they stay, until the next one owns them. Such a table
// cannot be replaced under its name in one step, so there are two names, and each Replace uses the
// other one. On an older kernel all tables are plain: they can be flushed. They keep their name,
// and those of another name are in force while they are replaced.
//
// libnftables does not know tables that have an owner. So they are made by messages on its own
// socket, and its commands only fill them. Not thread-safe.
class TableReplacer {
 public:
  // `names`: those that the tables may have (TableNames). `persistent`: they are svnetd's own,
  // which the kernel must have. `commands` and `socket`, which is the commands', too, must outlive
  // it.
  TableReplacer(std::vector<std::string> names, bool persistent, NftCommands* commands,
                NftSocket* socket)
      : names_(std::move(names)),
        commands_(*commands),
        socket_(*socket),
        persistent_(persistent),
        owned_(persistent),
        in_force_(names_[0]) {}

  // Owns the tables of an earlier svnetd, and finds out which are in force.
  absl::Status TakeOver();

  // The name of the tables in force.
  const std::string& in_force() const { return in_force_; }
  // Whether no other program can have changed what Replace has made.
  bool owned() const { return owned_; }
  // Those there are, of any of the names.
  absl::StatusOr<TableList> List() { return socket_.ListTables(names_); }

  // Makes tables with these rules, in place of all others. An error: the old ones are in force, or
  // the new ones are beside them.
  absl::Status Replace(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks);
  // The same by plain tables, in place of `tables`: all there are.
  absl::Status ReplaceByPlain(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                              const TableList& tables);

 private:
  absl::Status ReplaceByPersistent(const RulesetSpec& spec,
                                   const std::vector<NetworkGuests>& networks,
                                   const TableList& tables);
  // In place of all others.
  absl::Status MakePlain(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                         const std::string& name, const TableList& tables);
  // Runs `commands`, which make the rules of tables of that name, and adds those that have no text.
  absl::Status Make(const std::string& commands, const RulesetSpec& spec,
                    const std::vector<NetworkGuests>& networks, const std::string& name);
  // Takes away old tables, beside which new ones are in force.
  absl::Status Retire(const TableList& old);

  const std::vector<std::string> names_;
  NftCommands& commands_;
  NftSocket& socket_;
  const bool persistent_;
  bool owned_;
  std::string in_force_;
};

}  // namespace svnet

// nftables' tables and chains, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

struct NftTableInfo {
  // NFT_TABLE_F_OWNER and NFT_TABLE_F_PERSIST, which older headers do not have.
  static constexpr uint32_t kOwner = 1 << 1;
  static constexpr uint32_t kPersist = 1 << 2;

  uint8_t family = 0;  // NFPROTO_...
  std::string name;
  uint32_t flags = 0;   // NFT_TABLE_F_...
  uint32_t use = 0;     // how many chains, sets and objects it has
  uint64_t handle = 0;  // the later a table was made, the higher
  uint32_t owner = 0;   // the port of the socket that owns it; 0: none

  // "inet svnet-svbr0/a"; as nft(8) names it.
  std::string Words() const;
  bool IsOwned() const { return (flags & kOwner) != 0; }
  // Whether it outlives its owner, and has none now: anybody may flush it, or own it.
  bool IsOrphan() const { return (flags & (kOwner | kPersist)) == kPersist; }
  // nft up to 1.0.7 writes a table with exactly one flag as broken JSON, and corrupts its
  // memory (table_flags_json).
  bool BreaksJson() const { return flags != 0 && (flags & (flags - 1)) == 0; }
};

// All tables of the network namespace, of all families. `socket`: of NETLINK_NETFILTER.
absl::StatusOr<std::vector<NftTableInfo>> ListNftTables(NetlinkSocket& socket);

// The names of a table's chains, and of those among them that have a hook.
absl::StatusOr<std::vector<std::string>> ListNftChains(NetlinkSocket& socket,
                                                       const NftTableInfo& table);
absl::StatusOr<std::vector<std::string>> ListNftBaseChains(NetlinkSocket& socket,
                                                           const NftTableInfo& table);

// The commands of nft(8) that together print all chains and rules of tables of these families
// (none: of all) in JSON. One, unless there is a table that breaks JSON: then its chains are
// listed one by one. A table or chain that is called what svnetd's own never are is left out
// then.
absl::StatusOr<std::vector<std::string>> CommandsToListRules(
    const std::vector<std::string>& families);

}  // namespace svnet

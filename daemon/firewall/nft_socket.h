// What libnftables does too slowly or not at all, straight to the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/firewall/nft_messages.h"
#include "daemon/netlink/netlink_socket.h"
#include "daemon/netlink/nft_tables.h"
#include "daemon/ruleset/nft_element.h"
#include "daemon/ruleset/quoted_address_rule.h"

namespace svnet {

// libnftables reads all tables, and all links of the host to make sense of an ifindex,
// before it adds one element: 10 ms with 1,000 guests. Not thread-safe. Errors carry the
// kernel's own words.
class NftSocket {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<NftSocket> Open();
  // By NftCommands::ShareSocket.
  static absl::StatusOr<NftSocket> Share(UniqueFd socket);

  // What the kernel names as the sender of this socket's transactions.
  uint32_t port() const { return socket_.port(); }
  // How many transactions of this object have changed something: by so many have they raised the
  // generation.
  uint32_t transactions() const { return transactions_; }

  // The kernel's count of transactions, of whatever process, on all nftables rules of
  // the namespace (net/netfilter/nf_tables_api.c, nft_base_seq).
  absl::StatusOr<uint32_t> ReadGeneration();

  // False also if there is no such table or chain.
  absl::StatusOr<bool> HasRules(NftElement::Family family, const std::string& table,
                                const std::string& chain);

  // One transaction on the tables of that name. An element that is there already is added again,
  // and one that is not there is deleted all the same, both at the price of a transaction that
  // fails: 14 ms, in which the kernel waits for all processors. Of the `shared` elements it is
  // expected that they are there. NotFound if there is no such table or set.
  absl::Status Add(const std::string& table, const std::vector<NftElement>& elements,
                   const std::vector<NftElement>& shared = {});
  absl::Status Delete(const std::string& table, const std::vector<NftElement>& elements);

  // One transaction: each is the last of its chain.
  absl::Status AddRules(const std::string& table, const std::vector<QuotedAddressRule>& rules);

  // The tables of these names, of the families inet, bridge and arp.
  absl::StatusOr<std::vector<NftTableInfo>> ListTables(const std::vector<std::string>& names);

  // Whether the kernel has tables as MakePersistentTables makes them. `name`: of no table.
  absl::StatusOr<bool> CanPersist(const std::string& name);
  // Makes empty tables of that name, of the families inet, bridge and arp, that this socket
  // owns (NFT_TABLE_F_OWNER), and that stay when it is closed (NFT_TABLE_F_PERSIST, from Linux
  // 6.9): then the next may own them. While they are owned, others can only read them. Replaces
  // `tables`. Unimplemented or InvalidArgument if the kernel is older.
  absl::Status MakePersistentTables(const std::string& name, const std::string& comment,
                                    const std::vector<NftTableInfo>& tables);
  // Owns tables that have lost their owner.
  absl::Status Adopt(const std::vector<NftTableInfo>& orphans);
  // Has their base chains accept all packets, before they look at the rules that are there.
  absl::Status AcceptAll(const std::vector<NftTableInfo>& tables);
  // All, with all that is in them.
  absl::Status DeleteTables(const std::vector<NftTableInfo>& tables);

  // Makes an empty table of the family `inet` that this socket owns (NFT_TABLE_F_OWNER, from
  // Linux 5.12): no other can change or delete it, a flush of the whole ruleset passes it
  // over, and it goes with the socket. Replaces a table of that name that has no owner.
  // PermissionDenied if another socket owns it. InvalidArgument or Unimplemented if the
  // kernel is older.
  absl::Status AddOwnedTable(const std::string& table);

 private:
  explicit NftSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}

  // A batch with a message of each step for each of the elements, and one that adds each shared
  // one.
  absl::Status ChangeElements(const std::string& table, const std::vector<ElementStep>& steps,
                              const std::vector<NftElement>& elements,
                              const std::vector<NftElement>& shared = {});
  absl::Status ChangeAll(std::vector<NetlinkMessage> requests);

  NetlinkSocket socket_;
  uint32_t transactions_ = 0;
};

}  // namespace svnet

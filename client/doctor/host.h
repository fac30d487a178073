// Everything that `svnetctl doctor` reads from the host. It never changes the host.
#pragma once

#include <linux/rtnetlink.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/ipv4.h"
#include "daemon/foreign/filter_chain.h"

namespace svnet::client {

struct HostLink {
  int ifindex = 0;
  std::string name;
  std::string kind;  // "bridge", "tun", "veth"; empty: none that has a name
  std::string alias;
  uint32_t mtu = 0;  // bytes
  int master = 0;    // the bridge's ifindex; 0: a port of none
  uint32_t group = 0;
  bool up = false;
  bool carrier = false;
};

struct HostAddress {
  int ifindex;
  Ipv4Address address;
  int prefix_length;
};

struct HostRoute {
  Ipv4Prefix destination;
  int ifindex;
  uint32_t table = RT_TABLE_MAIN;
  uint32_t metric = 0;  // less is preferred
  std::optional<Ipv4Address> gateway;
};

struct FileFacts {
  mode_t mode;  // type and permissions
  uid_t uid;
  gid_t gid;
};

struct CallerFacts {
  std::string user;
  uid_t uid;
  // The process's groups, including its primary group.
  std::vector<gid_t> groups;
};

// Errors have the errno's code: NotFound, PermissionDenied.
class Host {
 public:
  virtual ~Host() = default;

  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) const = 0;
  // Sorted names; none if there is no such folder.
  virtual std::vector<std::string> ListFolder(const std::string& path) const = 0;
  virtual absl::StatusOr<FileFacts> Stat(const std::string& path) const = 0;
  virtual absl::StatusOr<std::string> ReadLink(const std::string& path) const = 0;
  // Opens it for reading and writing, and closes it again.
  virtual absl::Status TryOpen(const std::string& path) const = 0;

  // The process that listens at this Unix socket, in the caller's pid namespace; 0: not visible in
  // it.
  virtual absl::StatusOr<pid_t> ListenerOf(const std::string& socket) const = 0;

  virtual CallerFacts Caller() const = 0;
  // Whether the account database has the user in that group.
  virtual bool IsMember(const std::string& user, gid_t group) const = 0;
  virtual std::string GroupName(gid_t group) const = 0;

  // In the caller's network namespace. IPv4 only.
  virtual absl::StatusOr<std::vector<HostLink>> Links() const = 0;
  virtual absl::StatusOr<std::vector<HostAddress>> Addresses() const = 0;
  virtual absl::StatusOr<std::vector<HostRoute>> Routes() const = 0;

  // nftables' chains; PermissionDenied unless the caller is root.
  virtual absl::StatusOr<std::vector<FilterChain>> NftChains() const = 0;
  // How many packets a counter has seen. PermissionDenied unless the caller is root.
  virtual absl::StatusOr<int64_t> NftCounter(const std::string& family, const std::string& table,
                                             const std::string& name) const = 0;
  // The filter table of iptables-legacy, as chains of table "filter", family "iptables-legacy";
  // none if the kernel has no such table.
  virtual absl::StatusOr<std::vector<FilterChain>> LegacyChains() const = 0;
};

}  // namespace svnet::client

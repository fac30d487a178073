// What svnetd needs of the Linux kernel's network stack, and nothing else.
//
// Everything happens in the network namespace in which the implementation was
// made. Errors carry the kernel's own words; where the contract has a reason for
// one (NOT_A_BRIDGE, BRIDGE_FULL), they carry that reason.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

enum class LinkKind { kOther, kBridge, kTap };

// A link as a dump shows it.
struct Link {
  Ifindex ifindex = 0;
  std::string name;  // not a LinkName: a foreign link may be called anything
  LinkKind kind = LinkKind::kOther;
  std::string alias;   // empty: none
  Ifindex master = 0;  // 0: none
  MacAddress mac = MacAddress({});
  uint32_t mtu = 0;    // bytes
  uint32_t group = 0;  // IFLA_GROUP
  bool up = false;     // IFF_UP: somebody wants it up
  bool carrier = false;
  // How often the carrier came up since the link was made: of a TAP, how often somebody
  // opened it after the first, who made it.
  uint32_t carrier_ups = 0;

  // A bridge only: it runs the spanning tree protocol.
  bool stp = false;

  // TAPs only.
  std::optional<uid_t> owner;      // TUNSETOWNER
  std::optional<gid_t> group_gid;  // TUNSETGROUP
  bool persistent = false;
  bool multi_queue = false;
  // How many queues processes hold open, those that they have detached included. Only for a
  // multi-queue TAP; of another the kernel does not say.
  std::optional<uint32_t> open_queues;
  // Its type is Ethernet's (ARPHRD_ETHER), as every new TAP's is.
  bool ethernet = true;
  // On a bridge, and it neither learns MACs from the TAP nor floods it with what it
  // knows no port for: only what was told to it is behind this port.
  bool pinned = false;
  // Its reverse path filter is strict, and it answers ARP for addresses that are behind other
  // links: as the TAP of a routed network is to be.
  bool routed = false;

  friend bool operator==(const Link&, const Link&) = default;
};

// An IPv4 address on a link.
struct LinkAddress {
  Ifindex ifindex = 0;
  Ipv4Address address = Ipv4Address(0);
  Ipv4Prefix prefix = Ipv4Prefix::Containing(Ipv4Address(0), 0);  // what it makes on-link
  // Whether packets may leave with it that are not answers: it is the first of its prefix, and
  // not for its link, or the host, alone.
  bool is_source = true;

  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

// An IPv4 route by which packets leave through a link, or reach the host itself.
// Routes that lead nowhere (blackhole, unreachable, prohibit) and those of guests are not listed.
struct Route {
  Ipv4Prefix destination = Ipv4Prefix::Containing(Ipv4Address(0), 0);
  Ifindex ifindex = 0;  // the first next hop's link
  uint32_t table = 0;   // RT_TABLE_MAIN = 254
  uint32_t metric = 0;  // less is preferred

  friend bool operator==(const Route&, const Route&) = default;
};

// A packet whose way through the host is asked for.
struct RouteQuestion {
  Ipv4Address source = Ipv4Address(0);  // 0.0.0.0, for the host's own packets: the kernel chooses
  Ipv4Address destination = Ipv4Address(0);
  Ifindex in = 0;  // the link that it comes in by; 0: the host sends it itself
};

// What the kernel would do with it now: all that it goes by is in this (rules, tables, next hops,
// reverse path filters, forwarding), but for what packet filters do.
struct RouteAnswer {
  bool dropped = false;
  std::string why;        // the kernel's words, if it is dropped
  bool is_local = false;  // the host itself takes it
  Ifindex out = 0;        // the link that it leaves by
  uint32_t table = 0;     // whose route it takes; RT_TABLE_MAIN = 254
  uint32_t mtu = 0;       // the route's own, bytes; 0: it has none
  std::optional<Ipv4Address> gateway;
  // With which address of the host's such packets are to leave, if the route itself says so.
  std::optional<Ipv4Address> preferred_source;

  friend bool operator==(const RouteAnswer&, const RouteAnswer&) = default;
};

struct BridgeSpec {
  LinkName name;
  MacAddress mac;  // of a bridge that svnetd makes
  uint32_t mtu;    // bytes; of a bridge that svnetd makes
  Ipv4Address gateway;
  Ipv4Prefix prefix;
};

// The alias of a bridge that svnetd has made, unless somebody gives it another.
inline constexpr absl::string_view kBridgeAlias = "svnet-bridge";

// Whether svnetd has made that bridge: by the MAC, which it has from its first instant, or by the
// alias, should somebody have changed the MAC.
inline bool IsOurs(const Link& bridge, const MacAddress& mac) {
  return bridge.mac == mac || bridge.alias == kBridgeAlias;
}

struct Bridge {
  Ifindex ifindex = 0;
  MacAddress mac = MacAddress({});
  uint32_t mtu = 0;   // bytes
  bool ours = false;  // svnetd made it, now or earlier
  // What this call did. A bridge that was made or brought up has no neighbours yet.
  bool made = false;
  bool brought_up = false;
  bool given_address = false;
  bool given_mtu = false;
  bool given_mac = false;
  bool took_stp = false;
  bool took_ipv6 = false;
  std::vector<Ipv4Address> addresses;  // all that it has, the gateway among them

  // Should something else fail now, ReleaseBridge is the way back.
  bool changed() const { return made || (given_address && !ours); }

  friend bool operator==(const Bridge&, const Bridge&) = default;
};

struct TapSpec {
  LinkName name;
  uid_t owner;
  std::optional<gid_t> group_gid;
  bool multi_queue = false;
};

struct PortSpec {
  Ifindex bridge;
  std::string alias;  // at most 255 bytes
  uint32_t group;     // IFLA_GROUP
  uint32_t mtu;       // bytes
  MacAddress mac;     // the TAP's own, on the host's side
  MacAddress guest;   // the one MAC behind it
  bool isolated;      // from all other isolated ports of the bridge
};

// Whose MAC an address has on a link, for good: nothing that is received changes it.
struct Neighbour {
  Ipv4Address address;
  MacAddress mac;

  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

// A route to one guest, by its TAP.
struct GuestRoute {
  Ifindex tap = 0;
  Ipv4Address guest = Ipv4Address(0);

  friend bool operator==(const GuestRoute&, const GuestRoute&) = default;
};

// A TAP that is no port of a bridge.
struct RoutedTapSpec {
  std::string alias;    // at most 255 bytes
  uint32_t group;       // IFLA_GROUP
  uint32_t mtu;         // bytes
  MacAddress mac;       // the TAP's own, on the host's side: what the guest takes for the gateway's
  Ipv4Address address;  // which the host routes to it
  Neighbour guest;      // the only one behind it, with the address that it has itself
  Ipv4Address gateway;  // with which the host sends to the guest
};

// A TAP that svnetd holds open. Until Persist it goes when this object goes, or
// the process dies.
class OpenTap {
 public:
  virtual ~OpenTap() = default;

  virtual Ifindex ifindex() const = 0;
  // Whether another process has opened a queue of it: until it has an owner, any process may
  // open a multi-queue TAP, and keeps what it has opened. Such a TAP may have another name
  // than it was to have, and must be retired: it goes only when that process lets go.
  virtual bool IsSharedWithOthers() const = 0;
  // Before Join or Route. An error: it has IPv6, but no address of it, and costs the kernel more.
  virtual absl::Status SwitchIpv6Off() = 0;
  // Marks the TAP, makes it a port of the bridge, and brings it up. The bridge is told
  // which MAC is behind it, and to learn no other: true if that is so, false if this
  // kernel cannot. BRIDGE_FULL if the bridge takes no more ports.
  virtual absl::StatusOr<bool> Join(const PortSpec& port) = 0;
  // Marks the TAP, has the host route to its guest by it, and answer the guest for all others,
  // and brings it up. While it is down it has no route.
  virtual absl::Status Route(const RoutedTapSpec& spec) = 0;
  // From here on the TAP stays until it is deleted. The last step of all.
  virtual absl::Status Persist() = 0;
};

// What the kernel has said of changes, by whomever. By the time that it is read it may be
// old: whoever acts on it looks again.
struct KernelChanges {
  // Some were lost: anything may have changed.
  bool lost = false;
  std::map<Ifindex, Link> links;  // as they were last said to be
  // What TAPs were said to be before that, where it is not the same: a change that was taken
  // back has had its effect.
  std::vector<Link> earlier_taps;
  std::map<Ifindex, bool> pinned;  // ports of bridges: see Link
  std::set<Ifindex> gone;
  std::set<Ifindex> addresses;  // links that got or lost an IPv4 address
  std::set<Ifindex> ipv6;       // links that got an IPv6 address
  // What a link knows of an address: its MAC if that is permanent; else nullopt.
  std::map<std::pair<Ifindex, Ipv4Address>, std::optional<MacAddress>> neighbours;
  // Whether svnetd's route to a guest exists. False also if another program has made one.
  std::map<Ipv4Address, bool> guest_routes;
  // Links whose setting for forwarding, reverse paths or proxy ARP somebody wrote.
  std::set<Ifindex> settings;
  // Whether a bridge has a static entry for that MAC behind that port.
  std::map<std::pair<Ifindex, MacAddress>, bool> static_macs;
  bool forwarding = false;  // somebody wrote net.ipv4.ip_forward
  // Packets may take other ways: a rule for routes was changed, or a default route, or half of
  // one (0.0.0.0/1), or a route that has addresses in common with guests', or whether a link
  // forwards.
  bool routes = false;
};

// A process, held so that its number cannot come to mean another.
struct Process {
  UniqueFd pidfd;  // readable when it has ended
  uid_t uid = 0;   // the real one
  // In the kernel's clock ticks after boot (proc(5), /proc/pid/stat): no two processes
  // of one number have the same.
  uint64_t start_time = 0;
};

// Not thread-safe.
class Kernel {
 public:
  virtual ~Kernel() = default;

  virtual absl::StatusOr<std::vector<Link>> ListLinks() = 0;
  virtual absl::StatusOr<std::vector<LinkAddress>> ListAddresses() = 0;
  // All tables.
  virtual absl::StatusOr<std::vector<Route>> ListRoutes() = 0;
  virtual absl::StatusOr<RouteAnswer> FindRoute(const RouteQuestion& question) = 0;
  // No such link: nullopt.
  virtual absl::StatusOr<std::optional<Link>> FindLink(const LinkName& name) = 0;
  virtual absl::StatusOr<std::optional<Link>> FindLink(Ifindex ifindex) = 0;

  // Makes `spec` true: the bridge exists, is up, and has the gateway's address. A
  // bridge that svnetd made also gets spec.mtu, and has no STP and no IPv6; of another's,
  // all that stays as it is (the MAC is pinned, or it would follow the ports that come and go).
  // NOT_A_BRIDGE if a link of that name is something else, or has another name, too. An
  // error leaves no part of it behind.
  virtual absl::StatusOr<Bridge> EnsureBridge(const BridgeSpec& spec) = 0;
  // Undoes EnsureBridge: deletes the bridge if svnetd made it; otherwise takes back
  // the address and the "up" that EnsureBridge gave it. OK if there is no bridge.
  // True if the bridge was deleted.
  virtual absl::StatusOr<bool> ReleaseBridge(const BridgeSpec& spec) = 0;

  // NotFound if the link is gone, AlreadyExists if there is one of that name.
  virtual absl::Status RenameLink(Ifindex link, const LinkName& name) = 0;

  // Whether the host forwards IPv4 (net.ipv4.ip_forward).
  virtual absl::StatusOr<bool> IsForwarding() = 0;
  // Whether what comes in by that link is forwarded, as far as it is the link's own setting.
  virtual absl::StatusOr<bool> IsForwarding(Ifindex link) = 0;
  // Whether the host answers ARP for none of its addresses that are on another link than the one
  // that it is asked by (net.ipv4.conf.all.arp_ignore).
  virtual absl::StatusOr<bool> IgnoresArp() = 0;
  virtual absl::Status EnableForwarding() = 0;
  virtual absl::Status DisableForwarding() = 0;

  // A new TAP. AlreadyExists if there is a link of that name, whatever it is.
  virtual absl::StatusOr<std::unique_ptr<OpenTap>> OpenNewTap(const TapSpec& spec) = 0;

  // Those of the link's that SetNeighbour or Route, perhaps an earlier svnetd's, has set.
  virtual absl::StatusOr<std::vector<Neighbour>> ListNeighbours(Ifindex link) = 0;
  // The same of all links.
  virtual absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> ListAllNeighbours() = 0;
  // The MAC that the address has on that link, if that is permanent.
  virtual absl::StatusOr<std::optional<MacAddress>> FindNeighbour(Ifindex link,
                                                                  Ipv4Address address) = 0;
  // Which MACs the bridge has static entries for, and behind which port. None if it is gone.
  virtual absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> ListStaticMacs(
      Ifindex bridge) = 0;
  // Replaces what the link knew of the address.
  virtual absl::Status SetNeighbour(Ifindex link, const Neighbour& neighbour) = 0;
  // OK if it, or the link, is gone.
  virtual absl::Status DeleteNeighbour(Ifindex link, Ipv4Address address) = 0;

  // Those that svnetd, perhaps an earlier one, has made.
  virtual absl::StatusOr<std::vector<GuestRoute>> ListGuestRoutes() = 0;
  // `gateway`: see RoutedTapSpec. Replaces another program's.
  virtual absl::Status SetGuestRoute(const GuestRoute& route, Ipv4Address gateway) = 0;
  // OK if it, or the link, is gone.
  virtual absl::Status DeleteGuestRoute(const GuestRoute& route) = 0;

  // Makes a TAP, as it was last seen, and its port what they were when it joined. True as
  // OpenTap::Join. NotFound if it is gone.
  virtual absl::StatusOr<bool> RepairTap(const Link& tap, const LinkName& name,
                                         const PortSpec& port) = 0;
  // The same for one that is no port, also if somebody has made it one.
  virtual absl::Status RepairRoutedTap(const Link& tap, const LinkName& name,
                                       const RoutedTapSpec& spec) = 0;
  // Another alias for a TAP: all of it, or an error and the old one. NotFound if it is gone.
  virtual absl::Status SetAlias(Ifindex tap, const std::string& alias) = 0;
  // Another link group for a TAP. NotFound if it is gone.
  virtual absl::Status RetireTap(Ifindex tap, uint32_t group) = 0;

  // Holds a TAP that no process holds, so that none can until the result is closed; nullopt:
  // a process holds it, whatever its carrier says. NotFound if there is no TAP of that name
  // and number. Of a multi-queue TAP any number of processes may hold queues: use
  // Link::open_queues.
  virtual absl::StatusOr<std::optional<UniqueFd>> HoldTap(const LinkName& name, Ifindex tap) = 0;

  // A queue of the TAP of that name and number, which does not block. NotFound if there is none;
  // nullopt: a process holds all that there can be.
  virtual absl::StatusOr<std::optional<UniqueFd>> OpenQueue(const LinkName& name, Ifindex tap,
                                                            bool multi_queue) = 0;
  // Makes what a VMM may have set on that TAP by a queue what it is on a new one: the offloads, the
  // virtio-net header, the send buffer, filters.
  virtual absl::Status ResetQueueSettings(const UniqueFd& queue) = 0;

  // NotFound if there is none of that number, in svnetd's own pid namespace.
  virtual absl::StatusOr<Process> OpenProcess(pid_t pid) = 0;

  // Of routes, those are heard of from now on that have to do with guests of these prefixes, or are
  // general: see LinkMonitor.
  virtual absl::Status WatchRoutesOf(const std::vector<Ipv4Prefix>& guests) = 0;
  // Readable when TakeChanges has something to say.
  virtual int changes_fd() const = 0;
  // All changes since the last call, or since this object was made; a change whose
  // system call has returned is among them. Does not wait.
  virtual absl::StatusOr<KernelChanges> TakeChanges() = 0;
};

// Ends what is no longer needed; takes the kernel long. Not thread-safe, but may be used
// at the same time as a Kernel.
class Reaper {
 public:
  virtual ~Reaper() = default;

  // Destroys the link, even one that a process holds open. OK if it is gone.
  // Takes the kernel 16 to 20 ms for a TAP, of which it holds its lock for links less than one.
  virtual absl::Status DeleteLink(Ifindex ifindex) = 0;
  // The same for all links of a group, also those that join it meanwhile, in hardly more time
  // than for one; but for all that time it holds that lock. OK if there are none.
  virtual absl::Status DeleteGroup(uint32_t group) = 0;

  // Ends what the host's connection tracking knows of any of these addresses, as either
  // end, before or after NAT.
  virtual absl::Status ForgetFlows(const std::set<Ipv4Address>& addresses) = 0;
};

// The kernel's limit of ports on a bridge (net/bridge/br_private.h: BR_MAX_PORTS
// is 1024, and number 0 is never given).
inline constexpr int kMaxBridgePorts = 1023;

}  // namespace svnet

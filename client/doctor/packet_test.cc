#include "client/doctor/packet_test.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/connection.h"
#include "client/doctor/frames.h"
#include "daemon/base/network_name.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/table_name.h"
#include "daemon/base/unique_fd.h"

namespace svnet::client {
namespace {

using Stub = Connection::Stub;

constexpr absl::Duration kAnswerTimeout = absl::Seconds(3);
// A port passes frames a moment after the TAP is open; until then they are lost.
constexpr absl::Duration kAgain = absl::Milliseconds(100);

// The MAC and address that a station claims.
struct Station {
  MacAddress mac;
  Ipv4Address ip;
};

struct Guest {
  UniqueFd tap;
  Station station;
  Ipv4Address gateway;
};

absl::StatusOr<UniqueFd> OpenTap(const std::string& name) {
  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "/dev/net/tun");
  ifreq request = {};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return absl::ErrnoToStatus(errno, name);
  return fd;
}

absl::StatusOr<Guest> PlugIn(const v1::Tap& tap) {
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, MacAddress::Parse(tap.mac()));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, Ipv4Address::Parse(tap.guest_ip()));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address gateway, Ipv4Address::Parse(tap.gateway_ip()));
  SVNET_ASSIGN_OR_RETURN(UniqueFd fd, OpenTap(tap.tap_name()));
  return Guest{.tap = std::move(fd), .station = {mac, ip}, .gateway = gateway};
}

void Send(const Guest& guest, const std::string& frame) {
  // A frame that is refused is lost, as on a wire.
  (void)!write(guest.tap.get(), frame.data(), frame.size());
}

// Repeats `frame` until a frame arrives for which `is_answer` is true, or the time is over.
bool Ask(const Guest& guest, const std::string& frame,
         absl::FunctionRef<bool(absl::string_view)> is_answer) {
  char buffer[65536];
  for (const absl::Time end = absl::Now() + kAnswerTimeout; absl::Now() < end;) {
    Send(guest, frame);
    for (const absl::Time again = absl::Now() + kAgain; absl::Now() < again;) {
      pollfd wait = {.fd = guest.tap.get(), .events = POLLIN, .revents = 0};
      poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(kAgain)));
      const ssize_t size = read(guest.tap.get(), buffer, sizeof(buffer));
      if (size > 0 && is_answer(absl::string_view(buffer, size))) return true;
    }
  }
  return false;
}

// A broadcast "who has `target`?".
Frame ArpRequest(const Station& from, Ipv4Address target) {
  return Ethernet(kBroadcast, from.mac, kArpType,
                  Arp({.operation = ArpOperation::kRequest,
                       .sender_mac = from.mac,
                       .sender_ip = from.ip,
                       .target_ip = target}));
}

// A ping through `next_hop`.
Frame PingBy(const MacAddress& next_hop, const Station& from, Ipv4Address target) {
  return Ethernet(next_hop, from.mac, kIpv4Type, PingRequest(from.ip, target));
}

// The gateway's MAC; an address that is not unicast if it does not answer.
MacAddress ResolveGateway(const Guest& guest) {
  MacAddress mac({});
  Ask(guest, ArpRequest(guest.station, guest.gateway), [&](absl::string_view frame) {
    mac = MacInArpReply(frame, guest.gateway);
    return mac.IsUnicast();
  });
  return mac;
}

std::optional<Ipv4Address> TargetOf(const std::string& target, const Observed& observed) {
  if (!target.empty()) {
    const auto address = Ipv4Address::Parse(target);
    return address.ok() ? std::make_optional(*address) : std::nullopt;
  }
  for (const HostRoute& route : observed.routes) {
    if (route.destination.length() == 0 && route.gateway.has_value()) return route.gateway;
  }
  return std::nullopt;
}

Findings Ping(const Guest& guest, const MacAddress& gateway, const std::string& target,
              const Observed& observed) {
  const std::optional<Ipv4Address> address = TargetOf(target, observed);
  if (!address.has_value()) return NotChecked("there is no default route: give a --target");
  const Frame frame = PingBy(gateway, guest.station, *address);
  const bool answered =
      Ask(guest, frame, [&](absl::string_view reply) { return IsPingReply(reply, *address); });
  if (answered) return Ok(absl::StrCat("a guest's ping to ", address->ToString(), " is answered"));
  return Problem(absl::StrCat("a guest's ping to ", address->ToString(),
                              " is not answered: the other checks say why, unless that host never "
                              "answers pings (try another --target)"),
                 "");
}

// One of the network's own.
absl::StatusOr<int64_t> Counter(const Observed& observed, const std::string& name) {
  if (!observed.nft.ok()) return observed.nft.status();
  // Where a guest's frames are first looked at.
  const std::string family = observed.IsRouted() ? "inet" : "bridge";
  for (const FilterChain& chain : *observed.nft) {
    if (chain.family == family && IsTableOf(chain.table, Bridges(observed).front())) {
      return observed.host.NftCounter(chain.family, chain.table,
                                      absl::StrCat(OwnPrefix(observed), name));
    }
  }
  return absl::NotFoundError(absl::StrCat("svnetd's table of the family ", family, " is missing"));
}

// Sends a frame that svnetd's rules must count under `counter` and drop.
Findings Spoof(const Guest& guest, const Observed& observed, const std::string& what,
               const std::string& frame, const std::string& counter) {
  const absl::StatusOr<int64_t> before = Counter(observed, counter);
  if (!before.ok()) return NotChecked("needs root to read svnetd's counters");
  Send(guest, frame);
  const absl::StatusOr<int64_t> after = Counter(observed, counter);
  if (after.ok() && *after > *before) return Ok(absl::StrCat(what, " is stopped"));
  return Problem(absl::StrCat(what, " was not dropped: svnetd's rules have been changed"),
                 "systemctl restart svnetd");
}

// The guest's MAC and address, with the last bit of one of them changed.
Station WithForeignMac(const Station& station) {
  MacAddress::Octets octets = station.mac.octets();
  octets[5] ^= 1;
  return {MacAddress(octets), station.ip};
}

Station WithForeignAddress(const Station& station) {
  return {station.mac, Ipv4Address(station.ip.value() ^ 1)};
}

std::vector<NamedFinding> Named(const std::string& check, const Findings& findings) {
  std::vector<NamedFinding> named;
  for (const Finding& finding : findings) named.push_back({check, finding});
  return named;
}

std::vector<NamedFinding> Speak(const Guest& guest, const std::string& target,
                                const Observed& observed) {
  const MacAddress gateway = ResolveGateway(guest);
  if (!gateway.IsUnicast()) {
    return Named("packet-gateway", Problem(absl::StrCat("the gateway ", guest.gateway.ToString(),
                                                        " does not answer a guest's ARP"),
                                           "systemctl restart svnetd"));
  }
  std::vector<NamedFinding> findings = Named(
      "packet-gateway", Ok(absl::StrCat("the gateway answers ARP, with ", gateway.ToString())));
  const auto add = [&](const std::string& check, const Findings& more) {
    for (NamedFinding& named : Named(check, more)) findings.push_back(std::move(named));
  };
  add("packet-nat", Ping(guest, gateway, target, observed));
  add("packet-address",
      Spoof(guest, observed, "a foreign address",
            PingBy(gateway, WithForeignAddress(guest.station), guest.gateway), "foreign_address"));
  // On a routed network nobody learns a MAC, and nobody believes what a guest says by ARP.
  if (observed.IsRouted()) return findings;
  add("packet-mac",
      Spoof(guest, observed, "a foreign MAC",
            PingBy(gateway, WithForeignMac(guest.station), guest.gateway), "foreign_mac"));
  add("packet-arp",
      Spoof(guest, observed, "ARP for a foreign address",
            ArpRequest(WithForeignAddress(guest.station), guest.gateway), "foreign_arp"));
  return findings;
}

// Bound to this process; persistent if svnetd cannot do that.
Result<v1::CreateTapResponse> CreateLeaseOfOurOwn(const std::string& socket, absl::Duration timeout,
                                                  const std::string& network) {
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  if (const auto* failure = std::get_if<Failure>(&svnetd)) return *failure;
  v1::CreateTapRequest request;
  request.set_vm_id(absl::StrCat("svnetctl-doctor-", getpid()));
  request.set_iface_id("test");
  // An earlier svnetd knows no networks; without a name it is "default".
  if (network != NetworkName::kDefault) request.set_network(network);
  request.mutable_lifetime()->mutable_process()->set_pid(getpid());
  auto created = std::get<Connection>(svnetd).Call(&Stub::CreateTap, request);
  const auto* failure = std::get_if<Failure>(&created);
  if (failure == nullptr || failure->reason != "UNSUPPORTED") return created;
  request.clear_lifetime();
  return std::get<Connection>(svnetd).Call(&Stub::CreateTap, request);
}

// Empty, or a finding if that failed.
Findings RemoveTap(const std::string& socket, absl::Duration timeout, const std::string& name) {
  v1::RemoveTapRequest request;
  request.set_tap_name(name);
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  const Failure* failure = std::get_if<Failure>(&svnetd);
  Result<v1::RemoveTapResponse> answer;
  if (failure == nullptr) {
    answer = std::get<Connection>(svnetd).Call(&Stub::RemoveTap, request);
    failure = std::get_if<Failure>(&answer);
  }
  if (failure == nullptr) return {};
  return Warning(absl::StrCat("the test's own TAP could not be removed: ", failure->message),
                 absl::StrCat("svnetctl remove --tap ", name));
}

}  // namespace

std::vector<NamedFinding> RunPacketTest(const std::string& socket, absl::Duration timeout,
                                        const std::string& target, const Observed& before) {
  const Result<v1::CreateTapResponse> created =
      CreateLeaseOfOurOwn(socket, timeout, NameOf(before.subject));
  if (const auto* failure = std::get_if<Failure>(&created)) {
    return Named("packet-lease", Problem(failure->message, ""));
  }
  const v1::Tap& tap = std::get<v1::CreateTapResponse>(created).tap();
  Observed observed = before;
  // svnetd replaces its tables for the first guest of a network.
  observed.nft = observed.host.NftChains();
  std::vector<NamedFinding> findings;
  if (const absl::StatusOr<Guest> guest = PlugIn(tap); guest.ok()) {
    findings = Speak(*guest, target, observed);
  } else {
    findings =
        Named("packet-lease",
              Problem(absl::StrCat("cannot open the TAP as a VMM does: ", guest.status().message()),
                      "svnetctl doctor tun-device tun-access"));
  }
  for (const Finding& finding : RemoveTap(socket, timeout, tap.tap_name())) {
    findings.push_back({"packet-lease", finding});
  }
  return findings;
}

}  // namespace svnet::client

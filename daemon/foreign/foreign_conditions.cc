#include "daemon/foreign/foreign_conditions.h"

#include "absl/strings/str_cat.h"
#include "daemon/foreign/remedy.h"

namespace svnet {
namespace {

Condition Describe(const BlockingChain& blocking, const GuestNetwork& network,
                   const ForeignFirewallState& state) {
  Condition condition = {
      .type = "FOREIGN_FIREWALL",
      .message = blocking.Describe(),
      .remedy = absl::StrCat("run: ", RemedyFor(state.chains, blocking, network.guests)),
      .cuts_guests_off = true};
  if (!IsManageable(blocking.kind)) return condition;
  if (!state.manage) {
    condition.remedy = absl::StrCat("set `manage_foreign_firewalls = true` and reload svnetd, or ",
                                    condition.remedy);
  } else if (!state.failure.ok()) {
    absl::StrAppend(&condition.message,
                    "; svnetd cannot add its accept rules: ", state.failure.message());
  } else if (state.accepts_are_pending) {
    absl::StrAppend(&condition.message, "; svnetd is about to add its accept rules");
  } else {
    absl::StrAppend(&condition.message,
                    "; an accept rule in its extension point would not change that");
  }
  return condition;
}

}  // namespace

std::vector<Condition> ForeignFirewallConditions(const ForeignFirewallState& state) {
  std::vector<Condition> conditions;
  if (state.forwards_for_all && !IsForwardingFiltered(state.chains)) {
    conditions.push_back(
        {.type = "FORWARDING_FOR_ALL",
         .message = "svnetd has turned net.ipv4.ip_forward on, and no firewall filters what this "
                    "host forwards between its other networks",
         .remedy = "add a firewall, or, if nothing else needs forwarding: sysctl "
                   "net.ipv4.ip_forward=0; svnetd then turns it on for its guests only"});
  }
  for (const GuestNetwork& network : state.networks) {
    for (const BlockingChain& blocking : FindBlockingChains(state.chains, network)) {
      conditions.push_back(Describe(blocking, network, state));
      conditions.back().network = network.name;
    }
  }
  if (state.iptables_legacy_is_hidden) {
    conditions.push_back(
        {.type = "FOREIGN_FIREWALL",
         .message =
             "iptables-legacy has rules that svnetd cannot read: they may drop guest traffic",
         .remedy =
             "make Docker and others use iptables-nft, or add RestrictAddressFamilies=AF_INET "
             "to svnetd.service (systemctl edit svnetd) and restart it"});
  }
  return conditions;
}

}  // namespace svnet

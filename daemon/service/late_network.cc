#include "daemon/service/late_network.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/network_health.h"

namespace svnet {

absl::Status LateNetwork::Start(Server* server) {
  const absl::Status started = TryToStart(server);
  if (!started.ok()) {
    stack_.reset();
    parts_.runner->SetWhyUnstarted(started);
    HealthOfNetworks health;
    for (const NetworkConfig& each : parts_.running->networks) {
      health.emplace(each.name, NetworkHealth{.network = false, .firewall = false});
    }
    parts_.health->SetNetworks(health);
  }
  parts_.manager->Say(started.ok() ? Describe()
                                   : absl::StrCat("has no network yet: ", started.message()));
  return started;
}

void LateNetwork::SetNetworks(const std::vector<NetworkConfig>& networks) {
  parts_.running->networks = networks;
  parts_.runner->SetUnstartedNetworks(SettingsOf(*parts_.running));
}

absl::Status LateNetwork::TryToStart(Server* server) {
  const auto on_health = [this](const HealthOfNetworks& now) { parts_.health->SetNetworks(now); };
  const auto on_reaped = [server] { server->Resume(); };
  SVNET_ASSIGN_OR_RETURN(stack_, NetworkStack::Start(*parts_.running, parts_.locks, parts_.events,
                                                     on_health, on_reaped));
  SVNET_ASSIGN_OR_RETURN(housekeeping_, Housekeeping::Start(&stack_->registry(), stack_->reapers(),
                                                            &stack_->foreign()));
  parts_.running->networks = stack_->networks();
  parts_.runner->SetNetwork(&stack_->api());
  return absl::OkStatus();
}

std::string LateNetwork::Describe() const {
  std::string text = "serves ";
  absl::string_view separator;
  for (const NetworkConfig& network : parts_.running->networks) {
    const bool routed = network.kind == NetworkKind::kRouted;
    absl::StrAppend(&text, separator, network.subnet.ToString(),
                    routed ? " by routes, its gateway on " : " on bridge ", network.bridge.text());
    separator = ", and ";
  }
  return text;
}

}  // namespace svnet

// Everything below a NetworkRegistry, in memory.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_registry.h"
#include "tests/fakes/fake_firewall.h"
#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/fakes/fake_spec_store.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

struct FakeParts {
  explicit FakeParts(Clock the_clock, std::vector<EventSink::Observer> observers = {})
      : clock(std::move(the_clock)), events(std::move(observers)) {}

  NetworkRegistry::Parts All() {
    return {.kernel = &kernel,
            .firewall = &firewall,
            .store = &store,
            .foreign = &foreign_reconciler,
            .events = &events,
            .clock = clock,
            .wall_clock = [] { return absl::FromUnixSeconds(7); }};
  }
  NetworkApi ApiOf(NetworkRegistry* registry) {
    return NetworkApi(registry, &foreign_reconciler, &events);
  }

  const Clock clock;
  Faults faults;
  FakeKernel kernel{&faults};
  FakeReaper reaper{&kernel, &faults};
  FakeFirewall firewall{&faults};
  FakeSpecStore store{&faults};
  FakeForeignFirewalls foreign{&faults};
  ForeignFirewallReconciler foreign_reconciler{
      {{.guests = {.kind = NetworkKind::kBridge,
                   .bridge = LinkName::Parse("svbr0").value(),
                   .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value()},
        .uplink = ""},
       {.guests = {.kind = NetworkKind::kBridge,
                   .bridge = LinkName::Parse("svred0").value(),
                   .prefix = Ipv4Prefix::Parse("172.31.0.0/24").value()},
        .uplink = "",
        .name = NetworkName::Parse("red").value(),
        .tables = LinkName::Parse("svbr0").value()}},
      false,
      &foreign,
      clock};
  EventSink events;
};

}  // namespace svnet::testing

// Everything below a NetworkRegistry, in memory.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "daemon/network/coexistence.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network_registry.h"
#include "tests/fakes/fake_firewall.h"
#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

struct FakeParts {
  explicit FakeParts(Clock the_clock, std::vector<EventSink::Observer> observers = {})
      : clock(std::move(the_clock)), events(std::move(observers)) {}

  NetworkRegistry::Parts All() {
    return {.kernel = &kernel,
            .reaper = &reaper,
            .firewall = &firewall,
            .coexistence = &coexistence,
            .events = &events,
            .clock = clock};
  }

  const Clock clock;
  Faults faults;
  FakeKernel kernel{&faults};
  FakeReaper reaper{&kernel, &faults};
  FakeFirewall firewall{&faults};
  FakeForeignFirewalls foreign{&faults};
  Coexistence coexistence{LinkName::Parse("svbr0").value(), false, &foreign, clock};
  EventSink events;
};

}  // namespace svnet::testing

// What a network consists of.
#pragma once

#include <memory>

#include "daemon/base/repair_limit.h"
#include "daemon/network/event_poller.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/last_failure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/lease_creator.h"
#include "daemon/network/lease_ender.h"
#include "daemon/network/lease_updater.h"
#include "daemon/network/link_observer.h"
#include "daemon/network/network.h"
#include "daemon/network/network_cleaner.h"
#include "daemon/network/network_closure.h"
#include "daemon/network/network_observer.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/prefix_conflict.h"
#include "daemon/network/reconciler.h"
#include "daemon/network/route_observer.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_adopter.h"
#include "daemon/network/tap_reaper.h"
#include "daemon/network/tap_repairer.h"
#include "daemon/segment/segment.h"

namespace svnet {

// Wiring only: each is told of those that it works with, which stand above it.
struct NetworkParts {
  // What `given` names must outlive it.
  NetworkParts(const NetworkSettings& settings, const Network::Parts& given);

  LeaseBook book;
  const std::unique_ptr<Segment> segment;
  NetworkRules rules;
  RouteObserver routes;
  PrefixConflict conflict;
  Infrastructure infrastructure;
  RepairLimit limit;
  FailureReporter failures;
  Expiry expiry;
  TapReaper reaper;
  LinkObserver link_observer;
  TapAdopter adopter;
  LeaseEnder ender;
  TapRepairer repairer;
  Reconciler reconciler;
  LeaseCreator creator;
  LeaseUpdater updater;
  LastFailure last_failure;
  NetworkClosure closure;
  NetworkObserver observer;
  NetworkCleaner cleaner;
};

}  // namespace svnet

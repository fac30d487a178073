// All networks, as one.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/network.h"
#include "daemon/network/network_health.h"
#include "daemon/network/spec_texts.h"

namespace svnet {

// So far there is one, "default". No lock: NetworkRegistry has it.
class Networks {
 public:
  // What `parts` names must outlive it; its `texts` are theirs.
  Networks(const NetworkSettings& settings, SpecStore* store, Network::Parts parts);

  // Adopts what an earlier svnetd left: see Network. To be followed by CatchUp.
  absl::Status Begin();
  // Has each of them take in what has happened. Returns when it has something to do, though nothing
  // happens, in `next`.
  absl::Status CatchUp(const HostEvents& events, std::optional<absl::Time>* next);
  // Deletes the texts that a lease named and none names any more.
  void DeleteOldTexts();
  // For svnetd's end: see Network.
  absl::Status DisownRules();

  bool Has(const NetworkName& name) const { return networks_.contains(name); }
  std::vector<NetworkName> Names() const;
  // The one that there is so far.
  Network& only() const { return *networks_.begin()->second; }

  // What counts against the owner's quotas.
  Holdings HoldingsOf(uid_t owner) const;
  // All is well with all of them.
  NetworkHealth Health() const;

 private:
  void ReportTextsLeft(const absl::Status& deleted);

  EventSink* const events_;
  SpecTexts texts_;
  std::map<NetworkName, std::unique_ptr<Network>> networks_;
};

}  // namespace svnet

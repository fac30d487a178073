// Creates leases, step by step, with the undo of each step beside it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/requests.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class LeaseBook;
class NetworkRules;
class Segment;
class SpecTexts;
class TapReaper;

// Not thread-safe. Errors have a reason of the contract.
class LeaseCreator {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Segment* segment;
    NetworkRules* rules;
    Infrastructure* infrastructure;
    LeaseBook* book;
    TapReaper* reaper;
    SpecTexts* texts;
    std::function<absl::Time()> wall_clock;
  };
  LeaseCreator(const NetworkSettings& settings, const Parts& parts)
      : settings_(settings), parts_(parts) {}

  struct Created {
    Lease lease;
    bool turned_forwarding_on = false;
  };
  // A TAP for `key`, which has no lease, and the network if it is the first. The book does not know
  // the lease yet. An error leaves nothing but perhaps a text that no lease names.
  absl::StatusOr<Created> Create(const LeaseKey& key, const TapRequest& request);

 private:
  struct NamedTap {
    LinkName name;
    std::unique_ptr<OpenTap> device;
  };

  struct Picked {
    Ipv4Address ip;
    MacAddress mac;
  };

  // INVALID_REQUEST if this kind of network has no views.
  absl::Status CheckView(const std::string& text_digest) const;
  // The address cannot be had, and the request leaves it to svnetd.
  static bool MayTryAnother(const TapRequest& request, const absl::StatusOr<Lease>& lease);
  absl::StatusOr<Lease> MakeTap(const LeaseKey& key, const TapRequest& request,
                                const std::string& text_digest, Picked picked);
  absl::StatusOr<Lease> Commit(const LeaseSpec& spec, OpenTap* device);
  absl::StatusOr<NamedTap> OpenTapFor(const LeaseKey& key, const TapRequest& request);
  // As Kernel::OpenNewTap, and a retired TAP is not in its way.
  absl::StatusOr<std::unique_ptr<OpenTap>> OpenNewTap(const TapSpec& spec);

  // `gateway`: the MAC that no guest can have.
  absl::StatusOr<Picked> Pick(const TapRequest& request, const MacAddress& gateway);
  bool IsStillFree(const Picked& picked) const;
  // ADDRESS_POOL_EXHAUSTED, INVALID_ADDRESS, ADDRESS_IN_USE.
  absl::StatusOr<Ipv4Address> PickAddress(const TapRequest& request);
  absl::StatusOr<MacAddress> PickMac(const TapRequest& request, const MacAddress& gateway);
  // A resource that is exhausted and that retired TAPs will give back is worth another try.
  absl::Status RetryableIfReaping(absl::Status status);

  const NetworkSettings settings_;
  const Parts parts_;
};

}  // namespace svnet

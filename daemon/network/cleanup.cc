#include "daemon/network/cleanup.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/call_turn.h"
#include "daemon/network/network.h"
#include "daemon/network/network_members.h"

namespace svnet {
namespace {

// How often it begins anew, because TAPs were made meanwhile.
constexpr int kMaxRounds = 8;

}  // namespace

std::optional<absl::StatusOr<CleanupResult>> Cleanup::GoOn() {
  waits_for_reaping_ = false;
  if (is_of_network()) SVNET_RETURN_IF_ERROR(Authorizer(caller_).CheckNetworkCleanup());
  const CallTurn turn(registry_, caller_, request_.network);
  SVNET_RETURN_IF_ERROR(turn.status());
  NetworkMembers& networks = turn.networks();
  if (rounds_ == 0) SVNET_RETURN_IF_ERROR(Begin(networks));
  SVNET_RETURN_IF_ERROR(RetireSome(networks));
  if (!left_.empty()) return std::nullopt;
  if (result_.taps_removed > 0) {
    for (Network* network : networks.Select(request_.network)) network->ReapNow();
  }
  if (!is_of_network()) return result_;
  return TakeAway(networks);
}

absl::StatusOr<CleanupResult> Cleanup::Finish() {
  for (;;) {
    const std::optional<absl::StatusOr<CleanupResult>> result = GoOn();
    if (result.has_value()) return *result;
    if (waits_for_reaping_) return Incomplete(absl::AbortedError("svnetd ends"));
  }
}

absl::Status Cleanup::Begin(NetworkMembers& networks) {
  ++rounds_;
  for (Network* network : networks.Select(request_.network)) {
    network->ForgetWhyNotReaped();
    SVNET_ASSIGN_OR_RETURN(const std::vector<Ifindex> taps,
                           is_of_network() ? network->AllTaps() : network->TapsOf(caller_.uid));
    for (const Ifindex tap : taps) left_.push_back({network->settings().name, tap});
  }
  return absl::OkStatus();
}

absl::Status Cleanup::RetireSome(NetworkMembers& networks) {
  for (size_t i = 0; i < kPiece && !left_.empty(); ++i) {
    const Tap tap = left_.back();
    Network& network = networks.Get(tap.network);
    const absl::StatusOr<bool> retired = network.RetireTap(tap.ifindex);
    if (!retired.ok()) {
      return WithReason(
          Reason::kBridgeSetupFailed,
          absl::StrCat("removed ", result_.taps_removed, " TAPs, then could not go on (repeat it)"),
          retired.status());
    }
    if (*retired) ++result_.taps_removed;
    left_.pop_back();
  }
  return absl::OkStatus();
}

std::optional<absl::StatusOr<CleanupResult>> Cleanup::TakeAway(NetworkMembers& networks) {
  const std::vector<Network*> all = networks.Select(request_.network);
  bool has_leases = false;
  for (Network* network : all) {
    has_leases |= network->leases().size() > 0;
    waits_for_reaping_ |= network->HasTaps();
    if (const absl::Status& failed = network->WhyNotReaped(); !failed.ok()) {
      return Incomplete(failed);
    }
  }
  if (has_leases) {
    if (rounds_ == kMaxRounds)
      return Incomplete(absl::AbortedError("new ones are made all the time"));
    waits_for_reaping_ = false;
    SVNET_RETURN_IF_ERROR(Begin(networks));
  }
  if (has_leases || waits_for_reaping_) return std::nullopt;
  for (Network* network : all) {
    SVNET_ASSIGN_OR_RETURN(const CleanupResult result, network->TakeAway());
    result_ += result;
  }
  return result_;
}

absl::Status Cleanup::Incomplete(const absl::Status& why) const {
  return WithReason(Reason::kBridgeSetupFailed,
                    absl::StrCat("removed ", result_.taps_removed,
                                 " TAPs, but cannot destroy all of them (repeat it)"),
                    why);
}

}  // namespace svnet

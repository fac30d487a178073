// A gate that its caller has taken over: whatever it sends to svnetd harms only itself.
#include <fuzzer/FuzzedDataProvider.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <string>

#include "daemon/accept/gate_link.h"
#include "daemon/base/clock.h"
#include "daemon/network/reap_worker.h"
#include "tests/fakes/fake_parts.h"
#include "tests/fuzz/check.h"

namespace svnet::testing {
namespace {

// Bytes, or a message that is nearly one that a gate may send.
std::string NextPacket(FuzzedDataProvider& input) {
  if (input.ConsumeBool()) return input.ConsumeRandomLengthString(200);
  constexpr MessageKind kKinds[] = {MessageKind::kReady, MessageKind::kCall,
                                    MessageKind::kCall,  MessageKind::kCancel,
                                    MessageKind::kPull,  MessageKind::kDrained};
  Message message = {.kind = input.PickValueInArray(kKinds)};
  message.id = input.ConsumeIntegralInRange<uint64_t>(0, 20);
  if (message.kind == MessageKind::kCall) {
    message.method = static_cast<Method>(input.ConsumeIntegralInRange<int>(0, kMethods - 1));
    message.connection = input.ConsumeIntegralInRange<uint64_t>(0, 3);
    message.body = input.ConsumeRandomLengthString(200);
  }
  return Encode(message);
}

// What comes back are messages of the core's kinds, whatever was sent.
void CheckAnswers(const Channel& gate) {
  for (absl::StatusOr<Channel::Packet> packet; (packet = gate.Receive(kMaxPacket, true)).ok();) {
    const absl::StatusOr<Message> message = Decode(packet->bytes);
    Check(message.ok(), "an answer that is no message");
    Check(message->kind >= MessageKind::kConnection, "an answer of a gate's kind");
  }
}

}  // namespace
}  // namespace svnet::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  spdlog::set_level(spdlog::level::off);
  FuzzedDataProvider input(data, size);
  FakeParts parts(MonotonicNow);
  const auto registry = NetworkRegistry::Start({{.bridge = LinkName::Parse("svbr0").value(),
                                                 .prefix = Ipv4Prefix::Parse("10.9.9.0/29").value(),
                                                 .bridge_mac = MacAddress({0xc2, 0, 0, 0, 0, 1})}},
                                               parts.All());
  Metrics metrics;
  HealthBoard health;
  LimitedLog log(MonotonicNow);
  NetworkApi api = parts.ApiOf(registry->get());
  const StatusBoard board;
  CallRunner runner({.metrics = &metrics, .health = &health, .board = &board, .log = &log},
                    {.networks = {}, .why = absl::OkStatus()});
  runner.SetNetwork(&api);
  const auto poller = *Poller::Open();
  const GateLink::Services services = {
      .poller = poller.get(), .runner = &runner, .wakes = *WakeList::Open(), .metrics_page = [] {
        return "page";
      }};
  auto ends = *Channel::Pair();
  bool ended = false;
  std::optional<GateLink> link;
  link.emplace(1, input.ConsumeBool(), std::move(ends.first), &services, [&](GateLink::End) {
    Check(!ended, "ended twice");
    ended = true;
  });
  if (!link->Start().ok()) return 0;
  const auto caller = std::make_shared<const Caller>(Caller{.uid = 1000, .gid = 1000});
  link->HandOver(1, caller, absl::OkStatus(), UniqueFd());
  link->HandOver(2, caller, absl::PermissionDeniedError("no"), UniqueFd());
  const bool well_begun = input.ConsumeBool();
  if (well_begun) ends.second.Send(Encode({.kind = MessageKind::kReady})).IgnoreError();
  for (int i = 0; i < 40 && input.remaining_bytes() > 0 && !ended; ++i) {
    ends.second.Send(NextPacket(input)).IgnoreError();
    Check(poller->Wait(absl::ZeroDuration()).ok(), "epoll");
    for (const WakeList::Watch& watch : services.wakes->Take().watches) {
      Check(watch.gate == 1, "another gate's watch");
      link->Wake(watch.call);
    }
    if (input.ConsumeBool()) CheckAnswers(ends.second);
    const int extra = input.ConsumeIntegralInRange(0, 15);
    if (extra == 0) ReapWorker(registry->get(), &parts.reaper).ReapAll();
    if (extra == 1) link->Resume(input.ConsumeBool());
    if (extra == 2) link->Forget(1);
  }
  link.reset();
  // Nobody else's leases, and none that nobody knows of.
  Check((*registry)->lease_count() <= 5, "more leases than addresses");
  return 0;
}

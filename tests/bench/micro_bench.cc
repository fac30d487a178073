// The parts that are pure: no kernel, no clock, no socket.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/address/address_pool.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/lease_table.h"
#include "daemon/lease/names.h"
#include "daemon/rpc/conversions.h"
#include "daemon/ruleset/ruleset.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using testing::Iface;
using testing::Ip;
using testing::Mac;
using testing::Name;
using testing::Prefix;
using testing::Vm;

Lease LeaseOf(int number) {
  const VmId vm = Vm(absl::StrFormat("vm-%05d", number));
  return {.spec = {.key = {.owner = 1000, .vm = vm, .iface = Iface("eth0")},
                   .tap = Name(absl::StrFormat("sv%05deth0", number)),
                   .ip = Ipv4Address(Ip("10.0.0.2").value() + number),
                   .mac = DeriveGuestMac(vm, Iface("eth0"), 0)},
          .state = {.ifindex = number + 10, .mtu = 1500}};
}

// ------------------------------------------------------------------- the address pool

// An address is picked, taken and freed, beside those that are leased.
void PickTakeFree(benchmark::State& state, const Ipv4Prefix& prefix, uint32_t leased) {
  AddressPool pool(prefix);
  for (uint32_t i = 0; i < leased; ++i) {
    if (!pool.Take(*pool.PickNext()).ok()) state.SkipWithError("an address is not free");
  }
  for (auto _ : state) {
    const Ipv4Address address = *pool.PickNext();
    benchmark::DoNotOptimize(pool.Take(address));
    pool.Free(address);
  }
}
BENCHMARK_CAPTURE(PickTakeFree, EmptySlash24, Prefix("10.0.0.0/24"), 0);
BENCHMARK_CAPTURE(PickTakeFree, Slash24WithOneLeft, Prefix("10.0.0.0/24"), 252);
BENCHMARK_CAPTURE(PickTakeFree, EmptySlash8, Prefix("10.0.0.0/8"), 0);
BENCHMARK_CAPTURE(PickTakeFree, Slash8WithAThousandLeased, Prefix("10.0.0.0/8"), 1000);
BENCHMARK_CAPTURE(PickTakeFree, Slash8WithAMillionLeased, Prefix("10.0.0.0/8"), 1'000'000);

// ------------------------------------------------------------------------- the alias

LeaseSpec SpecOf() {
  return {.key = {.owner = 1000,
                  .vm = Vm("3f2a9c1e-8b7d-4c55-9a10-6f0e2d4b8c77"),
                  .iface = Iface("eth0")},
          .tap = Name("sv3f2aeth0"),
          .ip = Ip("172.30.0.2"),
          .mac = Mac("02:29:a3:2f:41:c8"),
          .create_time = 1800000000};
}

void AliasFormat(benchmark::State& state) {
  const LeaseSpec spec = SpecOf();
  for (auto _ : state) benchmark::DoNotOptimize(FormatAlias(spec));
}
BENCHMARK(AliasFormat);

void AliasParse(benchmark::State& state) {
  const LeaseSpec spec = SpecOf();
  const std::string text = FormatAlias(spec);
  for (auto _ : state) benchmark::DoNotOptimize(ParseAlias(spec.tap, text));
}
BENCHMARK(AliasParse);

// ------------------------------------------------------------------ names and MACs

void TapNamePreferred(benchmark::State& state) {
  const LeaseKey key = SpecOf().key;
  for (auto _ : state) benchmark::DoNotOptimize(PreferredTapName(key.vm, key.iface));
}
BENCHMARK(TapNamePreferred);

void TapNameHashed(benchmark::State& state) {
  const LeaseKey key = SpecOf().key;
  for (auto _ : state) benchmark::DoNotOptimize(HashedTapName(key, 0));
}
BENCHMARK(TapNameHashed);

void GuestMac(benchmark::State& state) {
  const LeaseKey key = SpecOf().key;
  for (auto _ : state) benchmark::DoNotOptimize(DeriveGuestMac(key.vm, key.iface, 0));
}
BENCHMARK(GuestMac);

// ------------------------------------------------------------------------- the rules

void Ruleset(benchmark::State& state) {
  const RulesetSpec spec = svnet::SpecOf({.bridge = Name("svbr0"),
                                          .prefix = Prefix("10.0.0.0/8"),
                                          .link_group = 100,
                                          .blocked_destinations = {Prefix("169.254.0.0/16")}});
  NetworkGuests guests = {.bridge = {.ifindex = 3, .mac = Mac("c2:00:00:00:00:01")}};
  for (int i = 0; i < state.range(0); ++i) {
    const Lease lease = LeaseOf(i);
    guests.bindings.push_back(
        {.ifindex = lease.state.ifindex, .mac = lease.spec.mac, .ip = lease.spec.ip, .zone = 1000});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(RenderRuleset(spec, {guests}, "svnet-svbr0"));
  }
}
BENCHMARK(Ruleset)->Arg(0)->Arg(1000);

void Elements(benchmark::State& state) {
  const Binding binding = {
      .ifindex = 7, .mac = Mac("02:00:00:00:00:07"), .ip = Ip("10.0.0.2"), .zone = 1000};
  const RulesetNetwork network = {.bridge = Name("svbr0"), .prefix = Prefix("10.0.0.0/8")};
  for (auto _ : state) benchmark::DoNotOptimize(ElementsOf(binding, network));
}
BENCHMARK(Elements);

// ------------------------------------------------------------- protobuf <-> values

void RequestFromProto(benchmark::State& state) {
  v1::CreateTapRequest request;
  request.set_vm_id("3f2a9c1e-8b7d-4c55-9a10-6f0e2d4b8c77");
  request.set_iface_id("eth0");
  request.set_ip_address("10.0.0.77");
  const std::string bytes = request.SerializeAsString();
  for (auto _ : state) {
    v1::CreateTapRequest parsed;
    parsed.ParseFromString(bytes);
    benchmark::DoNotOptimize(FromProto(parsed));
  }
}
BENCHMARK(RequestFromProto);

void TapToProto(benchmark::State& state) {
  const Lease lease = LeaseOf(1);
  const Ipv4Prefix prefix = Prefix("10.0.0.0/8");
  for (auto _ : state) benchmark::DoNotOptimize(ToProto(lease, prefix).SerializeAsString());
}
BENCHMARK(TapToProto);

// ------------------------------------------------------------------- the lease table

// A lease comes, is found, and goes, beside those that stand.
void InsertFindErase(benchmark::State& state) {
  LeaseTable table;
  for (int i = 0; i < state.range(0); ++i) table.Insert(LeaseOf(i));
  const Lease lease = LeaseOf(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    table.Insert(lease);
    benchmark::DoNotOptimize(table.Find(lease.spec.key));
    table.Erase(lease.spec.tap);
  }
}
BENCHMARK(InsertFindErase)->Arg(0)->Arg(1000);

}  // namespace
}  // namespace svnet

BENCHMARK_MAIN();

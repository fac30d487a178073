#include "daemon/address/address_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using testing::Ip;
using testing::Prefix;
using testing::ReasonIn;

Ipv4Address TakeNext(AddressPool& pool) {
  const Ipv4Address next = pool.PickNext().value();
  EXPECT_TRUE(pool.Take(next).ok());
  return next;
}

TEST(AddressPoolTest, BeginsAtTheSecondHostAndGoesUpward) {
  AddressPool pool(Prefix("172.30.0.0/24"));
  EXPECT_EQ(GatewayOf(Prefix("172.30.0.0/24")), Ip("172.30.0.1"));
  EXPECT_EQ(pool.total(), 253u);
  EXPECT_EQ(TakeNext(pool), Ip("172.30.0.2"));
  EXPECT_EQ(TakeNext(pool), Ip("172.30.0.3"));
  EXPECT_EQ(pool.used(), 2u);
}

// Fault 2: any length, and a base that is not on an octet.
TEST(AddressPoolTest, EveryPrefixLengthToItsFirstAndLastAddress) {
  for (int length = 8; length <= 30; ++length) {
    const Ipv4Prefix prefix = Ipv4Prefix::Containing(Ip("10.85.171.84"), length);
    AddressPool pool(prefix);
    EXPECT_EQ(pool.total(), (uint64_t{1} << (32 - length)) - 3);
    const Ipv4Address first(prefix.network().value() + 2);
    const Ipv4Address last(prefix.broadcast().value() - 1);
    EXPECT_EQ(pool.PickNext(), first);
    EXPECT_TRUE(pool.Check(last).ok());
    for (uint32_t outside :
         {prefix.network().value() - 1, prefix.network().value(), prefix.network().value() + 1,
          prefix.broadcast().value(), prefix.broadcast().value() + 1}) {
      EXPECT_EQ(ReasonIn(pool.Check(Ipv4Address(outside))), "INVALID_ADDRESS");
    }
  }
}

// Fault 1: it ends where the prefix does.
TEST(AddressPoolTest, GivesEachOnceAndThenNone) {
  AddressPool pool(Prefix("10.1.2.64/26"));
  std::set<Ipv4Address> given;
  while (pool.PickNext().has_value()) given.insert(TakeNext(pool));
  EXPECT_EQ(given.size(), 61u);
  EXPECT_EQ(*given.begin(), Ip("10.1.2.66"));
  EXPECT_EQ(*given.rbegin(), Ip("10.1.2.126"));
  EXPECT_EQ(ReasonIn(pool.Take(Ip("10.1.2.66"))), "ADDRESS_IN_USE");
}

// Fault 12, and that the last freed is the last to come again.
TEST(AddressPoolTest, AFreedAddressComesAfterAllOthers) {
  AddressPool pool(Prefix("10.9.9.0/29"));  // .2 to .6
  for (int i = 0; i < 3; ++i) TakeNext(pool);
  pool.Free(Ip("10.9.9.3"));
  pool.Free(Ip("10.9.9.2"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.5"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.6"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.3"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.2"));
  EXPECT_EQ(pool.PickNext(), std::nullopt);
  pool.Free(Ip("10.9.9.6"));
  pool.Free(Ip("10.9.9.6"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.6"));
  EXPECT_EQ(pool.PickNext(), std::nullopt);
}

TEST(AddressPoolTest, AParticularAddressDoesNotSkipOthers) {
  AddressPool pool(Prefix("10.9.9.0/28"));
  EXPECT_TRUE(pool.Take(Ip("10.9.9.9")).ok());
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.2"));
  for (int i = 3; i <= 8; ++i) TakeNext(pool);
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.10"));
}

TEST(AddressPoolTest, GoesOnAfterTheHighestAdopted) {
  AddressPool pool(Prefix("10.9.9.0/28"));
  EXPECT_TRUE(pool.Adopt(Ip("10.9.9.13")).ok());
  EXPECT_TRUE(pool.Adopt(Ip("10.9.9.2")).ok());
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.14"));
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.3"));
}

TEST(AddressPoolTest, TheHostsOwnAddressesAreNobodys) {
  AddressPool pool(Prefix("10.9.9.0/29"));
  pool.Reserve(Ip("10.9.9.2"));
  pool.Reserve(Ip("10.9.9.2"));
  pool.Reserve(Ip("10.9.9.1"));
  pool.Reserve(Ip("192.0.2.1"));
  EXPECT_EQ(pool.total(), 4u);
  EXPECT_EQ(ReasonIn(pool.Take(Ip("10.9.9.2"))), "ADDRESS_IN_USE");
  EXPECT_EQ(TakeNext(pool), Ip("10.9.9.3"));
}

// Next-fit against a plain model, over a long run of takes and frees.
TEST(AddressPoolTest, BehavesAsALongQueue) {
  AddressPool pool(Prefix("10.9.9.0/27"));
  std::vector<Ipv4Address> queue;  // as the pool must hand them out
  for (uint32_t i = 2; i <= 30; ++i) queue.push_back(Ipv4Address(Ip("10.9.9.0").value() + i));
  std::vector<Ipv4Address> leased;
  uint32_t random = 1;
  for (int step = 0; step < 20'000; ++step) {
    random = random * 1664525 + 1013904223;
    const bool take = (random >> 16) % 2 == 0;
    if (take && !queue.empty()) {
      ASSERT_EQ(TakeNext(pool), queue.front()) << "step " << step;
      leased.push_back(queue.front());
      queue.erase(queue.begin());
    } else if (!take && !leased.empty()) {
      const auto victim = leased.begin() + (random >> 8) % leased.size();
      pool.Free(*victim);
      queue.push_back(*victim);
      leased.erase(victim);
    }
    ASSERT_EQ(pool.used(), leased.size());
  }
}

}  // namespace
}  // namespace svnet

// The book of a network's leases: its invariants, and its notes.
#include "daemon/network/lease_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using testing::Iface;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Name;
using ::testing::Pair;
using testing::Prefix;
using ::testing::SizeIs;
using testing::Vm;

constexpr absl::Time kNow = absl::UnixEpoch();

Lease LeaseOf(Ifindex tap, Ipv4Address ip, uid_t owner = 1000) {
  return {
      .spec = {.key = {.owner = owner, .vm = Vm(absl::StrCat("vm", tap)), .iface = Iface("eth0")},
               .tap = Name(absl::StrCat("sv", tap)),
               .ip = ip,
               .mac = MacAddress({2, 0, 0, 0, 0, static_cast<uint8_t>(tap)}),
               .queues = 2},
      .state = {.ifindex = tap, .mtu = 1500}};
}

bool IsFree(const LeaseBook& book, Ipv4Address ip) { return book.pool().Check(ip).ok(); }

class LeaseBookTest : public ::testing::Test {
 protected:
  LeaseBook book_{Prefix("10.0.0.0/28")};
  const Lease lease_ = LeaseOf(7, Ip("10.0.0.2"));
};

TEST_F(LeaseBookTest, InsertTakesTheAddress) {
  EXPECT_TRUE(book_.Insert(lease_, kNow));
  EXPECT_FALSE(IsFree(book_, lease_.spec.ip));
  EXPECT_EQ(*book_.leases().FindByIfindex(7), lease_);
}

TEST_F(LeaseBookTest, InsertRefusesWhatSharesAnything) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  Lease same_ip = LeaseOf(8, lease_.spec.ip);
  Lease same_key = LeaseOf(8, Ip("10.0.0.3"));
  same_key.spec.key = lease_.spec.key;
  Lease same_mac = LeaseOf(8, Ip("10.0.0.3"));
  same_mac.spec.mac = lease_.spec.mac;
  Lease same_tap = LeaseOf(8, Ip("10.0.0.3"));
  same_tap.spec.tap = lease_.spec.tap;
  Lease same_ifindex = LeaseOf(8, Ip("10.0.0.3"));
  same_ifindex.state.ifindex = 7;
  for (const Lease& lease : {same_ip, same_key, same_mac, same_tap, same_ifindex}) {
    EXPECT_FALSE(book_.Insert(lease, kNow));
    EXPECT_FALSE(book_.Adopt(lease));
  }
  EXPECT_TRUE(IsFree(book_, Ip("10.0.0.3")));
  EXPECT_EQ(book_.leases().size(), 1u);
}

TEST_F(LeaseBookTest, TheAddressComesBackWhenTheTapIsReaped) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  EXPECT_EQ(book_.Retire(7, {}, kNow), lease_);
  EXPECT_EQ(book_.leases().size(), 0u);
  EXPECT_FALSE(IsFree(book_, lease_.spec.ip));
  EXPECT_THAT(book_.TakeReapPiece().taps, SizeIs(1));
  EXPECT_THAT(book_.FinishReap(0, ReapOutcome::kFailed), SizeIs(1));
  EXPECT_FALSE(IsFree(book_, lease_.spec.ip));
  book_.TakeReapPiece();
  EXPECT_THAT(book_.FinishReap(0, ReapOutcome::kDone), SizeIs(1));
  EXPECT_TRUE(IsFree(book_, lease_.spec.ip));
}

// A TAP that was made by hand with the alias of one that is retired.
TEST_F(LeaseBookTest, AnAddressThatAnotherTapHasStaysTaken) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  book_.Retire(7, {}, kNow);
  book_.TakeReapPiece();
  ASSERT_TRUE(book_.Adopt(LeaseOf(8, lease_.spec.ip)));
  book_.FinishReap(0, ReapOutcome::kDone);
  EXPECT_FALSE(IsFree(book_, lease_.spec.ip));
  book_.Retire(8, {}, kNow);
  book_.TakeReapPiece();
  book_.RetireUnleased(9, {.address = lease_.spec.ip}, kNow);
  book_.FinishReap(0, ReapOutcome::kDone);
  EXPECT_FALSE(IsFree(book_, lease_.spec.ip));
  book_.TakeReapPiece();
  book_.FinishReap(0, ReapOutcome::kDone);
  EXPECT_TRUE(IsFree(book_, lease_.spec.ip));
}

TEST_F(LeaseBookTest, SetStateChangesNothingThatWasGranted) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  book_.SetState({.ifindex = 7, .mtu = 900, .attached = true});
  EXPECT_EQ(book_.leases().FindByIfindex(7)->spec, lease_.spec);
  EXPECT_TRUE(book_.leases().FindByIfindex(7)->state.attached);
  book_.SetState({.ifindex = 8});
  EXPECT_EQ(book_.leases().FindByIfindex(8), nullptr);
}

TEST_F(LeaseBookTest, OnlyTamperedTapsCountUntilTheyAreReaped) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  ASSERT_TRUE(book_.Insert(LeaseOf(8, Ip("10.0.0.3")), kNow));
  EXPECT_EQ(book_.HoldingsOf(1000), (Holdings{.taps = 2, .queues = 4}));
  book_.Retire(7, {.counts_for_owner = true}, kNow);
  EXPECT_EQ(book_.HoldingsOf(1000), (Holdings{.taps = 2, .queues = 4}));
  book_.Retire(8, {}, kNow);
  EXPECT_EQ(book_.HoldingsOf(1000), (Holdings{.taps = 1, .queues = 2}));
  book_.TakeReapPiece();
  book_.FinishReap(0, ReapOutcome::kDone);
  EXPECT_EQ(book_.HoldingsOf(1000), Holdings());
}

TEST_F(LeaseBookTest, DirtyTapsAreTakenOnce) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  book_.MarkDirty(7, "it lost its place");
  book_.MarkDirty(7);
  EXPECT_THAT(book_.TakeDirty(), ElementsAre(Pair(7, "it lost its place")));
  EXPECT_THAT(book_.TakeDirty(), IsEmpty());
  EXPECT_THAT(book_.notes(), IsEmpty());
}

TEST_F(LeaseBookTest, NotesAreOfLeasesOnlyAndGoWithThem) {
  book_.MarkDirty(7);
  book_.MarkTampered(7, "x");
  book_.MarkRobbed(7);
  EXPECT_THAT(book_.notes(), IsEmpty());
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  book_.MarkDirty(7);
  book_.MarkTampered(7, "the first");
  book_.MarkTampered(7, "the second");
  EXPECT_EQ(book_.notes().at(7).tampering, "the first");
  EXPECT_TRUE(book_.IsTampered(7));
  book_.Retire(7, {}, kNow);
  EXPECT_THAT(book_.notes(), IsEmpty());
  EXPECT_FALSE(book_.IsTampered(7));
}

TEST_F(LeaseBookTest, ARobbedTapIsRepairedOnceForFree) {
  ASSERT_TRUE(book_.Insert(lease_, kNow));
  book_.MarkRobbed(7);
  EXPECT_TRUE(book_.TakeRobbed(7));
  EXPECT_FALSE(book_.TakeRobbed(7));
  EXPECT_THAT(book_.notes(), IsEmpty());
}

// Any order of what can happen, with few numbers, so that they meet.
class RandomLeaseBookTest : public LeaseBookTest {
 protected:
  void Step() {
    const Ifindex tap = Pick(1, 6);
    const Ipv4Address ip(Ip("10.0.0.0").value() + static_cast<uint32_t>(Pick(2, 7)));
    switch (Pick(0, 8)) {
      case 0:
      case 1:
        if (IsFree(book_, ip) && !book_.IsRetired(tap)) {
          book_.Insert(LeaseOf(tap, ip, Pick(1000, 1001)), now_);
        }
        return;
      case 2:
        if (!book_.IsRetired(tap)) book_.Adopt(LeaseOf(tap, ip));
        return;
      case 3:
      case 4:
        if (book_.leases().FindByIfindex(tap) != nullptr) {
          book_.Retire(tap,
                       {.counts_for_owner = Pick(0, 1) == 1,
                        .group_number = static_cast<uint32_t>(Pick(0, 2))},
                       now_);
        }
        return;
      case 5:
        if (book_.leases().FindByIfindex(tap) == nullptr && !book_.IsRetired(tap)) {
          book_.RetireUnleased(
              tap, {.address = ip, .group_number = static_cast<uint32_t>(Pick(0, 2))}, now_);
        }
        return;
      case 6:
        if (book_.NextReap().has_value()) taken_.insert(book_.TakeReapPiece().group_number);
        return;
      case 7:
        if (taken_.empty()) return;
        book_.FinishReap(*taken_.begin(), static_cast<ReapOutcome>(Pick(0, 2)));
        taken_.erase(taken_.begin());
        return;
      default:
        book_.MarkDirty(tap);
        book_.MarkTampered(tap, "x");
        book_.SetState({.ifindex = tap, .attached = true});
        if (Pick(0, 1) == 1) book_.TakeDirty();
    }
  }

  void CheckAll() {
    for (uint32_t host = 2; host < 15; ++host) {
      const Ipv4Address ip(Ip("10.0.0.0").value() + host);
      const bool used = book_.leases().HasIp(ip) || book_.HasRetiredAddress(ip);
      EXPECT_EQ(IsFree(book_, ip), !used) << ip.ToString();
    }
    std::map<uid_t, uint32_t> taps;
    for (const auto& [name, lease] : book_.leases().all()) {
      EXPECT_EQ(book_.leases().Find(lease.spec.key), &lease);
      EXPECT_EQ(book_.leases().FindByIfindex(lease.state.ifindex), &lease);
      EXPECT_EQ(book_.leases().FindByIp(lease.spec.ip), &lease);
      EXPECT_EQ(book_.leases().FindByMac(lease.spec.mac), &lease);
      EXPECT_EQ(lease.spec.tap, name);
      ++taps[lease.spec.key.owner];
    }
    for (const uid_t owner : {1000, 1001}) {
      EXPECT_EQ(book_.leases().HoldingsOf(owner).taps, taps[owner]);
    }
    for (const auto& [tap, notes] : book_.notes()) {
      EXPECT_NE(book_.leases().FindByIfindex(tap), nullptr);
    }
  }

  int Pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

  std::mt19937 random_;
  absl::Time now_ = kNow;
  std::set<uint32_t> taken_;  // groups that are being destroyed
};

TEST_F(RandomLeaseBookTest, AddressesAndIndexesAlwaysAgree) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  random_.seed(seed);
  for (int i = 0; i < 5000 && !HasFailure(); ++i) {
    Step();
    CheckAll();
  }
}

}  // namespace
}  // namespace svnet

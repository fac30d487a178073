// Values that cannot be wrong, and errors that callers can tell apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "svnet/v1/network.pb.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using testing::Ip;
using testing::Mac;
using testing::Prefix;

TEST(Ipv4AddressTest, ParsesFourOctetsAndNothingElse) {
  EXPECT_EQ(Ip("172.30.0.2").value(), 0xac1e0002);
  EXPECT_EQ(Ip("255.255.255.255").ToString(), "255.255.255.255");
  EXPECT_EQ(Ip("0.0.0.0").ToString(), "0.0.0.0");
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-1", "1.2.3.+4",
                           "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1..3.4", "1.2.3.4/24", "0x1.2.3.4",
                           "1.2.3.4\n", "1.2.3.", "a.b.c.d", "1.2.3.1000", "::1"}) {
    EXPECT_FALSE(Ipv4Address::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(Ipv4Address::Parse(absl::string_view("1.2.3.4\0", 8)).ok());
}

// Fault 10: /0 has the mask 0.0.0.0 and not 255.255.255.255.
TEST(Ipv4PrefixTest, MasksAreRightToBothEnds) {
  EXPECT_EQ(Prefix("0.0.0.0/0").netmask(), Ip("0.0.0.0"));
  EXPECT_EQ(Prefix("128.0.0.0/1").netmask(), Ip("128.0.0.0"));
  EXPECT_EQ(Prefix("172.30.0.0/24").netmask(), Ip("255.255.255.0"));
  EXPECT_EQ(Prefix("1.2.3.4/32").netmask(), Ip("255.255.255.255"));
  EXPECT_EQ(Prefix("10.20.4.0/23").broadcast(), Ip("10.20.5.255"));
  EXPECT_EQ(Prefix("0.0.0.0/0").broadcast(), Ip("255.255.255.255"));
}

TEST(Ipv4PrefixTest, RefusesHostBitsAndNamesWhatWasMeant) {
  const absl::Status status = Ipv4Prefix::Parse("10.1.2.65/26").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("did you mean 10.1.2.64/26?"));
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",
                           "10.0.0.0/8/8", "/8", "10.0.0/8"}) {
    EXPECT_FALSE(Ipv4Prefix::Parse(text).ok()) << text;
  }
}

TEST(Ipv4PrefixTest, OverlapsAreTrueOnesNotOnlyEqualOnes) {
  EXPECT_TRUE(Prefix("10.0.0.0/8").Overlaps(Prefix("10.1.0.0/16")));
  EXPECT_TRUE(Prefix("10.1.0.0/16").Overlaps(Prefix("10.0.0.0/8")));
  EXPECT_TRUE(Prefix("10.1.0.0/16").Overlaps(Prefix("10.1.0.0/16")));
  EXPECT_FALSE(Prefix("10.1.0.0/25").Overlaps(Prefix("10.1.0.128/25")));
  EXPECT_TRUE(Prefix("0.0.0.0/0").Overlaps(Prefix("10.1.0.128/25")));
}

TEST(MacAddressTest, ParsesSixPairsAndNothingElse) {
  EXPECT_EQ(Mac("02:29:A3:2f:41:c8").ToString(), "02:29:a3:2f:41:c8");
  for (const char* text :
       {"", "02:29:a3:2f:41", "02:29:a3:2f:41:c8:00", "02-29-a3-2f-41-c8", "0229a32f41c8",
        "2:29:a3:2f:41:c8", "02:29:a3:2f:41:cg", "02:29:a3:2f:41:c8 "}) {
    EXPECT_FALSE(MacAddress::Parse(text).ok()) << text;
  }
  EXPECT_TRUE(Mac("02:29:a3:2f:41:c8").IsUnicast());
  EXPECT_FALSE(Mac("03:29:a3:2f:41:c8").IsUnicast());
  EXPECT_FALSE(Mac("ff:ff:ff:ff:ff:ff").IsUnicast());
  EXPECT_FALSE(Mac("00:00:00:00:00:00").IsUnicast());
}

TEST(LinkNameTest, IsPlainAndFitsTheKernel) {
  for (const char* text : {"svbr0", "a", "0", "br-vm.10_x", "abcdefghijklmno"}) {
    EXPECT_TRUE(LinkName::Parse(text).ok()) << text;
  }
  for (const char* text : {"", ".", "..", "-a", "_a", "abcdefghijklmnop", "a b", "a/b", "a%d",
                           "a:b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(LinkName::Parse(text).ok()) << text;
  }
}

TEST(ErrorTest, EveryReasonIsTheContractsByNameAndNumber) {
  const auto* contract = v1::ErrorReason_descriptor();
  std::set<std::string> names;
  for (int number = 1; number < contract->value_count(); ++number) {
    const auto reason = static_cast<Reason>(number - 1);
    EXPECT_EQ(std::string(ReasonName(reason)), contract->value(number)->name());
    names.insert(contract->value(number)->name());
    EXPECT_EQ(ReasonOf(Error(reason, "x")), reason);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(contract->value_count() - 1));
}

TEST(ErrorTest, TheLowerLevelKnowsBetter) {
  const absl::Status full = Error(Reason::kBridgeFull, "no port");
  const absl::Status seen = WithReason(Reason::kTapCreateFailed, "cannot create", full);
  EXPECT_EQ(ReasonOf(seen), Reason::kBridgeFull);
  EXPECT_EQ(seen.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(seen.message(), "cannot create: no port");
  const absl::Status plain = absl::PermissionDeniedError("EPERM");
  EXPECT_EQ(ReasonOf(WithReason(Reason::kTapCreateFailed, "cannot create", plain)),
            Reason::kTapCreateFailed);
  EXPECT_EQ(ReasonOf(WithContext("here", full)), Reason::kBridgeFull);
  EXPECT_TRUE(WithContext("here", absl::OkStatus()).ok());
}

}  // namespace
}  // namespace svnet

// Ids, names, MACs and boot args: the answers of the TypeScript NetworkManager, and what it got
// wrong.
#include "daemon/lease/names.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "daemon/base/table_name.h"
#include "daemon/lease/boot_args.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using testing::Iface;
using testing::Ip;
using testing::Name;
using ::testing::Not;
using testing::Prefix;
using testing::Vm;

// tests/vectors/names.json: what the TypeScript NetworkManager answered.
const google::protobuf::Struct& Vectors() {
  static const auto* const vectors = [] {
    std::ifstream file(SVNET_VECTORS);
    std::ostringstream text;
    text << file.rdbuf();
    auto* parsed = new google::protobuf::Struct;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text.str(), parsed).ok());
    return parsed;
  }();
  return *vectors;
}

using Vector = google::protobuf::Map<std::string, google::protobuf::Value>;

std::vector<Vector> VectorsOf(const std::string& key) {
  std::vector<Vector> vectors;
  for (const auto& value : Vectors().fields().at(key).list_value().values()) {
    vectors.push_back(value.struct_value().fields());
  }
  return vectors;
}

TEST(VectorsTest, MacsAndPreferredNamesAreThoseOfTypeScript) {
  const std::vector<Vector> vectors = VectorsOf("names");
  EXPECT_EQ(vectors.size(), 117u);
  for (const Vector& vector : vectors) {
    const VmId vm = Vm(vector.at("vm_id").string_value());
    const IfaceId iface = Iface(vector.at("iface_id").string_value());
    EXPECT_EQ(DeriveGuestMac(vm, iface, 0).ToString(), vector.at("mac").string_value());
    EXPECT_EQ(PreferredTapName(vm, iface).text(), vector.at("preferred_tap_name").string_value());
  }
}

TEST(VectorsTest, MasksAreThoseOfTypeScript) {
  const std::vector<Vector> vectors = VectorsOf("masks");
  EXPECT_EQ(vectors.size(), 32u);
  for (const Vector& vector : vectors) {
    const int length = static_cast<int>(vector.at("prefix_length").number_value());
    EXPECT_EQ(Ipv4Prefix::Containing(Ip("10.0.0.0"), length).netmask().ToString(),
              vector.at("netmask").string_value());
  }
}

TEST(VectorsTest, BootArgsAreThoseOfTypeScript) {
  for (const Vector& vector : VectorsOf("boot_args")) {
    EXPECT_EQ(RenderBootArgs({.guest = Ip(vector.at("guest_ip").string_value()),
                              .gateway = Ip("172.30.0.1"),
                              .netmask = Ip("255.255.255.0"),
                              .hostname = HostName(),
                              .guest_interface = Name("eth0"),
                              .dns_servers = {}}),
              vector.at("boot_args").string_value());
  }
}

TEST(BootArgsTest, WithEverything) {
  EXPECT_EQ(RenderBootArgs({.guest = Ip("10.1.2.66"),
                            .gateway = Ip("10.1.2.65"),
                            .netmask = Ip("255.255.255.192"),
                            .hostname = HostName::Parse("web-1.example").value(),
                            .guest_interface = Name("ens3"),
                            .dns_servers = {Ip("1.1.1.1"), Ip("9.9.9.9")}}),
            "ip=10.1.2.66::10.1.2.65:255.255.255.192:web-1.example:ens3:off:1.1.1.1:9.9.9.9");
}

TEST(BootArgsTest, AHostNameCannotAddFields) {
  for (const char* text : {"a:b", "a b", "-a", "a_b", "a\n", "a,b", "$(id)"}) {
    EXPECT_EQ(testing::ReasonIn(HostName::Parse(text).status()), "INVALID_ID") << text;
  }
  EXPECT_FALSE(HostName::Parse(std::string(65, 'a')).ok());
  EXPECT_TRUE(HostName::Parse(std::string(64, 'a')).ok());
  EXPECT_EQ(HostName::Parse("").value().text(), "");
}

TEST(IdsTest, OnlyThePlainForm) {
  EXPECT_TRUE(VmId::Parse(std::string(64, 'a')).ok());
  EXPECT_FALSE(VmId::Parse(std::string(65, 'a')).ok());
  EXPECT_TRUE(IfaceId::Parse(std::string(32, 'a')).ok());
  EXPECT_FALSE(IfaceId::Parse(std::string(33, 'a')).ok());
  EXPECT_TRUE(VmId::Parse("0.a_b-C").ok());
  const std::string nul("a\0b", 3);
  for (const std::string& text : {std::string(), nul, std::string("%d"), std::string("a/b"),
                                  std::string(".."), std::string("a b"), std::string("a\nb"),
                                  std::string("\xff"), std::string("-a"), std::string("$(id)")}) {
    EXPECT_EQ(testing::ReasonIn(VmId::Parse(text).status()), "INVALID_ID") << text;
    EXPECT_EQ(testing::ReasonIn(IfaceId::Parse(text).status()), "INVALID_ID") << text;
  }
}

TEST(IdsTest, TheErrorShowsTheTextEscapedAndCut) {
  const std::string message(VmId::Parse("a\n" + std::string(5000, 'x')).status().message());
  EXPECT_THAT(message, HasSubstr("vm_id \"a\\n"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_LT(message.size(), 250u);
}

// Fault 3.
TEST(NamesTest, HashedNamesDifferByOwnerVmIfaceAndAttempt) {
  const LeaseKey key = {.owner = 1000, .vm = Vm("same-vm-1"), .iface = Iface("eth0")};
  LeaseKey other_owner = key, other_vm = key, other_iface = key;
  other_owner.owner = 1001;
  other_vm.vm = Vm("same-vm-2");
  other_iface.iface = Iface("eth1");
  const std::set<std::string> names = {
      HashedTapName(key, 0).text(),         HashedTapName(key, 1).text(),
      HashedTapName(other_owner, 0).text(), HashedTapName(other_vm, 0).text(),
      HashedTapName(other_iface, 0).text(),
  };
  EXPECT_EQ(names.size(), 5u);
  for (const std::string& name : names) {
    EXPECT_EQ(name.size(), 15u);
    EXPECT_EQ(name.substr(0, 2), "sv");
  }
  // The same in every build, or a restart would not find it.
  EXPECT_EQ(HashedTapName(key, 0).text(), "svadb3pgwpeo5bn");
}

// Fault 9.
TEST(NamesTest, AnotherAttemptIsAnotherMac) {
  std::set<MacAddress> macs;
  for (int attempt = 0; attempt < 50; ++attempt) {
    macs.insert(DeriveGuestMac(Vm("vm1"), Iface("eth0"), attempt));
  }
  EXPECT_EQ(macs.size(), 50u);
}

TEST(NamesTest, ABridgesMacIsTheMachinesAndUnlikeAGuests) {
  MachineId machine = {1, 2, 3};
  const MacAddress mac = DeriveBridgeMac(machine, Name("svbr0"));
  EXPECT_EQ(mac, DeriveBridgeMac(machine, Name("svbr0")));
  EXPECT_NE(mac, DeriveBridgeMac(machine, Name("svbr1")));
  machine[15] = 1;
  EXPECT_NE(mac, DeriveBridgeMac(machine, Name("svbr0")));
  EXPECT_TRUE(mac.IsUnicast());
  EXPECT_NE(mac.octets()[0], DeriveGuestMac(Vm("vm1"), Iface("eth0"), 0).octets()[0]);
}

TEST(NamesTest, LinkGroupsAreEvenAndNotTheDefault) {
  std::set<uint32_t> groups;
  for (int i = 0; i < 100; ++i) {
    const uint32_t group = DeriveLinkGroup(Name(absl::StrCat("br", i)));
    EXPECT_EQ(group % 2, 0u);
    EXPECT_GT(group, 1u);
    EXPECT_LE(group, 0x7fffffffu);
    groups.insert(group);
  }
  EXPECT_EQ(groups.size(), 100u);
}

TEST(NamesTest, RetiredGroupsFollowTheOneOfTheTapsAndNoneIsOfTheOthers) {
  EXPECT_EQ(RetiredGroupOf(100), 101u);
  for (uint32_t number = 0; number < kRetiredGroups; ++number) {
    EXPECT_EQ(RetiredGroupNumber(100, RetiredGroupOf(100, number)), number);
  }
  for (const uint32_t other : {0u, 99u, 100u, 101 + kRetiredGroups, 0xffffffffu}) {
    EXPECT_EQ(RetiredGroupNumber(100, other), std::nullopt) << other;
  }
}

TEST(TableNameTest, NoTwoBridgesShareOne) {
  const std::vector<std::string> bridges = {"x", "x.a", "x.a.b", "x-a", "x.b", "svnet-x", "a"};
  std::set<std::string> all;
  size_t count = 0;
  for (const std::string& bridge : bridges) {
    ASSERT_TRUE(LinkName::Parse(bridge).ok()) << bridge;
    for (const std::string& table : TableNames(bridge)) {
      EXPECT_TRUE(all.insert(table).second) << table;
      EXPECT_TRUE(IsSvnetTable(table));
      ++count;
      for (const std::string& other : bridges) {
        EXPECT_EQ(IsTableOf(table, other), other == bridge) << table << ", " << other;
      }
    }
  }
  EXPECT_EQ(all.size(), count);
}

}  // namespace
}  // namespace svnet

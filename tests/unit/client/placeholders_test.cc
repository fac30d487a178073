// {tap} and the like in arguments; words that were nearly right.
#include "client/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/nearest.h"

namespace svnet::client {
namespace {

using ::testing::HasSubstr;

const std::map<std::string, std::string>& Values() {
  static const auto* const values = new std::map<std::string, std::string>{
      {"tap", "svvm1eth0"}, {"ip", "172.30.0.2"}, {"boot_args", "ip=a b"}, {"gateway", "{tap}"}};
  return *values;
}

std::string Substituted(const std::string& argument) { return *Substitute(argument, Values()); }

TEST(PlaceholdersTest, AreReplacedEverywhere) {
  EXPECT_EQ(Substituted("{tap}"), "svvm1eth0");
  EXPECT_EQ(Substituted("tap,ifname={tap},x={ip}{ip}"),
            "tap,ifname=svvm1eth0,x=172.30.0.2172.30.0.2");
  EXPECT_EQ(Substituted("console=ttyS0 {boot_args}"), "console=ttyS0 ip=a b");
}

TEST(PlaceholdersTest, AreNotReplacedInValues) { EXPECT_EQ(Substituted("{gateway}"), "{tap}"); }

TEST(PlaceholdersTest, AreKeptInDoubledBraces) {
  EXPECT_EQ(Substituted("{{tap}}"), "{tap}");
  EXPECT_EQ(Substituted("{{{tap}}}"), "{{tap}}");
  EXPECT_EQ(Substituted("{{tap}"), "{svvm1eth0");
}

TEST(PlaceholdersTest, LeaveOtherBracesUnchanged) {
  for (const char* text :
       {"", "{", "}", "{}", "{{}}", "{tap", "tap}", "{a b}", "{id}", "{vmm}", "{0}", "${tap}",
        R"({"iface_id": "eth0", "a": {"b": {"c": 1}}})", R"({"x":{{"y":2}}})"}) {
    EXPECT_EQ(Substituted(text), text);
  }
  EXPECT_EQ(Substituted(R"({"host_dev_name":"{tap}","n":{"ip":"{ip}"}})"),
            R"({"host_dev_name":"svvm1eth0","n":{"ip":"172.30.0.2"}})");
}

TEST(PlaceholdersTest, ReportMisspeltNames) {
  for (const char* text : {"{boot-args}", "{Boot_Args}", "{boot_arg}", "{gatway}", "{TAP}"}) {
    EXPECT_THAT(std::string(Substitute(text, Values()).status().message()),
                HasSubstr("did you mean {"))
        << text;
  }
}

TEST(NearestTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("list", "list"), 0);
  EXPECT_EQ(EditDistance("lsit", "list"), 1);
  EXPECT_EQ(EditDistance("lst", "list"), 1);
  EXPECT_EQ(EditDistance("create", "remove"), 4);
}

TEST(NearestTest, FindsOnlySimilarWords) {
  EXPECT_EQ(FindNearest("craete", {"create", "list"}), "create");
  EXPECT_EQ(FindNearest("destroy", {"create", "list"}), std::nullopt);
  EXPECT_EQ(FindNearest(std::string(1000, 'x'), {std::string(999, 'x')}), std::nullopt);
}

}  // namespace
}  // namespace svnet::client

// Aliases that released versions wrote to TAPs: a later svnetd that is started over them reads
// the same leases. tests/vectors/aliases.json only ever grows.
#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/alias_v1.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::SizeIs;

// Field by field, as the file has it.
using Meaning = std::map<std::string, std::string>;

void AddLifetime(const Lifetime& lifetime, Meaning* meaning) {
  if (const auto* process = std::get_if<BoundToProcess>(&lifetime)) {
    (*meaning)["process"] = absl::StrCat(process->pid);
    (*meaning)["start_time"] = absl::StrCat(process->start_time);
  }
  if (const auto* detached = std::get_if<UntilDetached>(&lifetime)) {
    (*meaning)["grace_ms"] = absl::StrCat(absl::ToInt64Milliseconds(detached->grace));
  }
}

template <typename Granted>
Meaning CommonMeaning(const VmId& vm, const IfaceId& iface, const Granted& alias) {
  Meaning meaning = {{"vm_id", vm.text()},
                     {"iface_id", iface.text()},
                     {"guest_ip", alias.ip.ToString()},
                     {"guest_mac", alias.mac.ToString()},
                     {"queues", absl::StrCat(alias.queues)}};
  AddLifetime(alias.lifetime, &meaning);
  return meaning;
}

Meaning MeaningOf(const AliasV1& alias) {
  Meaning meaning = CommonMeaning(alias.vm, alias.iface, alias);
  meaning["bridge"] = std::string(alias.bridge.text());
  return meaning;
}

Meaning MeaningOf(const LeaseSpec& alias) {
  Meaning meaning = CommonMeaning(alias.key.vm, alias.key.iface, alias);
  meaning["owner"] = absl::StrCat(alias.key.owner);
  if (alias.group.has_value()) meaning["group"] = absl::StrCat(*alias.group);
  meaning["create_time"] = absl::StrCat(alias.create_time);
  meaning["generation"] = absl::StrCat(alias.generation);
  if (!alias.text_digest.empty()) meaning["text_digest"] = alias.text_digest;
  return meaning;
}

// The texts of one version, with what they mean.
std::vector<std::pair<std::string, Meaning>> Corpus(const std::string& version) {
  std::ifstream file(SVNET_ALIASES);
  std::ostringstream text;
  text << file.rdbuf();
  google::protobuf::Struct parsed;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text.str(), &parsed).ok());
  std::vector<std::pair<std::string, Meaning>> corpus;
  for (const auto& each : parsed.fields().at(version).list_value().values()) {
    const auto& alias = each.struct_value().fields();
    Meaning meaning;
    for (const auto& [field, value] : alias.at("means").struct_value().fields()) {
      meaning[field] = value.string_value();
    }
    corpus.emplace_back(alias.at("text").string_value(), std::move(meaning));
  }
  return corpus;
}

TEST(AliasCorpusTest, EachAliasOfVersion1MeansWhatItMeant) {
  const auto corpus = Corpus("svnet1");
  EXPECT_THAT(corpus, SizeIs(13));
  for (const auto& [text, meaning] : corpus) {
    const absl::StatusOr<AliasV1> alias = ParseAliasV1(text);
    ASSERT_TRUE(alias.ok()) << text << ": " << alias.status();
    EXPECT_EQ(MeaningOf(*alias), meaning) << text;
  }
}

TEST(AliasCorpusTest, EachAliasOfVersion2MeansWhatItMeant) {
  const auto corpus = Corpus("svnet2");
  EXPECT_THAT(corpus, SizeIs(26));
  for (const auto& [text, meaning] : corpus) {
    const absl::StatusOr<LeaseSpec> alias = ParseAlias(testing::Name("svvm1eth0"), text);
    ASSERT_TRUE(alias.ok()) << text << ": " << alias.status();
    EXPECT_EQ(MeaningOf(*alias), meaning) << text;
  }
}

}  // namespace
}  // namespace svnet

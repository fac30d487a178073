// How a CreateTapsRequest is taken apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/gate/create_taps_call.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

absl::StatusOr<std::vector<std::string>> Split(const std::string& bytes) {
  // In parts, as they come.
  const grpc::Slice slices[] = {grpc::Slice(bytes.substr(0, bytes.size() / 2)),
                                grpc::Slice(bytes.substr(bytes.size() / 2))};
  return SplitCreateTaps(grpc::ByteBuffer(slices, 2));
}

v1::CreateTapsRequest RequestOf(const std::vector<std::string>& vms) {
  v1::CreateTapsRequest request;
  for (const std::string& vm : vms) request.add_requests()->set_vm_id(vm);
  return request;
}

TEST(SplitCreateTapsTest, KeepsTheOrderAndEachRequestAsItCame) {
  const v1::CreateTapsRequest request = RequestOf({"vm1", "vm2"});
  EXPECT_THAT(*Split(request.SerializeAsString()),
              ElementsAre(request.requests(0).SerializeAsString(),
                          request.requests(1).SerializeAsString()));
  // Not even these are read: what an empty one lacks, svnetd says.
  EXPECT_THAT(*Split(std::string("\x0a\x00\x0a\x01\xff", 5)), ElementsAre("", "\xff"));
}

TEST(SplitCreateTapsTest, PassesOverWhatItDoesNotKnow) {
  const std::string one = RequestOf({"vm1"}).SerializeAsString();
  const std::string unknown = std::string("\x10\x96\x01\x1a\x03") + "abc";
  EXPECT_THAT(*Split(unknown + one + unknown), SizeIs(1));
}

TEST(SplitCreateTapsTest, SaysWhatIsWrong) {
  std::string large(kMaxRequestSize, 'x');
  for (const auto& [bytes, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "there are no requests"},
           {"\x0a\x05"
            "abc",
            "not a protobuf message"},
           {"\x0a", "not a protobuf message"},
           {"\x0b", "not a protobuf message"},
           {std::string("\x00", 1), "not a protobuf message"},
           {"\x0a\xff\xff\xff\xff\x0f", "request 0 has 4294967295 bytes"},
           {RequestOf({"vm1", large}).SerializeAsString(), "request 1 has 12291 bytes"},
           {RequestOf(std::vector<std::string>(1001, "vm")).SerializeAsString(),
            "more than 1000 requests"}}) {
    const auto split = Split(bytes);
    EXPECT_EQ(ReasonOf(split.status()), Reason::kInvalidRequest);
    EXPECT_THAT(std::string(split.status().message()), HasSubstr(why));
  }
  EXPECT_THAT(*Split(RequestOf(std::vector<std::string>(1000, "vm")).SerializeAsString()),
              SizeIs(1000));
}

}  // namespace
}  // namespace svnet

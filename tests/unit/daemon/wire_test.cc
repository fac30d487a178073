// What gates and svnetd say to each other, as bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/wire/channel.h"
#include "daemon/wire/message.h"

namespace svnet {
namespace {

Message Full() {
  return {.kind = MessageKind::kAnswer,
          .method = Method::kListTaps,
          .more = true,
          .id = 7,
          .connection = 9,
          .status = {.code = 5, .text = "not there", .details = std::string("\0\1", 2)},
          .body = std::string("a\0b", 3)};
}

TEST(MessageTest, ComesBackAsItWas) {
  EXPECT_EQ(*Decode(Encode(Full())), Full());
  const Message small = {.kind = MessageKind::kReady};
  EXPECT_EQ(*Decode(Encode(small)), small);
}

TEST(MessageTest, NothingElseIsTaken) {
  const std::string bytes = Encode(Full());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Decode(bytes.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Decode(bytes + "x").ok());
  // Each byte of the header set to its largest: no length, kind, method or code of that size
  // is one, and the two numbers are.
  for (size_t at = 0; at < 32; ++at) {
    std::string changed = bytes;
    changed[at] = '\xff';
    const bool number = at >= 8 && at < 24;
    EXPECT_EQ(Decode(changed).ok(), number) << at;
  }
}

TEST(MessageTest, EveryMethodHasAName) {
  for (int i = 0; i < kMethods; ++i) EXPECT_NE(MethodName(static_cast<Method>(i)), "");
  EXPECT_EQ(MethodName(Method::kGetBootArgs), "GetBootArgs");
}

TEST(ChannelTest, CarriesWholePacketsAndDescriptors) {
  auto ends = *Channel::Pair();
  EXPECT_TRUE(absl::IsUnavailable(ends.first.Receive(10, true).status()));
  ASSERT_TRUE(ends.second.Send("one", ends.second.fd()).ok());
  ASSERT_TRUE(ends.second.Send("two", ends.second.fd()).ok());
  ASSERT_TRUE(ends.second.Send("too long").ok());
  auto one = ends.first.Receive(10, true);
  EXPECT_EQ(one->bytes, "one");
  EXPECT_TRUE(one->descriptor.valid());
  one->descriptor.Reset();  // it is the end that is to be closed
  const auto two = ends.first.Receive(10, false);
  EXPECT_EQ(two->bytes, "two");
  EXPECT_FALSE(two->descriptor.valid());
  EXPECT_TRUE(absl::IsOutOfRange(ends.first.Receive(5, true).status()));
  std::move(ends.second).Release();
  EXPECT_TRUE(absl::IsAborted(ends.first.Receive(5, true).status()));
}

TEST(ChannelTest, SendDoesNotWaitForAReader) {
  const auto ends = *Channel::Pair();
  absl::Status status;
  int sent = 0;
  for (; sent < 100'000 && status.ok(); ++sent) status = ends.first.Send(std::string(1000, 'x'));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(ends.second.Receive(1000, false).ok());
  for (int i = 0; i < sent; ++i) ends.second.Receive(1000, false).IgnoreError();
  EXPECT_TRUE(ends.first.Send("again").ok());
}

}  // namespace
}  // namespace svnet

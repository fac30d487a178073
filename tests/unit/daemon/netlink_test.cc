// The netlink codec: what is sent, and what hostile or truncated answers read as.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/kernel/link_monitor.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/netlink/netlink_error.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kFirst = (1u << 31) + 1;  // the first request's number

std::string Sent(NetlinkMessage message, uint32_t number = 1, int flags = 0) {
  return std::string(message.Finish(number, flags));
}

NetlinkReader Read(absl::string_view bytes) {
  const std::optional<NetlinkReader> message = NetlinkReader::Take(&bytes);
  EXPECT_TRUE(message.has_value());
  EXPECT_TRUE(bytes.empty());
  return *message;
}

TEST(NetlinkMessageTest, IsWhatTheKernelReads) {
  NetlinkMessage message(RTM_SETLINK, NLM_F_CREATE, ifinfomsg{.ifi_index = 7});
  message.PutText(IFLA_IFNAME, "abc");
  {
    const Nest info(&message, IFLA_LINKINFO);
    message.PutBytes(IFLA_INFO_KIND, "xyz");
  }
  EXPECT_EQ(absl::BytesToHexString(Sent(std::move(message), 0x01020304, NLM_F_ACK)),
            "34000000"  // length
            "1300"      // RTM_SETLINK
            "0504"      // request, ack, create
            "04030201"  // number
            "00000000"
            "0000000007000000"  // ifinfomsg
            "0000000000000000"
            "08000300"
            "61626300"  // IFLA_IFNAME
            "0c001280"  // IFLA_LINKINFO, nested
            "07000100"
            "78797a00");  // IFLA_INFO_KIND, padded
}

TEST(NetlinkReaderTest, ReadsWhatWasBuilt) {
  NetlinkMessage built(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = 7});
  built.Put(IFLA_MTU, uint32_t{1400});
  built.PutText(IFLA_IFNAME, "abc");
  const std::string bytes = Sent(std::move(built), 9);
  const NetlinkReader message = Read(bytes);
  EXPECT_EQ(message.type(), RTM_NEWLINK);
  EXPECT_EQ(message.number(), 9u);
  EXPECT_EQ(message.fixed<ifinfomsg>().ifi_index, 7);
  const NetlinkAttributes attributes = message.attributes<ifinfomsg>();
  EXPECT_EQ(attributes.Get<uint32_t>(IFLA_MTU), 1400u);
  EXPECT_EQ(attributes.GetText(IFLA_IFNAME), "abc");
  EXPECT_EQ(attributes.Get<uint64_t>(IFLA_MTU), std::nullopt) << "too short";
  EXPECT_EQ(attributes.Find(IFLA_ADDRESS), std::nullopt);
  EXPECT_EQ(attributes.In(IFLA_LINKINFO).GetText(IFLA_INFO_KIND), "");
}

TEST(NetlinkReaderTest, OfTwoAttributesOfATypeTheSecondCounts) {
  NetlinkMessage built(RTM_NEWLINK, 0, ifinfomsg{});
  built.Put(IFLA_MTU, uint32_t{1});
  built.Put(IFLA_MTU, uint32_t{2});
  const std::string bytes = Sent(std::move(built));
  EXPECT_EQ(Read(bytes).attributes<ifinfomsg>().Get<uint32_t>(IFLA_MTU), 2u);
}

TEST(NetlinkReaderTest, WholeAttributesAreSentBackAsTheyCame) {
  NetlinkMessage first(RTM_NEWLINK, 0, ifinfomsg{});
  first.PutBytes(IFLA_ADDRESS, "123456");
  const std::string bytes = Sent(std::move(first));
  NetlinkMessage second(RTM_NEWLINK, 0, ifinfomsg{});
  second.Append(Read(bytes).attributes<ifinfomsg>().FindWhole(IFLA_ADDRESS));
  EXPECT_EQ(Sent(std::move(second)), bytes);
}

// What lies about its length is not read, nor anything behind it.
TEST(NetlinkReaderTest, StopsAtALengthThatCannotBe) {
  for (const uint16_t length : {0, 3, 9, 65535}) {
    NetlinkMessage built(RTM_NEWLINK, 0, ifinfomsg{});
    built.Put(IFLA_MTU, uint32_t{1});
    built.Put(IFLA_GROUP, uint32_t{2});
    std::string bytes = Sent(std::move(built));
    const size_t last = bytes.size() - 8;
    std::memcpy(bytes.data() + last, &length, sizeof(length));
    const NetlinkAttributes attributes = Read(bytes).attributes<ifinfomsg>();
    EXPECT_EQ(attributes.Get<uint32_t>(IFLA_MTU), 1u);
    EXPECT_EQ(attributes.Find(IFLA_GROUP), std::nullopt) << length;
  }
  for (const uint32_t length : {0u, 15u, 33u, 0xffffffffu}) {
    std::string bytes = Sent(NetlinkMessage(RTM_NEWLINK, 0, ifinfomsg{}));
    std::memcpy(bytes.data(), &length, sizeof(length));
    absl::string_view view = bytes;
    EXPECT_FALSE(NetlinkReader::Take(&view).has_value()) << length;
  }
}

std::string WholeLink() {
  NetlinkMessage link(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = 7, .ifi_flags = 1});
  link.PutText(IFLA_IFNAME, "svvm1eth0");
  link.Put(IFLA_MTU, uint32_t{1400});
  link.Put(IFLA_GROUP, uint32_t{100});
  {
    const Nest info(&link, IFLA_LINKINFO);
    link.PutText(IFLA_INFO_SLAVE_KIND, "bridge");
    const Nest port(&link, IFLA_INFO_SLAVE_DATA);
    link.Put(IFLA_BRPORT_LEARNING, uint8_t{0});
    link.Put(IFLA_BRPORT_UNICAST_FLOOD, uint8_t{0});
    link.Put(IFLA_BRPORT_GROUP_FWD_MASK, kForwardedGroups);
  }
  return Sent(std::move(link));
}

// Each is a heap block of its own: AddressSanitizer sees a read behind its end.
TEST(RouteMessagesTest, ALinkThatIsCutOffReadsAsFarAsItGoes) {
  const std::string whole = WholeLink();
  for (size_t length = sizeof(nlmsghdr); length < whole.size(); ++length) {
    std::string part = whole.substr(0, length);
    const auto claimed = static_cast<uint32_t>(length);
    std::memcpy(part.data(), &claimed, sizeof(claimed));
    absl::string_view bytes = part;
    const std::optional<NetlinkReader> message = NetlinkReader::Take(&bytes);
    ASSERT_TRUE(message.has_value());
    const Link link = ParseLink(*message);
    EXPECT_TRUE(link.ifindex == 7 || link.ifindex == 0);
    EXPECT_TRUE(link.name == "svvm1eth0" || link.name.empty());
    EXPECT_FALSE(link.pinned);
    for (const int type : {RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWNEIGH, RTM_NEWNETCONF}) {
      const auto other = static_cast<uint16_t>(type);
      std::memcpy(part.data() + 4, &other, sizeof(other));
      absl::string_view again = part;
      KernelChanges changes;
      AddChange(*NetlinkReader::Take(&again), &changes);
      ParseRoute(*message);
    }
  }
}

TEST(LinkMonitorTest, NotesTheLastStateOfALink) {
  const std::string bytes = WholeLink();
  KernelChanges changes;
  AddChange(Read(bytes), &changes);
  ASSERT_TRUE(changes.links.contains(7));
  EXPECT_EQ(changes.links[7].group, 100u);
  EXPECT_TRUE(changes.links[7].pinned);
  std::string gone = bytes;
  const uint16_t type = RTM_DELLINK;
  std::memcpy(gone.data() + 4, &type, sizeof(type));
  AddChange(Read(gone), &changes);
  EXPECT_THAT(changes.links, IsEmpty());
  EXPECT_THAT(changes.gone, ElementsAre(7));
}

// A socket whose other end is the test: answers are there before the request is sent.
class NetlinkSocketTest : public ::testing::Test {
 protected:
  NetlinkSocketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    kernel_.Reset(ends[0]);
    socket_.emplace(NetlinkSocket::Share(UniqueFd(ends[1])).value());
  }

  void Answer(absl::string_view datagram) {
    ASSERT_EQ(write(kernel_.get(), datagram.data(), datagram.size()),
              static_cast<ssize_t>(datagram.size()));
  }
  // `error`: an errno; 0: done.
  static std::string Result(uint32_t number, int error, int type = NLMSG_ERROR) {
    return Sent(NetlinkMessage(type, 0, nlmsgerr{.error = -error, .msg = {}}), number,
                NLM_F_CAPPED);
  }
  static std::string Object(uint32_t number, int index, int flags = 0) {
    return Sent(NetlinkMessage(RTM_NEWLINK, flags, ifinfomsg{.ifi_index = index}), number);
  }
  static NetlinkMessage Request() { return {RTM_GETLINK, 0, ifinfomsg{}}; }
  // What the test end has received next.
  std::string Received() {
    char buffer[4096];
    const ssize_t size = recv(kernel_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return {buffer, static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }

  absl::Status Get(std::vector<int>* indexes) {
    return socket_->Get(Request(), [indexes](const NetlinkReader& message) {
      indexes->push_back(message.fixed<ifinfomsg>().ifi_index);
    });
  }

  UniqueFd kernel_;
  std::optional<NetlinkSocket> socket_;
};

TEST_F(NetlinkSocketTest, GivesTheObjectAndThenTheResult) {
  Answer(Object(kFirst, 7));
  Answer(Result(kFirst, 0));
  std::vector<int> indexes;
  EXPECT_TRUE(Get(&indexes).ok());
  EXPECT_THAT(indexes, ElementsAre(7));
}

TEST_F(NetlinkSocketTest, IgnoresLateAnswersToEarlierRequests) {
  Answer(Result(kFirst - 1, EPERM));
  Answer(Object(3, 8));
  Answer(absl::StrCat(Object(kFirst, 7), Result(kFirst, 0)));
  std::vector<int> indexes;
  EXPECT_TRUE(Get(&indexes).ok());
  EXPECT_THAT(indexes, ElementsAre(7));
}

TEST_F(NetlinkSocketTest, IgnoresWhatIsNotAMessage) {
  Answer("");
  Answer("short");
  Answer(std::string(200, '\xff'));
  Answer(Result(kFirst, 0));
  std::vector<int> indexes;
  EXPECT_TRUE(Get(&indexes).ok());
  EXPECT_THAT(indexes, IsEmpty());
}

TEST_F(NetlinkSocketTest, SaysTheKernelsErrorAndItsText) {
  NetlinkMessage refused(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS,
                         nlmsgerr{.error = -EBUSY, .msg = {}});
  refused.PutText(NLMSGERR_ATTR_MSG, "not now");
  Answer(Sent(std::move(refused), kFirst));
  const absl::Status status = socket_->Transact(Request());
  EXPECT_EQ(ErrnoOf(status), EBUSY);
  EXPECT_EQ(status.message(), "Device or resource busy (not now)");
}

// Not capped, the request is repeated; its length may be anything.
TEST_F(NetlinkSocketTest, BelievesNoLengthInAnError) {
  uint32_t number = kFirst;
  for (const uint32_t length : {0u, 16u, 60u, 0xffffffffu}) {
    NetlinkMessage refused(NLMSG_ERROR, NLM_F_ACK_TLVS,
                           nlmsgerr{.error = -EBUSY, .msg = {.nlmsg_len = length}});
    refused.PutText(NLMSGERR_ATTR_MSG, "not now");
    Answer(Sent(std::move(refused), number++));
    EXPECT_EQ(ErrnoOf(socket_->Transact(Request())), EBUSY) << length;
  }
}

TEST_F(NetlinkSocketTest, StartsAnInterruptedDumpAgain) {
  Answer(Object(kFirst, 1, NLM_F_DUMP_INTR));
  Answer(Result(kFirst, 0, NLMSG_DONE));
  Answer(Object(kFirst + 1, 2));
  Answer(Result(kFirst + 1, 0, NLMSG_DONE));
  std::vector<int> indexes;
  EXPECT_TRUE(socket_
                  ->Dump([] { return Request(); }, [&] { indexes.clear(); },
                         [&](const NetlinkReader& message) {
                           indexes.push_back(message.fixed<ifinfomsg>().ifi_index);
                         })
                  .ok());
  EXPECT_THAT(indexes, ElementsAre(2));
}

TEST_F(NetlinkSocketTest, ADumpThatFailsOnItsWaySaysSo) {
  Answer(Object(kFirst, 1));
  Answer(Result(kFirst, ENOMEM, NLMSG_DONE));
  const absl::Status status =
      socket_->Dump([] { return Request(); }, [] {}, [](const NetlinkReader&) {});
  EXPECT_EQ(ErrnoOf(status), ENOMEM);
}

TEST_F(NetlinkSocketTest, ABatchGivesTheFirstErrorAndWaitsForTheLast) {
  Answer(Result(kFirst + 1, EEXIST));
  Answer(Result(kFirst + 2, ENOENT));
  std::vector<NetlinkMessage> requests;
  requests.push_back(Request());
  requests.push_back(Request());
  EXPECT_EQ(ErrnoOf(socket_->TransactBatch(NFNL_SUBSYS_NFTABLES, std::move(requests))), EEXIST);
  const std::string batch = Received();
  absl::string_view left = batch;
  std::vector<int> types;
  while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&left)) {
    types.push_back(message->type());
  }
  EXPECT_THAT(types,
              ElementsAre(NFNL_MSG_BATCH_BEGIN, RTM_GETLINK, RTM_GETLINK, NFNL_MSG_BATCH_END));
  // The next answer is the next request's.
  Answer(Result(kFirst + 3, 0));
  EXPECT_TRUE(socket_->Transact(Request()).ok());
}

TEST_F(NetlinkSocketTest, AnErrorOfTheBeginOfABatchIsTheOnlyOne) {
  Answer(Result(kFirst, EPERM));
  std::vector<NetlinkMessage> requests;
  requests.push_back(Request());
  const absl::Status status = socket_->TransactBatch(NFNL_SUBSYS_NFTABLES, std::move(requests));
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_TRUE(socket_->TransactBatch(NFNL_SUBSYS_NFTABLES, {}).ok());
}

}  // namespace
}  // namespace svnet

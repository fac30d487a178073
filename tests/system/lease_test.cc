// Leases end to end: svnetd as a process, callers of several uids, the real kernel.
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Property;

class LeaseTest : public SystemTest {};

// Fault 11: nothing but the daemon is privileged.
TEST_F(LeaseTest, AnUnprivilegedCallerGetsATapThatItsVmmOpens) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  EXPECT_EQ(tap.tap_name(), "svvm1eth0");
  EXPECT_EQ(tap.guest_ip(), "172.30.0.2");
  EXPECT_EQ(tap.gateway_ip(), "172.30.0.1");
  EXPECT_EQ(tap.subnet_mask(), "255.255.255.0");
  EXPECT_EQ(tap.mac(), "02:29:a3:2f:41:c8");
  EXPECT_EQ(tap.owner_uid(), kAlice);
  // As a VMM: /dev/net/tun and the owner's uid are all that it takes.
  const std::vector<std::string> open_tap = {
      "python3", "-c",
      "import fcntl, struct; fcntl.ioctl(open('/dev/net/tun', 'r+b', 0), 0x400454ca, "
      "struct.pack('16sH22x', b'svvm1eth0', 0x5002))"};
  EXPECT_EQ(RunProgramAs(Member(kAlice), open_tap).code, 0);
  EXPECT_THAT(RunProgramAs(Member(kBob), open_tap).err, HasSubstr("Operation not permitted"));
}

TEST_F(LeaseTest, ARepeatedRequestIsTheSameLease) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  const std::string before = NetworkPicture();
  EXPECT_EQ(alice.MustCreate("vm1").SerializeAsString(), tap.SerializeAsString());
  EXPECT_EQ(NetworkPicture(), before);
  v1::CreateTapRequest other;
  other.set_vm_id("vm1");
  other.set_iface_id("eth0");
  other.set_ip_address("172.30.0.77");
  const Client::Answer refused = alice.Create(other);
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ReasonOf(refused.status), "LEASE_CONFLICT");
}

// Faults 1 and 12: addresses come back, and end at .254.
TEST_F(LeaseTest, TheDefaultPrefixHas253Leases) {
  Daemon svnetd = Start({"--taps-per-user=1000"});
  Client alice(svnetd.socket(), Member(kAlice));
  std::set<std::string> names, macs, addresses;
  for (int i = 0; i < 253; ++i) {
    const v1::Tap tap = alice.MustCreate(absl::StrCat("vm-", i));
    names.insert(tap.tap_name());
    macs.insert(tap.mac());
    addresses.insert(tap.guest_ip());
  }
  EXPECT_EQ(names.size(), 253u);
  EXPECT_EQ(macs.size(), 253u);
  EXPECT_EQ(addresses.size(), 253u);
  EXPECT_TRUE(addresses.contains("172.30.0.2"));
  EXPECT_TRUE(addresses.contains("172.30.0.254"));

  const std::string before = NetworkPicture();
  const Client::Answer refused = alice.Create("one-too-many");
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(refused.status), "ADDRESS_POOL_EXHAUSTED");
  EXPECT_EQ(NetworkPicture(), before);

  v1::RemoveTapRequest remove;
  remove.set_vm_id("vm-100");
  remove.set_iface_id("eth0");
  EXPECT_TRUE(alice.MustRemove(remove));
  EXPECT_EQ(alice.MustCreate("one-more").guest_ip(), "172.30.0.102");
  EXPECT_EQ(alice.Create("one-too-many").status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

// Fault 2: prefixes that are no /24, and bases that are not on an octet.
struct PrefixCase {
  std::string prefix;
  std::string first;
  std::string last;
  std::string mask;
  std::string outside;  // the broadcast address

  friend std::ostream& operator<<(std::ostream& out, const PrefixCase& each) {
    return out << each.prefix;
  }
};

class PrefixTest : public LeaseTest, public ::testing::WithParamInterface<PrefixCase> {};
INSTANTIATE_TEST_SUITE_P(
    Prefixes, PrefixTest,
    ::testing::Values(
        PrefixCase{"10.20.4.0/23", "10.20.4.2", "10.20.5.254", "255.255.254.0", "10.20.5.255"},
        PrefixCase{"10.30.16.0/20", "10.30.16.2", "10.30.31.254", "255.255.240.0", "10.30.31.255"},
        PrefixCase{"10.1.2.64/26", "10.1.2.66", "10.1.2.126", "255.255.255.192", "10.1.2.127"},
        PrefixCase{"10.0.0.0/8", "10.0.0.2", "10.255.255.254", "255.0.0.0", "10.255.255.255"}));

TEST_P(PrefixTest, WorksToTheFirstAndLastAddress) {
  Daemon svnetd = Start({"--subnet", GetParam().prefix});
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap first = alice.MustCreate("first");
  EXPECT_EQ(first.guest_ip(), GetParam().first);
  EXPECT_EQ(first.subnet_mask(), GetParam().mask);
  v1::CreateTapRequest request;
  request.set_vm_id("last");
  request.set_iface_id("eth0");
  request.set_ip_address(GetParam().outside);
  EXPECT_EQ(ReasonOf(alice.Create(request).status), "INVALID_ADDRESS");
  request.set_ip_address(GetParam().last);
  EXPECT_EQ(alice.Create(request).tap.guest_ip(), GetParam().last);
}

TEST_F(LeaseTest, ASlash26IsFullAtSixtyOne) {
  Daemon svnetd = Start({"--subnet", "10.1.2.64/26"});
  Client alice(svnetd.socket(), Member(kAlice));
  std::set<std::string> addresses;
  for (int i = 0; i < 61; ++i) addresses.insert(alice.MustCreate(absl::StrCat("vm", i)).guest_ip());
  EXPECT_EQ(addresses.size(), 61u);
  EXPECT_EQ(ReasonOf(alice.Create("more").status), "ADDRESS_POOL_EXHAUSTED");
}

TEST_F(LeaseTest, ASlash30HasOneLease) {
  Daemon svnetd = Start({"--subnet", "10.9.9.4/30"});
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("only");
  EXPECT_EQ(tap.guest_ip(), "10.9.9.6");
  EXPECT_EQ(tap.gateway_ip(), "10.9.9.5");
  EXPECT_EQ(tap.subnet_mask(), "255.255.255.252");
  EXPECT_EQ(ReasonOf(alice.Create("more").status), "ADDRESS_POOL_EXHAUSTED");
  EXPECT_TRUE(alice.MustRemove(tap.tap_name()));
  EXPECT_EQ(alice.MustCreate("more").guest_ip(), "10.9.9.6");
}

// Fault 3.
TEST_F(LeaseTest, NamesThatCollideAreDifferentDevices) {
  Shell("ip link add svthireth0 type veth peer name elsewhere");
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  const std::string foreign = Shell("ip -o link show svthireth0");
  const std::set<std::string> names = {
      alice.MustCreate("same-vm-1").tap_name(), alice.MustCreate("same-vm-2").tap_name(),
      bob.MustCreate("same-vm-1").tap_name(), alice.MustCreate("third").tap_name()};
  EXPECT_EQ(names.size(), 4u);
  EXPECT_FALSE(names.contains("svthireth0"));
  EXPECT_EQ(Shell("ip -o link show svthireth0"), foreign);
}

// Fault 9.
TEST_F(LeaseTest, MacsThatCollideBecomeDifferent) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  EXPECT_EQ(alice.MustCreate("vm1").mac(), "02:29:a3:2f:41:c8");
  EXPECT_NE(bob.MustCreate("vm1").mac(), "02:29:a3:2f:41:c8");
}

// Fault 8, and every other thing that an id must not do.
TEST_F(LeaseTest, HostileIdsAreRefusedAndDoNothing) {
  Daemon svnetd = Start({"--log-level=debug"});
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string before = NetworkPicture();
  const std::vector<std::string> hostile = {"",
                                            "%d",
                                            "vm%d",
                                            std::string("a\0b", 3),
                                            "a\nb",
                                            "a\n2026-01-01 info: forged",
                                            "a/b",
                                            "..",
                                            ".",
                                            "../../etc/passwd",
                                            "a b",
                                            " ",
                                            "-rf",
                                            "$(touch /tmp/owned)",
                                            "`id`",
                                            "'; drop",
                                            "a\x1b[2Jb",
                                            "\xff\xfe",
                                            "a\xc0\xaf",
                                            "\xe2\x80\xae",
                                            std::string(65, 'a'),
                                            std::string(4096, 'a')};
  for (const std::string& id : hostile) {
    for (const auto& [vm, iface] : {std::pair(id, std::string("eth0")), {"vm1", id}}) {
      const Client::Answer refused = alice.Create(vm, iface);
      EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << id;
      EXPECT_EQ(ReasonOf(refused.status), "INVALID_ID") << id;
      EXPECT_LT(refused.status.error_message().size(), 1000u);
    }
  }
  EXPECT_EQ(NetworkPicture(), before);
  // A line for each call, and nothing in it but printable ASCII.
  int lines = 0;
  std::istringstream log(svnetd.log());
  for (std::string line; std::getline(log, line);) {
    EXPECT_THAT(line, ::testing::MatchesRegex("20[-0-9:T.+]+ (debug|info|warning): [ -~]*"));
    EXPECT_LT(line.size(), 1000u);
    lines += line.find(" CreateTap uid=1000") != std::string::npos;
  }
  EXPECT_EQ(lines, static_cast<int>(2 * hostile.size()));
}

TEST_F(LeaseTest, AnotherOwnersTapLooksLikeNone) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  Client root(svnetd.socket(), 0);
  const v1::Tap tap = alice.MustCreate("vm1");
  EXPECT_THAT(bob.MustList(), IsEmpty());

  const auto boot_args = [&](Client& who, const std::string& tap_name) {
    v1::GetBootArgsRequest request;
    request.set_tap_name(tap_name);
    grpc::ClientContext context;
    v1::GetBootArgsResponse response;
    return who.stub().GetBootArgs(&context, request, &response);
  };
  const grpc::Status of_alices = boot_args(bob, "svvm1eth0");
  const grpc::Status of_nobodys = boot_args(bob, "svvm2eth0");
  EXPECT_EQ(ReasonOf(of_alices), "TAP_NOT_FOUND");
  EXPECT_EQ(of_alices.error_code(), of_nobodys.error_code());
  EXPECT_EQ(of_alices.error_message(), "there is no TAP svvm1eth0");
  EXPECT_EQ(of_nobodys.error_message(), "there is no TAP svvm2eth0");
  EXPECT_FALSE(bob.MustRemove("svvm1eth0"));
  EXPECT_FALSE(bob.MustRemove("svvm2eth0"));
  EXPECT_EQ(bob.MustCleanup(v1::CLEANUP_SCOPE_CALLER).taps_removed(), 0u);

  EXPECT_THAT(alice.MustList(), ElementsAre(Property(&v1::Tap::tap_name, "svvm1eth0")));
  EXPECT_THAT(root.MustList(), ElementsAre(Property(&v1::Tap::tap_name, "svvm1eth0")));
  EXPECT_TRUE(boot_args(root, "svvm1eth0").ok());
  EXPECT_TRUE(root.MustRemove("svvm1eth0"));
  EXPECT_THAT(alice.MustList(), IsEmpty());
}

}  // namespace
}  // namespace svnet::testing

// A lease for other programs, and its lifetime.
#include "client/lease_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lifetime.h"

namespace svnet::client {
namespace {

using ::testing::HasSubstr;

v1::Tap ATap() {
  v1::Tap tap;
  tap.set_tap_name("svvm1eth0");
  tap.set_guest_ip("172.30.0.2");
  tap.set_gateway_ip("172.30.0.1");
  tap.set_subnet_mask("255.255.255.0");
  tap.set_mac("02:29:a3:2f:41:c8");
  tap.set_vm_id("vm1");
  tap.set_iface_id("eth0");
  tap.set_prefix_length(24);
  tap.set_mtu(1500);
  tap.set_queues(1);
  return tap;
}

v1::Tap ATapWithQueues() {
  v1::Tap tap = ATap();
  tap.set_queues(4);
  tap.set_mtu(1400);
  return tap;
}

TEST(LeaseFormatTest, Env) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kEnv),
            "SVNET_TAP=svvm1eth0\n"
            "SVNET_VM=vm1\n"
            "SVNET_IFACE=eth0\n"
            "SVNET_IP=172.30.0.2\n"
            "SVNET_PREFIX_LENGTH=24\n"
            "SVNET_NETMASK=255.255.255.0\n"
            "SVNET_GATEWAY=172.30.0.1\n"
            "SVNET_MAC=02:29:a3:2f:41:c8\n"
            "SVNET_MTU=1500\n"
            "SVNET_QUEUES=1\n");
}

TEST(LeaseFormatTest, QuotesValuesForAShell) {
  v1::Tap tap = ATap();
  tap.set_vm_id("a'b; rm $x");
  tap.set_iface_id("");
  const std::string text = *RenderLease(tap, LeaseFormat::kEnv);
  EXPECT_THAT(text, HasSubstr("SVNET_VM='a'\\''b; rm $x'\n"));
  EXPECT_THAT(text, HasSubstr("SVNET_IFACE=''\n"));
}

TEST(LeaseFormatTest, Firecracker) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kFirecracker),
            "{\"iface_id\": \"eth0\", \"host_dev_name\": \"svvm1eth0\", "
            "\"guest_mac\": \"02:29:a3:2f:41:c8\"}\n");
  v1::Tap tap = ATap();
  tap.set_iface_id("net-0.1");
  EXPECT_THAT(*RenderLease(tap, LeaseFormat::kFirecracker), HasSubstr("\"net_0_1\""));
  EXPECT_THAT(RenderLease(ATapWithQueues(), LeaseFormat::kFirecracker).status().message(),
              HasSubstr("create it without --queues"));
}

TEST(LeaseFormatTest, FirecrackerIsToldOfAnUnusualMtuOnly) {
  v1::Tap tap = ATap();
  tap.set_mtu(1280);
  EXPECT_EQ(*RenderLease(tap, LeaseFormat::kFirecracker),
            "{\"iface_id\": \"eth0\", \"host_dev_name\": \"svvm1eth0\", "
            "\"guest_mac\": \"02:29:a3:2f:41:c8\", \"mtu\": 1280}\n");
}

// At a restore all but the TAP stands in the snapshot.
TEST(LeaseFormatTest, FirecrackerRestore) {
  v1::Tap tap = ATap();
  tap.set_mtu(1280);
  EXPECT_EQ(*RenderLease(tap, LeaseFormat::kFirecrackerRestore),
            "{\"iface_id\": \"eth0\", \"host_dev_name\": \"svvm1eth0\"}\n");
  EXPECT_FALSE(RenderLease(ATapWithQueues(), LeaseFormat::kFirecrackerRestore).ok());
}

TEST(LeaseFormatTest, CloudHypervisorCountsQueuesOfBothDirections) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kCloudHypervisor),
            "--net tap=svvm1eth0,mac=02:29:a3:2f:41:c8,id=eth0\n");
  EXPECT_EQ(*RenderLease(ATapWithQueues(), LeaseFormat::kCloudHypervisor),
            "--net tap=svvm1eth0,mac=02:29:a3:2f:41:c8,id=eth0,num_queues=8\n");
}

TEST(LeaseFormatTest, CloudHypervisorRestore) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kCloudHypervisorRestore),
            "{\"id\": \"eth0\", \"num_fds\": 1}\n");
  EXPECT_EQ(*RenderLease(ATapWithQueues(), LeaseFormat::kCloudHypervisorRestore),
            "{\"id\": \"eth0\", \"num_fds\": 4}\n");
}

TEST(LeaseFormatTest, Qemu) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kQemu),
            "-netdev tap,id=svnet-eth0,ifname=svvm1eth0,script=no,downscript=no "
            "-device virtio-net-pci,netdev=svnet-eth0,mac=02:29:a3:2f:41:c8\n");
  EXPECT_EQ(*RenderLease(ATapWithQueues(), LeaseFormat::kQemu),
            "-netdev tap,id=svnet-eth0,ifname=svvm1eth0,script=no,downscript=no,queues=4 "
            "-device virtio-net-pci,netdev=svnet-eth0,mac=02:29:a3:2f:41:c8,mq=on,vectors=10,"
            "host_mtu=1400\n");
}

TEST(LeaseFormatTest, CloudInit) {
  EXPECT_EQ(*RenderLease(ATap(), LeaseFormat::kCloudInit),
            "version: 2\n"
            "ethernets:\n"
            "  \"eth0\":\n"
            "    match:\n"
            "      macaddress: \"02:29:a3:2f:41:c8\"\n"
            "    addresses:\n"
            "      - \"172.30.0.2/24\"\n"
            "    routes:\n"
            "      - to: 0.0.0.0/0\n"
            "        via: \"172.30.0.1\"\n"
            "    mtu: 1500\n");
}

TEST(LifetimeTest, ParsesAndFormatsAllKinds) {
  for (const char* text :
       {"persistent", "process:4711", "until-detached", "until-detached:1m30s"}) {
    EXPECT_EQ(FormatLifetime(*ParseLifetime(text)), text);
  }
  EXPECT_EQ(ParseLifetime("until-detached:10")->until_detached().grace().seconds(), 10);
  EXPECT_EQ(ParseLifetime("until-detached:250ms")->until_detached().grace().nanos(), 250'000'000);
  EXPECT_TRUE(ParseLifetime("until-detached:0")->until_detached().has_grace());
}

TEST(LifetimeTest, RefusesOtherTexts) {
  for (const char* text : {"", "Persistent", "persistent:1", "process", "process:", "process:0",
                           "process:-1", "process:x", "process:99999999999", "until-detached:",
                           "until-detached:-1s", "until-detached:inf", "until-detached:x"}) {
    EXPECT_FALSE(ParseLifetime(text).ok()) << text;
  }
}

}  // namespace
}  // namespace svnet::client

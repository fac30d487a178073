#include "client/snapshot_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/guest_view.h"

namespace svnet::client {
namespace {

using ::testing::HasSubstr;

std::string ViewIn(const std::string& json, const std::string& iface = "eth0") {
  const absl::StatusOr<v1::GuestView> view = ViewInSnapshot(json, iface);
  return view.ok() ? FormatGuestView(*view) : std::string(view.status().message());
}

// As Cloud Hypervisor 40 writes it, shortened.
constexpr char kCloudHypervisor[] = R"({
  "cpus": {"boot_vcpus": 1, "max_vcpus": 1},
  "payload": {"firmware": null, "kernel": "/vmlinux", "cmdline":
    "console=hvc0 root=/dev/vda1 ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off quiet"},
  "net": [{"tap": "svtemplateeth0", "ip": "192.168.249.1", "mask": "255.255.255.0",
           "mac": "06:00:ac:10:00:02", "num_queues": 2, "id": "eth0", "fds": null}]
})";

TEST(SnapshotViewTest, IsInAConfigurationOfCloudHypervisor) {
  EXPECT_EQ(ViewIn(kCloudHypervisor), "10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02");
  // The only interface, whatever it is called there.
  EXPECT_EQ(ViewIn(R"({"payload": {"cmdline": "ip=10.0.0.2::10.0.0.1:255.255.255.252::eth0"},
                       "net": [{"mac": "06:00:ac:10:00:02", "id": "_net2"}]})"),
            "10.0.0.2/30,10.0.0.1,06:00:ac:10:00:02");
}

constexpr char kFirecracker[] = R"({
  "boot-source": {"kernel_image_path": "vmlinux", "boot_args":
    "reboot=k ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off ip=10.1.0.2::10.1.0.1:255.255.0.0::net-1:off"},
  "network-interfaces": [
    {"iface_id": "eth0", "host_dev_name": "tap0", "guest_mac": "06:00:ac:10:00:02"},
    {"iface_id": "net_1", "host_dev_name": "tap1", "guest_mac": "06:00:ac:10:00:03"}]
})";

TEST(SnapshotViewTest, IsInAConfigurationOfFirecrackerForEachInterface) {
  EXPECT_EQ(ViewIn(kFirecracker), "10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02");
  EXPECT_EQ(ViewIn(kFirecracker, "net-1"), "10.1.0.2/16,10.1.0.1,06:00:ac:10:00:03");
  EXPECT_THAT(ViewIn(kFirecracker, "eth7"), HasSubstr("no interface eth7"));
}

TEST(SnapshotViewTest, IsInWhatSvnetctlPrinted) {
  EXPECT_EQ(ViewIn(R"({"tapName": "svvm1eth0", "guestIp": "10.30.0.2", "gatewayIp": "10.30.0.1",
                       "mac": "02:29:a3:2f:41:c8", "prefixLength": 16, "new": true})"),
            "10.30.0.2/16,10.30.0.1,02:29:a3:2f:41:c8");
  // A clone's is what it believes, and not its lease's.
  EXPECT_EQ(ViewIn(R"({"tapName": "svvm1eth0", "guestIp": "10.30.0.2", "gatewayIp": "10.30.0.1",
                       "mac": "02:29:a3:2f:41:c8", "prefixLength": 16, "guestView": {
                         "address": "10.0.0.2", "prefixLength": 24, "gateway": "10.0.0.1",
                         "mac": "06:00:ac:10:00:02", "gatewayMac": "02:fc:00:00:00:09"}})"),
            "10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02,02:fc:00:00:00:09");
}

TEST(SnapshotViewTest, SaysWhatIsMissing) {
  EXPECT_THAT(ViewIn(""), HasSubstr("not JSON"));
  EXPECT_THAT(ViewIn("[1, 2]"), HasSubstr("neither"));
  EXPECT_THAT(ViewIn("{}"), HasSubstr("neither"));
  EXPECT_THAT(ViewIn(R"({"net": null})"), HasSubstr("no interface eth0"));
  EXPECT_THAT(ViewIn(R"({"net": [{"id": "eth0"}]})"), HasSubstr("no MAC"));
  EXPECT_THAT(
      ViewIn(R"({"net": [{"mac": "06:00:ac:10:00:02"}], "payload": {"cmdline": "ip=dhcp"}})"),
      HasSubstr("--guest-view"));
  EXPECT_THAT(ViewIn(R"({"net": [{"mac": "06:00:ac:10:00:02"}], "payload": {"cmdline":
                         "ip=10.0.0.2::10.0.0.1:255.0.255.0::eth0"}})"),
              HasSubstr("netmask 255.0.255.0"));
  EXPECT_THAT(ViewIn(R"({"net": [{"mac": "07:00:ac:10:00:02"}], "payload": {"cmdline":
                         "ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0"}})"),
              HasSubstr("07:00:ac:10:00:02"));
  EXPECT_THAT(ViewIn(R"({"tapName": 7})"), HasSubstr("show --json"));
}

}  // namespace
}  // namespace svnet::client

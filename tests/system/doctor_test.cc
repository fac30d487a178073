#include "tests/system/doctor_test.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "tests/eventually.h"

namespace svnet::testing {
namespace {

// All that a fix has systemctl do: the test does it to svnetd, and nothing to others.
constexpr char kSystemctl[] = "#!/bin/sh\necho \"$*\" >>";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

DoctorTest::DoctorTest() {
  Shell(absl::StrCat("mkdir ", folder(), "/etc ", folder(), "/bin; cp -a /etc/. ", folder(),
                     "/etc; rm -rf ", folder(), "/etc/svnet ", folder(),
                     "/etc/docker; mount --bind ", folder(), "/etc /etc"));
  std::ofstream(folder() + "/bin/systemctl") << kSystemctl << folder() << "/systemctl\n";
  Shell(absl::StrCat("chmod +x ", folder(), "/bin/systemctl"));
  Shell("[[ ! -e /proc/sys/net/bridge ]] || sysctl -qw net.bridge.bridge-nf-call-iptables=0");
  RestartSvnetd();
  guest_.emplace(Client(svnetd().socket(), Member(kAlice)).MustCreate("vm1"));
}

DoctorTest::~DoctorTest() { ShellExitCode("umount --lazy /etc"); }

void DoctorTest::RestartSvnetd(std::vector<std::string> flags) {
  if (svnetd_.has_value()) svnetd_->Stop(SIGTERM);
  svnetd_.reset();
  flags.insert(flags.begin(), kSocketGroupFlag);
  svnetd_.emplace(folder(), flags, ReadAll("/etc/svnet/svnetd.toml"));
  EXPECT_TRUE(svnetd().running()) << svnetd().log();
}

Exited DoctorTest::Doctor(const RunAs& who, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {kSvnetctl, "--socket", svnetd().socket(), "doctor"});
  return RunProgramAs(who, arguments);
}

Finding DoctorTest::Find(const std::string& check, const RunAs& who) {
  const Exited exited = Doctor(who, {check, "--json"});
  google::protobuf::Struct json;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(exited.out, &json).ok())
      << exited.out << exited.err;
  Finding found;
  for (const auto& each : json.fields().at("findings").list_value().values()) {
    const auto& fields = each.struct_value().fields();
    if (!found.level.empty() && found.level != "ok") continue;
    found = {fields.at("level").string_value(), fields.at("message").string_value(),
             fields.at("fix").string_value()};
  }
  EXPECT_EQ(exited.code, found.level == "problem" ? 1 : 0) << exited.out;
  return found;
}

int DoctorTest::Type(const std::string& command) {
  // What the doctor cannot know, and what is not the only one on this machine.
  std::ofstream(folder() + "/typed") << absl::StrReplaceAll(
      command, {{"ROUTER", "203.0.113.1"}, {"$(pidof svnetd)", absl::StrCat(svnetd().pid())}});
  const int code =
      ShellExitCode(absl::StrCat("export SVNET_SOCKET=", svnetd().socket(), " PATH=", folder(),
                                 "/bin:" SVNET_BINARY "/client:$PATH; sh ", folder(), "/typed"));
  const std::string asked = ReadAll(folder() + "/systemctl");
  Shell(absl::StrCat("rm -f ", folder(), "/systemctl"));
  if (absl::StrContains(asked, "start svnetd")) RestartSvnetd();
  return code;
}

void DoctorTest::ExpectFoundAndFixed(const std::string& check, const std::string& level,
                                     const Make& trouble) {
  const Finding before = Find(check);
  EXPECT_EQ(before.level, "ok") << check << ": " << before.message;
  trouble();
  const Finding found = Find(check);
  EXPECT_EQ(found.level, level) << check << ": " << found.message;
  EXPECT_NE(found.fix, "") << check << ": " << found.message;
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  Finding after;
  // What is removed is gone a moment later.
  EXPECT_TRUE(Eventually([&] {
    after = Find(check);
    return after.level == "ok";
  })) << check
      << ": " << found.fix << ": " << after.message;
}

void DoctorTest::ExpectFoundAndFixed(const std::string& check, const std::string& level,
                                     const std::string& trouble) {
  ExpectFoundAndFixed(check, level, [&] { EXPECT_EQ(Type(trouble), 0) << trouble; });
}

bool DoctorTest::GuestGetsOut() {
  return absl::StrContains(Doctor(kRoot, {"version", "--packet-test"}).out,
                           "ping to 203.0.113.1 is answered");
}

}  // namespace svnet::testing

#include "tests/gate/gate_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace svnet::testing {
namespace {

bool IsReadable(const Channel& channel, absl::Duration patience) {
  pollfd ready = {.fd = channel.fd(), .events = POLLIN};
  return poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) > 0;
}

}  // namespace

Message GateEnd::Next() {
  Message message = {.kind = MessageKind::kDrained};
  if (!IsReadable(core_, kPatience)) {
    ADD_FAILURE() << "the gate says nothing";
    return message;
  }
  const auto packet = core_.Receive(kMaxPacket, false);
  auto decoded = packet.ok() ? Decode(packet->bytes) : packet.status();
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? *std::move(decoded) : message;
}

Message GateEnd::Next(MessageKind kind) {
  Message message = Next();
  EXPECT_EQ(static_cast<int>(message.kind), static_cast<int>(kind));
  return message;
}

bool GateEnd::IsQuiet(absl::Duration time) { return !IsReadable(core_, time); }

bool GateEnd::IsClosed() {
  return IsReadable(core_, kPatience) && absl::IsAborted(core_.Receive(kMaxPacket, false).status());
}

void GateEnd::Send(const Message& message, int descriptor) {
  const absl::Status status = core_.Send(Encode(message), descriptor, true);
  EXPECT_TRUE(status.ok()) << status;
}

void GateEnd::Answer(uint64_t id, const std::string& body) {
  size_t from = 0;
  for (; body.size() - from > kMaxPart; from += kMaxPart) {
    Send({.kind = MessageKind::kAnswer,
          .more = true,
          .id = id,
          .body = body.substr(from, kMaxPart)});
  }
  Send({.kind = MessageKind::kAnswer, .id = id, .body = body.substr(from)});
}

void GateEnd::Refuse(uint64_t id, const WireStatus& status) {
  Send({.kind = MessageKind::kAnswer, .id = id, .status = status});
}

UniqueFd GateEnd::ConnectRaw(uint64_t connection, const WireStatus& status) {
  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    ADD_FAILURE() << "socketpair";
  }
  const UniqueFd theirs(ends[1]);
  Send({.kind = MessageKind::kConnection, .connection = connection, .status = status},
       theirs.get());
  return UniqueFd(ends[0]);
}

std::shared_ptr<grpc::Channel> GateEnd::Connect(uint64_t connection, const WireStatus& status,
                                                const grpc::ChannelArguments& arguments) {
  return grpc::CreateCustomInsecureChannelFromFd("svnetd", ConnectRaw(connection, status).Release(),
                                                 arguments);
}

std::string GateEnd::Status(const std::string& name) const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0) {
      return std::string(absl::StripAsciiWhitespace(line.substr(name.size() + 1)));
    }
  }
  ADD_FAILURE() << "no " << name << " of " << pid_;
  return "";
}

size_t GateEnd::Descriptors() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(
      opendir(absl::StrCat("/proc/", pid_, "/fd").c_str()), closedir);
  size_t count = 0;
  while (const dirent* entry = readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count;
}

GateEnd GateParentEnd::Make(GateRequest request) {
  const std::vector<pid_t> before = ChildrenOf(pid());
  auto ends = Channel::Pair();
  request.number = ++last_number_;
  const std::string packet(reinterpret_cast<const char*>(&request), sizeof(request));
  EXPECT_TRUE(launched_.channel.Send(packet, ends->second.fd()).ok());
  ends->second = Channel(UniqueFd());
  GateEnd made({.pid = 0, .channel = std::move(ends->first)});
  made.Next(MessageKind::kReady);
  std::vector<pid_t> now = ChildrenOf(pid());
  std::erase_if(now, [&](pid_t each) {
    return std::find(before.begin(), before.end(), each) != before.end();
  });
  EXPECT_EQ(now.size(), 1u);
  return GateEnd(Launched{.pid = now.empty() ? 0 : now[0], .channel = std::move(made).Release()});
}

void GateParentEnd::Kill(uint64_t number) {
  const GateRequest request = {.kind = GateRequest::Kind::kKill, .number = number};
  const std::string packet(reinterpret_cast<const char*>(&request), sizeof(request));
  EXPECT_TRUE(launched_.channel.Send(packet).ok());
}

CallUnderWay::CallUnderWay(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout)
    : stub_(channel) {
  context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  stub_.async()->GetMetrics(&context_, &request_, &response_, [this](grpc::Status status) {
    status_ = std::move(status);
    done_.Notify();
  });
}

const grpc::Status& CallUnderWay::Wait() {
  done_.WaitForNotification();
  return status_;
}

std::string Metrics(const std::string& text) {
  v1::GetMetricsResponse response;
  response.set_text(text);
  return response.SerializeAsString();
}

std::string ToString(const grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return absl::StrCat(absl::StatusCodeToString(code), ": ", status.error_message());
}

}  // namespace svnet::testing

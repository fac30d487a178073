#include "daemon/wire/message.h"

#include <array>
#include <cstring>

#include "absl/status/status.h"

namespace svnet {
namespace {

struct Header {
  uint32_t size;  // of the packet
  uint8_t kind;
  uint8_t method;
  uint8_t code;
  uint8_t more;
  uint64_t id;
  uint64_t connection;
  uint32_t text;     // bytes of it, behind the header
  uint32_t details;  // and then of these; the body is the rest
};
static_assert(sizeof(Header) == 32);

bool IsKind(uint8_t kind) {
  return (kind >= static_cast<uint8_t>(MessageKind::kReady) &&
          kind <= static_cast<uint8_t>(MessageKind::kDrained)) ||
         (kind >= static_cast<uint8_t>(MessageKind::kConnection) &&
          kind <= static_cast<uint8_t>(MessageKind::kPing));
}

constexpr int kMaxCode = 16;  // gRPC's UNAUTHENTICATED

}  // namespace

absl::string_view MethodName(Method method) {
  constexpr std::array<absl::string_view, kMethods> kNames = {
      "CreateTap",  "RemoveTap",  "GetBootArgs", "Cleanup",    "ListTaps",
      "GetNetwork", "GetMetrics", "GetTap",      "UpdateTap",  "ListNetworks",
      "WatchTaps",  "Check",      "Watch",       "MetricsPage"};
  return kNames[static_cast<size_t>(method)];
}

std::string Encode(const Message& message) {
  const WireStatus& status = message.status;
  const size_t size =
      sizeof(Header) + status.text.size() + status.details.size() + message.body.size();
  const Header header = {.size = static_cast<uint32_t>(size),
                         .kind = static_cast<uint8_t>(message.kind),
                         .method = static_cast<uint8_t>(message.method),
                         .code = status.code,
                         .more = message.more,
                         .id = message.id,
                         .connection = message.connection,
                         .text = static_cast<uint32_t>(status.text.size()),
                         .details = static_cast<uint32_t>(status.details.size())};
  std::string packet;
  packet.reserve(size);
  packet.append(reinterpret_cast<const char*>(&header), sizeof(header));
  packet.append(status.text).append(status.details).append(message.body);
  return packet;
}

absl::StatusOr<Message> Decode(absl::string_view packet) {
  const auto error = absl::InvalidArgumentError("no message");
  Header header;
  if (packet.size() < sizeof(header)) return error;
  std::memcpy(&header, packet.data(), sizeof(header));
  packet.remove_prefix(sizeof(header));
  const uint64_t texts = uint64_t{header.text} + header.details;
  if (header.size != packet.size() + sizeof(header) || texts > packet.size() ||
      !IsKind(header.kind) || header.method >= kMethods || header.code > kMaxCode ||
      header.more > 1) {
    return error;
  }
  return Message{.kind = static_cast<MessageKind>(header.kind),
                 .method = static_cast<Method>(header.method),
                 .more = header.more != 0,
                 .id = header.id,
                 .connection = header.connection,
                 .status = {.code = header.code,
                            .text = std::string(packet.substr(0, header.text)),
                            .details = std::string(packet.substr(header.text, header.details))},
                 .body = std::string(packet.substr(texts))};
}

}  // namespace svnet

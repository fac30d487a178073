// What a gate and svnetd say to each other.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// A gate speaks gRPC with one caller's connections (daemon/gate); svnetd, the core, runs the
// calls. Between them is a socket pair of whole packets (SOCK_SEQPACKET), one message each.
//
// Each kCall has exactly one answer: kAnswer, or if it is a watch, kBegun and kEvents, and in
// the end kEnd. A watch's next event is sent when it was asked for (kPull), so that what
// nobody reads stays in the core's bounded Watch.
enum class MessageKind : uint8_t {
  // The gate's.
  kReady = 1,    // it has a server now
  kCall = 2,     // id, connection, method, body: the request
  kCancel = 3,   // id: nobody waits for that any more
  kPull = 4,     // id: of a watch, one more event, please
  kDrained = 5,  // after kDrain: nothing is unanswered any more

  // The core's.
  kConnection = 32,  // connection, and a descriptor; status: why none of its calls is served
  kAnswer = 33,      // id, status, body: the response
  kBegun = 34,       // id: of a watch, nothing is missed from now on
  kEvent = 35,       // id, body
  kEnd = 36,         // id, status
  kDrain = 37,       // calls that come now are UNAVAILABLE: status
  kPing = 38,        // to see whether it is read; means nothing
};

// What may be called. kMetricsPage is the metrics gate's alone.
enum class Method : uint8_t {
  kCreateTap,
  kRemoveTap,
  kGetBootArgs,
  kCleanup,
  kListTaps,
  kGetNetwork,
  kGetMetrics,
  kGetTap,
  kUpdateTap,
  kListNetworks,
  kWatchTaps,
  kHealthCheck,
  kHealthWatch,
  kMetricsPage,
};
inline constexpr int kMethods = 14;

inline bool IsWatch(Method method) {
  return method == Method::kWatchTaps || method == Method::kHealthWatch;
}
// As in the contract: "CreateTap". "Check" and "Watch" are those of grpc.health.v1.Health.
absl::string_view MethodName(Method method);

// A gRPC status: `details` are the bytes of a google.rpc.Status.
struct WireStatus {
  uint8_t code = 0;
  std::string text;
  std::string details;

  bool ok() const { return code == 0; }
  friend bool operator==(const WireStatus&, const WireStatus&) = default;
};

struct Message {
  MessageKind kind;
  Method method = Method::kCreateTap;
  // The body goes on in the next message of that kind and id.
  bool more = false;
  uint64_t id = 0;          // the gate's number for a call: 1 and upward
  uint64_t connection = 0;  // the core's number for a connection
  WireStatus status;
  std::string body;

  friend bool operator==(const Message&, const Message&) = default;
};

// The limits that both ends know.
inline constexpr size_t kMaxRequestSize = 12 << 10;  // bytes; the largest that makes sense has 500
inline constexpr int kMaxCallsInCore = 16;           // of one gate, unanswered, but for watches
inline constexpr int kMaxWatchesOfGate = 256;
// Bytes of a body in one packet: what is longer comes in parts.
inline constexpr size_t kMaxPart = 48 << 10;
// Bytes of a packet, of either end.
inline constexpr size_t kMaxPacket = 64 << 10;

// Native byte order: both ends are one program, of one version.
std::string Encode(const Message& message);

// INVALID_ARGUMENT for whatever Encode would not make. Checks no more than that: not who may
// say it, nor when.
absl::StatusOr<Message> Decode(absl::string_view packet);

}  // namespace svnet

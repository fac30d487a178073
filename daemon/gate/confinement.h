// What a gate may.
#pragma once

#include "absl/status/status.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace svnet {

// Descriptors of a gate besides its connections: gRPC's own, the channel and standard streams
// (9 with the ticks of its priority), and some to spare.
inline constexpr int kOwnDescriptors = 32;
// Those of its connections. How many there may be is svnetd's to say; a gate that has much to do
// also has those for a while that have ended, and one that is shared uses no number twice.
inline constexpr int kMaxConnectionDescriptors = 4096 + 64;

// Builds with sanitizers need more: they keep their system calls and their memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kConfinesSystemCalls = false;
#else
inline constexpr bool kConfinesSystemCalls = true;
#endif

// Takes from the calling process, which must have one thread, whatever a gate does not need,
// for good: files, new sockets, other processes, code that it has not got. What is forbidden
// ends it. On an error it must not go on.
absl::Status Confine();

// The same for the parent of gates, which must be able to make them: it keeps system calls,
// but starts no program, opens no socket and reaches into no other process.
absl::Status ConfineParent();

}  // namespace svnet

// The process that speaks HTTP with those who read metrics.
#pragma once

#include "daemon/wire/channel.h"

namespace svnet {

// How many connections it serves at a time. If svnetd gives it one more, that one takes the place
// of the oldest that has not said yet what it wants, so who holds connections up keeps nobody out.
inline constexpr int kMaxMetricsReaders = 8;

// What a forked and confined process does until `core` is closed, and then the process ends:
// says kReady, takes connections (kConnection), and answers GET /metrics with the page that
// svnetd gives (kCall of kMetricsPage, one at a time, for all who wait). Whoever is on the host
// can connect, so each connection has little time (MetricsReader), and no browser can read the
// page for a website (JudgeRequest). It ends connections by itself, so svnetd has to watch its
// duplicates of them for EPOLLHUP only: a reader may close its own direction and still read.
// kDrain is not for it: what a reader misses, it reads 15 s later from the next svnetd.
//
// Calls only read, write, send, receive, shutdown, poll, close, clock_gettime, and what malloc
// needs.
[[noreturn]] void RunMetricsGate(Channel core);

}  // namespace svnet

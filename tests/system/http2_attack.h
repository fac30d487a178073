// What hostile HTTP/2 clients send.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace svnet::testing {

// On each connection, after RawStart.
struct Http2Attack {
  std::string name;
  // Once, at first, on stream 1, if it needs a stream.
  std::string start;
  // Then on and on. `stream`: the next that is unused; it moves on by 2 for each that is used.
  std::function<std::string(uint32_t* stream)> next;
  // Takes what svnetd sends, and throws it away.
  bool reads = true;
};

// By name: "Ping" and so on.
std::vector<Http2Attack> Http2Attacks();

}  // namespace svnet::testing

// How the guests of a network are connected.
#pragma once

namespace svnet {

enum class NetworkKind {
  kBridge,  // their TAPs are ports of a Linux bridge: one L2 segment
  kRouted,  // each TAP is a link of its own, with a route to its guest: no L2 between guests
};

}  // namespace svnet

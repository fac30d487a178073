// How the kernel numbers links.
#pragma once

namespace svnet {

// Always positive, and hardly ever used again.
using Ifindex = int;

}  // namespace svnet

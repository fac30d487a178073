// Standard input, output and error, which the caller may have closed.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace svnet::client {

// Call it first. Puts /dev/null where one of the three is closed, in a mode in
// which using it is an error: otherwise the next socket would get its number, and
// the output would go to the daemon. Makes writing to a closed pipe an error, too,
// rather than a SIGPIPE.
void PrepareStandardStreams();

// From now on the process ends with 0 as soon as standard output is a pipe that nobody reads. A
// write would tell only with the next event, and `svnetctl watch | head -1` would wait for that.
void ExitWhenNobodyReads();

// Everything is written when this is OK. Cancelled: nobody reads it any more (`svnetctl list | head
// -1`), which is nobody's fault. Any other error is write(2)'s.
absl::Status WriteFully(int fd, absl::string_view text);

}  // namespace svnet::client

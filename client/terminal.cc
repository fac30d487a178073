#include "client/terminal.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace svnet::client {
namespace {

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// ECMA-48, Select Graphic Rendition.
const char* CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kGreen:
      return "32";
    case Colour::kYellow:
      return "33";
    case Colour::kRed:
      return "31";
    case Colour::kBold:
      return "1";
  }
  return "0";
}

}  // namespace

bool WantsColour(int fd) {
  const char* terminal = std::getenv("TERM");
  const bool capable = terminal != nullptr && absl::string_view(terminal) != "dumb";
  return isatty(fd) == 1 && capable && !IsSet("NO_COLOR");
}

std::string Coloured(absl::string_view text, Colour colour, bool on) {
  return on ? absl::StrCat("\x1b[", CodeOf(colour), "m", text, "\x1b[0m") : std::string(text);
}

}  // namespace svnet::client

// Something that is not as it should be (the contract's Condition).
#pragma once

#include <string>

#include "daemon/base/network_name.h"

namespace svnet {

struct Condition {
  std::string type;
  std::string message;
  std::string remedy;
  // What callers who are not administrators are told in place of `message` and `remedy`, where
  // those name TAPs, which may belong to other owners; empty: the same.
  std::string for_all = "";
  // Guests have no network because of another program: svnetd's health says so, too.
  bool cuts_guests_off = false;
  NetworkName network = {};  // whose it is; the default one's if it is the whole host's

  friend bool operator==(const Condition&, const Condition&) = default;
};

}  // namespace svnet

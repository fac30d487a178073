// Guests that were restored from one snapshot.
#pragma once

#include <string>

#include "svnet/v1/network.pb.h"

namespace svnet::testing {

// What all of them believe.
inline v1::GuestView TheView() {
  v1::GuestView view;
  view.set_address("10.0.0.2");
  view.set_prefix_length(24);
  view.set_gateway("10.0.0.1");
  view.set_mac("06:00:ac:10:00:02");
  view.set_gateway_mac("02:fc:00:00:00:05");
  return view;
}

inline v1::CreateTapRequest CloneRequest(const std::string& vm) {
  v1::CreateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id("eth0");
  *request.mutable_guest_view() = TheView();
  return request;
}

}  // namespace svnet::testing

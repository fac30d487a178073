#include "client/guest_view.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/guest_view.h"
#include "daemon/base/ipv4.h"

namespace svnet::client {

absl::StatusOr<v1::GuestView> ParseGuestView(const std::string& text) {
  const absl::StatusOr<GuestView> view = GuestView::Parse(text);
  if (!view.ok()) return view.status();
  v1::GuestView message;
  message.set_address(view->address.ToString());
  message.set_prefix_length(static_cast<uint32_t>(view->prefix_length));
  message.set_gateway(view->gateway.ToString());
  message.set_mac(view->mac.ToString());
  if (view->gateway_mac.has_value()) message.set_gateway_mac(view->gateway_mac->ToString());
  return message;
}

std::string FormatGuestView(const v1::GuestView& view) {
  std::string text =
      absl::StrCat(view.address(), "/", view.prefix_length(), ",", view.gateway(), ",", view.mac());
  if (!view.gateway_mac().empty()) absl::StrAppend(&text, ",", view.gateway_mac());
  return text;
}

v1::Tap AsItsGuestKnowsIt(const v1::Tap& tap) {
  if (!tap.has_guest_view()) return tap;
  const v1::GuestView& view = tap.guest_view();
  const int length = static_cast<int>(view.prefix_length());
  v1::Tap known = tap;
  known.set_guest_ip(view.address());
  known.set_gateway_ip(view.gateway());
  known.set_mac(view.mac());
  known.set_prefix_length(view.prefix_length());
  if (length <= 32) {
    known.set_subnet_mask(Ipv4Prefix::Containing(Ipv4Address(0), length).netmask().ToString());
  }
  return known;
}

}  // namespace svnet::client

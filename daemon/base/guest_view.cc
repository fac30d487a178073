#include "daemon/base/guest_view.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// Not "this network", loopback, multicast or reserved (RFC 6890).
bool IsOfHost(Ipv4Address address) {
  const uint32_t first = address.value() >> 24;
  return first != 0 && first != 127 && first < 224;
}

absl::Status CheckAddress(absl::string_view what, Ipv4Address address) {
  if (IsOfHost(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": ", address.ToString(), " is no host's address"));
}

absl::Status CheckMac(absl::string_view what, const MacAddress& mac) {
  if (mac.IsUnicast()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": ", mac.ToString(),
                   " is no station's: the first octet must be even, and not all zero"));
}

}  // namespace

absl::Status CheckGuestView(const GuestView& view) {
  SVNET_RETURN_IF_ERROR(CheckAddress("address", view.address));
  SVNET_RETURN_IF_ERROR(CheckAddress("gateway", view.gateway));
  SVNET_RETURN_IF_ERROR(CheckMac("mac", view.mac));
  if (view.gateway_mac.has_value()) {
    SVNET_RETURN_IF_ERROR(CheckMac("gateway_mac", *view.gateway_mac));
  }
  if (view.prefix_length < 1 || view.prefix_length > 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("prefix_length: ", view.prefix_length, " is not 1 to 32"));
  }
  if (view.gateway == view.address) {
    return absl::InvalidArgumentError("gateway: it is the guest's own address");
  }
  if (view.gateway_mac == view.mac) {
    return absl::InvalidArgumentError("gateway_mac: it is the guest's own MAC");
  }
  return absl::OkStatus();
}

absl::StatusOr<GuestView> GuestView::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  const std::vector<absl::string_view> own = absl::StrSplit(parts[0], absl::MaxSplits('/', 1));
  int prefix_length = 32;
  const bool is_whole = (parts.size() == 3 || parts.size() == 4) &&
                        (own.size() == 1 || absl::SimpleAtoi(own[1], &prefix_length));
  if (!is_whole) {
    return absl::InvalidArgumentError("it is not ADDRESS/LENGTH,GATEWAY,MAC[,GATEWAY_MAC]");
  }
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address address, Ipv4Address::Parse(own[0]));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address gateway, Ipv4Address::Parse(parts[1]));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, MacAddress::Parse(parts[2]));
  GuestView view = {
      .address = address, .prefix_length = prefix_length, .gateway = gateway, .mac = mac};
  if (parts.size() == 4) {
    SVNET_ASSIGN_OR_RETURN(view.gateway_mac, MacAddress::Parse(parts[3]));
  }
  SVNET_RETURN_IF_ERROR(CheckGuestView(view));
  return view;
}

std::string GuestView::ToString() const {
  std::string text = absl::StrCat(address.ToString(), "/", prefix_length, ",", gateway.ToString(),
                                  ",", mac.ToString());
  if (gateway_mac.has_value()) absl::StrAppend(&text, ",", gateway_mac->ToString());
  return text;
}

}  // namespace svnet

#include "daemon/netlink/netlink_error.h"

#include <linux/netlink.h>

#include <string>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

constexpr absl::string_view kErrnoPayload = "svnet/errno";

// The text that the kernel adds to an error (NLMSGERR_ATTR_MSG), if it did.
std::string ExtendedText(const NetlinkReader& message) {
  if ((message.flags() & NLM_F_ACK_TLVS) == 0) return "";
  size_t offset = sizeof(nlmsgerr);
  // Unless it is capped, the whole request is repeated.
  if ((message.flags() & NLM_F_CAPPED) == 0) {
    offset += NLMSG_ALIGN(message.fixed<nlmsgerr>().msg.nlmsg_len) - NLMSG_HDRLEN;
  }
  if (offset > message.payload().size()) return "";
  return NetlinkAttributes(message.payload().substr(offset)).GetText(NLMSGERR_ATTR_MSG);
}

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view more) {
  std::string words = std::system_category().message(error);
  if (!more.empty()) absl::StrAppend(&words, " (", more, ")");
  absl::Status status(absl::ErrnoToStatusCode(error), words);
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(error)));
  return status;
}

int ErrnoOf(const absl::Status& status) {
  int error = 0;
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrnoPayload);
  if (payload.has_value() && !absl::SimpleAtoi(std::string(*payload), &error)) return 0;
  return error;
}

absl::Status ResultOf(const NetlinkReader& message) {
  const int error = -message.fixed<int>();  // the first of nlmsgerr
  if (error == 0) return absl::OkStatus();
  return ErrnoStatus(error, message.type() == NLMSG_ERROR ? ExtendedText(message) : "");
}

}  // namespace svnet

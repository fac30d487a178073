#include "daemon/ruleset/nft_element.h"

#include <arpa/inet.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace svnet {
namespace {

std::string BytesOf(const std::vector<NftField>& fields) {
  std::string bytes;
  for (const NftField& field : fields) field.AppendBytes(&bytes);
  return bytes;
}

void AppendText(const std::vector<NftField>& fields, std::string* out) {
  absl::string_view separator;
  for (const NftField& field : fields) {
    absl::StrAppend(out, separator);
    field.AppendText(out);
    separator = " . ";
  }
}

void AppendWord(uint32_t word, std::string* out) {
  out->append(reinterpret_cast<const char*>(&word), sizeof(word));
}

MacAddress MacOf(uint64_t value) {
  MacAddress::Octets octets;
  for (size_t i = octets.size(); i-- > 0; value >>= 8) octets[i] = static_cast<uint8_t>(value);
  return MacAddress(octets);
}

}  // namespace

NftField NftField::Ifindex(int ifindex) { return {Type::kNumber, static_cast<uint32_t>(ifindex)}; }

NftField NftField::Mark(uint32_t mark) { return {Type::kNumber, mark}; }

NftField NftField::Uid(uint32_t uid) { return {Type::kNumber, uid}; }

NftField NftField::ClassId(uint32_t id) { return {Type::kClassId, id}; }

NftField NftField::Mac(const MacAddress& mac) {
  uint64_t value = 0;
  for (const uint8_t octet : mac.octets()) value = value << 8 | octet;
  return {Type::kMac, value};
}

NftField NftField::Address(Ipv4Address address) { return {Type::kAddress, address.value()}; }

void NftField::AppendText(std::string* out) const {
  const auto word = static_cast<uint32_t>(value_);
  switch (type_) {
    case Type::kNumber:
      return absl::StrAppend(out, word);
    case Type::kClassId:
      absl::StrAppendFormat(out, "%x:%x", word >> 16, word & 0xffff);
      return;
    case Type::kMac:
      return absl::StrAppend(out, MacOf(value_).ToString());
    case Type::kAddress:
      return absl::StrAppend(out, Ipv4Address(word).ToString());
  }
}

void NftField::AppendBytes(std::string* out) const {
  const auto word = static_cast<uint32_t>(value_);
  switch (type_) {
    case Type::kNumber:
    case Type::kClassId:
      return AppendWord(word, out);  // in the machine's byte order
    case Type::kMac: {
      const MacAddress mac = MacOf(value_);
      out->append(mac.octets().begin(), mac.octets().end());
      out->append(2, '\0');
      return;
    }
    case Type::kAddress:
      return AppendWord(htonl(word), out);
  }
}

std::string NftElement::Text() const {
  std::string text;
  svnet::AppendText(key, &text);
  if (data.empty()) return text;
  text += " : ";
  svnet::AppendText(data, &text);
  return text;
}

std::string NftElement::KeyBytes() const { return BytesOf(key); }

std::string NftElement::DataBytes() const { return BytesOf(data); }

}  // namespace svnet

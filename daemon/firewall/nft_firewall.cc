#include "daemon/firewall/nft_firewall.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr size_t kMaxErrorLength = 200;  // bytes

}  // namespace

std::string ShortenNftError(absl::string_view text) {
  constexpr absl::string_view kMark = "Error: ";
  if (const size_t mark = text.find(kMark); mark != absl::string_view::npos) {
    text.remove_prefix(mark + kMark.size());
  }
  text = absl::StripAsciiWhitespace(text.substr(0, text.find('\n')));
  return text.empty() ? "no reason given" : std::string(text.substr(0, kMaxErrorLength));
}

absl::StatusOr<std::unique_ptr<NftFirewall>> NftFirewall::Open(const RulesetSpec& spec) {
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (context == nullptr) return absl::InternalError("nftables: cannot make a context");
  if (nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0) {
    return absl::ResourceExhaustedError("nftables: no memory");
  }
  nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Open());
  return std::unique_ptr<NftFirewall>(new NftFirewall(std::move(context), std::move(socket), spec));
}

absl::Status NftFirewall::Apply(const MacAddress& bridge, const std::vector<Binding>& bindings) {
  applied_at_.reset();
  SVNET_RETURN_IF_ERROR(Run(RenderRuleset(spec_, bridge, bindings)).status());
  SVNET_ASSIGN_OR_RETURN(const uint32_t generation, socket_.ReadGeneration());
  SVNET_ASSIGN_OR_RETURN(applied_, List());
  applied_at_ = generation;
  return absl::OkStatus();
}

absl::StatusOr<bool> NftFirewall::IsApplied() {
  SVNET_ASSIGN_OR_RETURN(const uint32_t generation, socket_.ReadGeneration());
  if (applied_at_ == generation) return true;
  applied_at_.reset();
  // Somebody has changed some rules: whether ours takes longer to see.
  SVNET_ASSIGN_OR_RETURN(const std::string now, List());
  if (now.empty() || now != applied_) return false;
  applied_at_ = generation;
  return true;
}

absl::Status NftFirewall::NoteOwnChange() {
  SVNET_ASSIGN_OR_RETURN(const uint32_t generation, socket_.ReadGeneration());
  if (applied_at_.has_value() && generation == *applied_at_ + 1) applied_at_ = generation;
  return absl::OkStatus();
}

absl::Status NftFirewall::Bind(const Binding& binding) {
  SVNET_RETURN_IF_ERROR(socket_.Add(TableName(spec_.bridge), ElementsOf(binding)));
  return NoteOwnChange();
}

absl::Status NftFirewall::Unbind(const Binding& binding) {
  const absl::Status status = socket_.Delete(TableName(spec_.bridge), ElementsOf(binding));
  if (status.ok()) return NoteOwnChange();
  SVNET_ASSIGN_OR_RETURN(const std::string tables, List());
  return tables.empty() ? absl::OkStatus() : status;
}

absl::StatusOr<bool> NftFirewall::Remove() {
  SVNET_ASSIGN_OR_RETURN(const int standing, CountTables());
  if (standing == 0) return false;
  SVNET_RETURN_IF_ERROR(Run(RenderRemoval(spec_.bridge)).status());
  return true;
}

absl::StatusOr<int> NftFirewall::CountTables() {
  SVNET_ASSIGN_OR_RETURN(const std::string tables, Run("list tables\n"));
  const std::vector<absl::string_view> lines = absl::StrSplit(tables, '\n');
  int count = 0;
  for (const std::string& family : TableFamilies()) {
    const std::string ours = absl::StrCat("table ", family, " ", TableName(spec_.bridge));
    count += static_cast<int>(std::count(lines.begin(), lines.end(), ours));
  }
  return count;
}

absl::StatusOr<std::string> NftFirewall::List() {
  // To list a table that is not there is an error like any other, so look first.
  SVNET_ASSIGN_OR_RETURN(const int standing, CountTables());
  if (standing < static_cast<int>(TableFamilies().size())) return "";
  std::string all;
  for (const std::string& family : TableFamilies()) {
    SVNET_ASSIGN_OR_RETURN(
        const std::string table,
        Run(absl::StrCat("list table ", family, " ", TableName(spec_.bridge), "\n")));
    all += table;
  }
  return all;
}

absl::StatusOr<std::string> NftFirewall::Run(const std::string& commands) {
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Both buffers start anew with the next command only if they were read.
  std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result == 0) return output;
  return absl::InternalError(absl::StrCat("nftables: ", ShortenNftError(error)));
}

}  // namespace svnet

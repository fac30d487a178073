#include "daemon/firewall/nft_firewall.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/fault_point.h"
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
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Open());
  SVNET_ASSIGN_OR_RETURN(NftCounters counters, NftCounters::Open());
  SVNET_ASSIGN_OR_RETURN(NftMonitor monitor, NftMonitor::Open(TableName(spec.bridge)));
  return std::unique_ptr<NftFirewall>(new NftFirewall(
      std::move(context), std::move(socket), std::move(counters), std::move(monitor), spec));
}

absl::Status NftFirewall::Apply(const MacAddress& bridge, const std::vector<Binding>& bindings) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.apply"));
  return Change(RenderRuleset(spec_, bridge, bindings));
}

absl::Status NftFirewall::Change(const std::string& commands) {
  SVNET_ASSIGN_OR_RETURN(const uint32_t before, socket_.ReadGeneration());
  SVNET_RETURN_IF_ERROR(Run(commands).status());
  SVNET_ASSIGN_OR_RETURN(const uint32_t after, socket_.ReadGeneration());
  // Where somebody else's was in between, ours cannot be told from that one.
  if (after == before + 1) own_generations_.insert(after);
  return absl::OkStatus();
}

absl::StatusOr<bool> NftFirewall::WereChanged() {
  SVNET_ASSIGN_OR_RETURN(const NftChanges changes, monitor_.Take());
  bool changed = changes.lost;
  for (const NftTransaction& transaction : changes.transactions) changed |= !IsOurs(transaction);
  own_generations_.clear();
  return changed;
}

bool NftFirewall::IsOurs(const NftTransaction& transaction) const {
  return transaction.port == socket_.port() || own_generations_.contains(transaction.generation);
}

absl::Status NftFirewall::Bind(const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.bind"));
  return socket_.Add(TableName(spec_.bridge), ElementsOf(binding));
}

absl::Status NftFirewall::Unbind(const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.unbind"));
  const absl::Status status = socket_.Delete(TableName(spec_.bridge), ElementsOf(binding));
  if (status.ok()) return status;
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  return stand ? status : absl::OkStatus();
}

absl::StatusOr<bool> NftFirewall::Stand() {
  SVNET_ASSIGN_OR_RETURN(const int standing, CountTables());
  return standing > 0;
}

absl::StatusOr<std::vector<Drops>> NftFirewall::ReadDrops() {
  return counters_.Read(TableName(spec_.bridge));
}

absl::StatusOr<bool> NftFirewall::Remove() {
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  if (!stand) return false;
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.remove"));
  SVNET_RETURN_IF_ERROR(Change(RenderRemoval(spec_.bridge)));
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

absl::StatusOr<std::string> NftFirewall::Run(const std::string& commands) {
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Both buffers start anew with the next command only if they were read.
  std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result == 0) return output;
  return absl::InternalError(absl::StrCat("nftables: ", ShortenNftError(error)));
}

}  // namespace svnet

#include "client/table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace svnet::client {
namespace {

constexpr size_t kGap = 2;

Row PrintableRow(const Row& row) {
  Row printable;
  for (const std::string& cell : row) printable.push_back(Printable(cell));
  return printable;
}

std::vector<size_t> ColumnWidths(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  return widths;
}

std::string RenderRow(const Row& row, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    absl::StrAppend(&line, row[i], std::string(widths[i] + kGap - row[i].size(), ' '));
  }
  absl::StripTrailingAsciiWhitespace(&line);
  return line + "\n";
}

}  // namespace

std::string RenderTable(const std::vector<Row>& rows) {
  std::vector<Row> printable;
  for (const Row& row : rows) printable.push_back(PrintableRow(row));
  const std::vector<size_t> widths = ColumnWidths(printable);
  std::string table;
  for (const Row& row : printable) table += RenderRow(row, widths);
  return table;
}

}  // namespace svnet::client

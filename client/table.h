// Columns for people.
#pragma once

#include <string>
#include <vector>

namespace svnet::client {

using Row = std::vector<std::string>;

// One line a row, cells left-aligned under each other and two spaces apart, no
// spaces at the end of a line. Cells are shown Printable(), so that a cell is
// never more than one line. Rows may differ in length.
std::string RenderTable(const std::vector<Row>& rows);

}  // namespace svnet::client

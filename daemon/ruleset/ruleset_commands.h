// Tables as text, as the commands that make what is in them.
#pragma once

#include <string>

namespace svnet {

// For tables that exist and are empty: no command makes a table, or needs what is in the sets of
// other tables. `tables` as RenderRuleset has them.
std::string CommandsOf(const std::string& tables);

}  // namespace svnet

#include "client/yaml.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace svnet::client {
namespace {

// Reads JSON from its start to its end, and writes YAML.
class Converter {
 public:
  explicit Converter(absl::string_view json) : json_(json) {}

  std::string Convert() {
    WriteValue(0);
    return std::move(yaml_);
  }

 private:
  char Next() {
    json_ = absl::StripLeadingAsciiWhitespace(json_);
    return json_.empty() ? '\0' : json_[0];
  }

  bool Consume(char byte) {
    if (Next() != byte) return false;
    json_.remove_prefix(1);
    return true;
  }

  // A string with its quotes, a number, true, false or null.
  absl::string_view TakeScalar() {
    const bool is_string = Next() == '"';
    size_t length = json_.find_first_of(",]} \n");
    if (is_string) {
      length = 1;
      while (json_[length] != '"') length += json_[length] == '\\' ? 2 : 1;
      ++length;
    }
    const absl::string_view scalar = json_.substr(0, length);
    json_.remove_prefix(scalar.size());
    return scalar;
  }

  // `depth`: how far what the value consists of is indented. What fits on a line begins where the
  // text is now.
  void WriteValue(size_t depth) {
    if (Next() == '{') return WriteMembers(depth);
    if (Next() == '[') return WriteElements(depth);
    absl::StrAppend(&yaml_, TakeScalar(), "\n");
  }

  void WriteMembers(size_t depth) {
    Consume('{');
    if (Consume('}')) return absl::StrAppend(&yaml_, "{}\n");
    for (bool first = true; first || Consume(','); first = false) {
      if (!first) Indent(depth);
      const absl::string_view key = TakeScalar();
      absl::StrAppend(&yaml_, key.substr(1, key.size() - 2), ":");
      Consume(':');
      WriteNested(depth + 2);
    }
    Consume('}');
  }

  // Whether an object or an array with something in it follows.
  bool IsNested() {
    if (Next() != '{' && Next() != '[') return false;
    const size_t second = json_.find_first_not_of(" \n", 1);
    return json_[second] != '}' && json_[second] != ']';
  }

  // After a key.
  void WriteNested(size_t depth) {
    if (IsNested()) {
      yaml_ += '\n';
      Indent(depth);
    } else {
      yaml_ += ' ';
    }
    WriteValue(depth);
  }

  void WriteElements(size_t depth) {
    Consume('[');
    if (Consume(']')) return absl::StrAppend(&yaml_, "[]\n");
    for (bool first = true; first || Consume(','); first = false) {
      if (!first) Indent(depth);
      yaml_ += "- ";
      WriteValue(depth + 2);
    }
    Consume(']');
  }

  void Indent(size_t depth) { yaml_.append(depth, ' '); }

  absl::string_view json_;
  std::string yaml_;
};

}  // namespace

std::string JsonToYaml(absl::string_view json) { return Converter(json).Convert(); }

}  // namespace svnet::client

#!/usr/bin/env bash
# Whether what the packages bring is hardened: tests/service/hardening.sh PACKAGE.deb...
#
# Reads each ELF file and each static library in them, and each line names one and a
# property that it lacks. Needs nothing but binutils and dpkg-deb.
#
# shellcheck disable=SC2317 # `expect` runs functions
set -euo pipefail
[[ $# -gt 0 ]] || { echo "usage: $0 PACKAGE.deb..." >&2 && exit 2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
x86=$(uname -m | grep -cxE 'x86_64|i[3-6]86' || true)

failures=0 programs=0 libraries=0
# expect FILE PROPERTY COMMAND...: the command succeeds.
expect() {
  "${@:3}" || { echo "$1: $2" && failures=$((failures + 1)); }
}
# has TEXT PATTERN, lacks TEXT PATTERN: a line of the text.
has() { grep -qE -- "$2" <<<"$1"; }
lacks() { ! has "$@"; }

check_program() {
  local file=$1 name=$2 header dynamic segments symbols notes
  header=$(readelf -hW "$file") dynamic=$(readelf -dW "$file") segments=$(readelf -lW "$file")
  symbols=$(readelf -W --dyn-syms "$file") notes=$(readelf -nW "$file")
  programs=$((programs + 1))
  expect "$name" "is at a fixed address (no PIE)" has "$header" 'Type: +DYN'
  expect "$name" "is not linked as a PIE" has "$dynamic" 'FLAGS_1.*PIE'
  expect "$name" "resolves symbols late (no BIND_NOW)" has "$dynamic" '\(FLAGS\).*BIND_NOW|FLAGS_1.*NOW'
  expect "$name" "keeps its relocations writable (no RELRO)" has "$segments" 'GNU_RELRO'
  expect "$name" "says nothing of its stack" has "$segments" 'GNU_STACK'
  expect "$name" "has an executable stack" lacks "$segments" 'GNU_STACK.*E +0x'
  expect "$name" "has a segment that is writable and executable" lacks "$segments" 'LOAD.* RWE '
  expect "$name" "has relocations in its text" lacks "$dynamic" 'TEXTREL'
  expect "$name" "looks for libraries in its own places" lacks "$dynamic" 'RPATH|RUNPATH'
  expect "$name" "has no stack protector" has "$symbols" '__stack_chk_fail'
  if has "$symbols" ' __[a-z]+_chk(@|$)'; then fortified=1; fi
  expect "$name" "does not check what containers are used for" has "$symbols" '__glibcxx_assert_fail'
  if [[ $x86 -gt 0 ]]; then
    expect "$name" "is not marked for a shadow stack" has "$notes" 'x86 feature:.*SHSTK'
    local landing_pads
    landing_pads=$(objdump -d --no-show-raw-insn "$file" | grep -cE 'endbr(64|32)' || true)
    expect "$name" "has no landing pads for indirect branches" test "$landing_pads" -gt 100
  fi
}

# Objects that others link: what they say is what these get.
check_library() {
  local file=$1 name=$2 objects marked
  libraries=$((libraries + 1))
  objects=$(ar t "$file" | wc -l)
  expect "$name" "has no stack protector" has "$(readelf -W --syms "$file")" '__stack_chk_fail'
  marked=$(readelf -SW "$file" | grep -cE '\.note\.GNU-stack +PROGBITS +[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +0 ' || true)
  expect "$name" "has objects that want an executable stack" test "$marked" -eq "$objects"
  if [[ $x86 -gt 0 ]]; then
    marked=$(readelf -nW "$file" | grep -cE 'x86 feature:.*IBT, SHSTK' || true)
    expect "$name" "has objects without CET" test "$marked" -eq "$objects"
  fi
}

for package in "$@"; do
  root=$scratch/$(basename "$package") fortified=0 before=$programs
  dpkg-deb -x "$package" "$root"
  while IFS= read -r file; do
    name=${file#"$root"}
    case $(head -c 8 "$file" | tr -d '\0') in
      $'\x7fELF'*) check_program "$file" "$name" ;;
      '!<arch>'*) check_library "$file" "$name" ;;
    esac
  done < <(find "$root" -type f)
  # A program may have no call that the compiler could not prove right.
  [[ $programs -eq $before ]] ||
    expect "$(basename "$package")" "no program in it calls a fortified function" test "$fortified" -eq 1
done
# Of a package that is read wrongly nothing is missing.
[[ $((programs + libraries)) -gt 0 ]] || { echo "no ELF file was found" && failures=1; }
[[ $failures -eq 0 ]] && echo "hardened: $programs programs and $libraries static libraries"
exit "$((failures > 0))"

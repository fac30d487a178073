#!/usr/bin/env bash
# Whether hardening.sh finds each property that a program lacks: tests/service/hardening_test.sh
#
# Makes packages of a small program: one with everything that hardening.sh looks for, and for
# each property one that lacks only that.
#
# shellcheck disable=SC2054 # the commas are the linker's
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/program.cc" <<'CODE'
#include <unistd.h>
#include <vector>
#define F(n) extern "C" __attribute__((noinline, used)) int f##n(int i) { asm volatile(""); return i + n; }
#define G(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
G(1) G(2) G(3) G(4) G(5) G(6) G(7) G(8) G(9) G(10) G(11)
int main(int count, char**) {
  char bytes[64];
  std::vector<int> numbers(count);
  return static_cast<int>(read(0, bytes, count)) + numbers[count];
}
CODE
compile=(-O2 -fPIE -fstack-protector-strong -D_GLIBCXX_ASSERTIONS)
link=(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
shadow_stack=()
if [[ $(uname -m) == x86_64 ]]; then
  compile+=(-fcf-protection=full)
  shadow_stack=(-Wl,-z,shstk)
fi

# make_package NAME FLAG...: of the program, with these flags after all others.
make_package() {
  local root=$scratch/$1
  mkdir -p "$root/DEBIAN" "$root/usr/bin"
  c++ "${compile[@]}" -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 "${@:2}" "$scratch/program.cc" \
    -o "$root/usr/bin/program" "${link[@]}" "${shadow_stack[@]}" "${@:2}"
  strip "$root/usr/bin/program"
  printf '%s\n' "Package: $1" 'Version: 1' 'Architecture: all' 'Maintainer: nobody' \
    'Description: none' >"$root/DEBIAN/control"
  dpkg-deb --build "$root" "$scratch/$1.deb" >/dev/null
}

failures=0
make_package hardened
./hardening.sh "$scratch/hardened.deb" >"$scratch/out" ||
  { echo "a program with everything lacks:" && cat "$scratch/out" && failures=1; }

# lacks NAME PROPERTY FLAG...: with these flags hardening.sh says this, and nothing else.
lacks() {
  make_package "$1" "${@:3}"
  if ./hardening.sh "$scratch/$1.deb" >"$scratch/out" ||
    [[ $(<"$scratch/out") != *": $2" || $(wc -l <"$scratch/out") -ne 1 ]]; then
    echo "with ${*:3} it should lack \"$2\", and not:"
    cat "$scratch/out"
    failures=$((failures + 1))
  fi
}
lacks lazy "resolves symbols late (no BIND_NOW)" -Wl,-z,lazy
lacks writable "keeps its relocations writable (no RELRO)" -Wl,-z,norelro
lacks execstack "has an executable stack" -Wl,-z,execstack
lacks runpath "looks for libraries in its own places" -Wl,-rpath,/opt
lacks canary "has no stack protector" -fno-stack-protector
lacks fortified "no program in it calls a fortified function" -U_FORTIFY_SOURCE
lacks assertions "does not check what containers are used for" -U_GLIBCXX_ASSERTIONS
if [[ $(uname -m) == x86_64 ]]; then
  lacks landing "has no landing pads for indirect branches" -fcf-protection=none -fcf-protection=return
  shadow_stack=()
  lacks shadow "is not marked for a shadow stack"
fi
compile+=(-fno-pie) link=("${link[@]/-pie/-no-pie}")
make_package fixed
./hardening.sh "$scratch/fixed.deb" >"$scratch/out" || true
grep -q 'is at a fixed address' "$scratch/out" ||
  { echo "a program at a fixed address is not found" && failures=$((failures + 1)); }

[[ $failures -eq 0 ]] && echo "hardening.sh finds each property that a program lacks"
exit "$((failures > 0))"

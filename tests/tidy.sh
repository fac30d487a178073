#!/usr/bin/env bash
# What clang-tidy finds (.clang-tidy): tests/tidy.sh [--all | FILE.cc...]
#
# Without arguments: in the last commit, or if this is a branch in all its commits, and in what
# is not committed yet. --all: in all files, which takes half an hour on two processors. Needs the
# preset clang, configured, with its generated code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang-tidy-19 >/dev/null || { echo "there is no clang-tidy-19" >&2 && exit 1; }
git rev-parse --quiet HEAD >/dev/null

# Where the changes begin: where the branch left main; on main itself, the commit before. A clone
# that has one commit alone has no changes.
base() {
  local fork
  fork=$(git merge-base HEAD main 2>/dev/null || true)
  if [[ -n $fork && $fork != "$(git rev-parse HEAD)" ]]; then
    echo "$fork"
  else
    git rev-parse --verify --quiet HEAD~1 || echo HEAD
  fi
}

# A header is looked at from the file of its name that includes it.
changed() {
  { git diff --name-only --diff-filter=d "$(base)" && git ls-files --others --exclude-standard; } |
    sed -n 's/\.h$/.cc/; /\.cc$/p' | sort -u
}

compiled() {
  sed -n "s,^ *\"file\": \"$PWD/\(.*\.cc\)\".*,\1,p" build/clang/compile_commands.json |
    grep -v -e '^build/' -e '^tests/fuzz/' | sort -u
}

case ${1:-} in
  --all) files=$(compiled) ;;
  '') files=$(comm -12 <(changed) <(compiled)) ;;
  *) files=$(printf '%s\n' "$@") ;;
esac
[[ -n $files ]] || { echo "clang-tidy: no file has changed" && exit 0; }
echo "clang-tidy: $(wc -l <<<"$files") files"
xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/clang --extra-arg=-fno-sanitize=all --quiet \
  --warnings-as-errors='*' <<<"$files" 2>/dev/null

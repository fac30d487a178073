#!/usr/bin/env bash
# Puts the report and the plots of FOLDER (tests/bench/run.sh) into docs/benchmarks.md,
# between its two marks: tests/bench/publish.sh FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1
page=docs/benchmarks.md

mkdir -p docs/benchmarks
cp "$folder"/{create,remove,callers,data_path}.svg docs/benchmarks/
new=$(mktemp)
sed -e "/^<!-- begin: figures/r $folder/report.md" \
  -e '/^<!-- begin: figures/,/^<!-- end: figures/{/^<!--/!d}' "$page" >"$new"
cp "$new" "$page"
rm -f "$new"

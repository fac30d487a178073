#!/usr/bin/env bash
# Runs one fuzzer for a while: tests/fuzz/run.sh FUZZER CORPUS SCRATCH
#
# Ten seconds; a quarter of an hour with SVNET_SOAK. Starts from the inputs in CORPUS,
# which are kept with the source; new ones, and one that fails, come to SCRATCH.
set -euo pipefail
fuzzer=$1 corpus=$2 scratch=$3
mkdir -p "$scratch"
exec "$fuzzer" -seed=1 -entropic=0 -max_len=1024 -timeout=10 -print_final_stats=1 -verbosity=0 \
  -max_total_time="$([[ -n ${SVNET_SOAK:-} ]] && echo 900 || echo 10)" \
  -artifact_prefix="$scratch/" "$scratch" "$corpus"

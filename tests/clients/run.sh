#!/usr/bin/env bash
# Builds the example supervisors of docs/clients, and runs each as an unprivileged user
# against a live svnetd: sudo tests/clients/run.sh [BUILD]
#
# BUILD is where svnetd is built (build/dev). Installs what it needs (Debian 12).
# Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh

if [[ $EUID -ne 0 ]]; then
  echo "this needs root, for a network namespace: sudo $0" >&2
  exit 1
fi
svnet=$(realpath "${1:-build/dev}")
for program in "$svnet/daemon/svnetd" "$svnet/client/svnetctl"; do
  [[ -x $program ]] || { echo "there is no $program: build it first" >&2 && exit 1; }
done

# golang-google-grpc-dev is content with version 1.3 of golang-protobuf, which cannot read
# what protoc-gen-go makes.
CLIENT_PACKAGES=(
  python3-grpcio python3-protobuf
  golang-go golang-google-grpc-dev golang-google-protobuf-dev protoc-gen-go protoc-gen-go-grpc
  golang-github-golang-protobuf-1-5-dev
  iproute2)
# Not Debian's where somebody has another Node.js.
command -v npm >/dev/null || CLIENT_PACKAGES+=(nodejs npm)
install_packages "${BUILD_PACKAGES[@]}" "${CLIENT_PACKAGES[@]}"

mkdir -p build/clients
for language in cpp python typescript go; do
  log=build/clients/$language.log
  tests/clients/build.sh "$language" >"$log" 2>&1 || {
    tail -50 "$log" >&2
    echo "the example in $language does not build" >&2
    exit 1
  }
done

exec timeout --foreground --kill-after=5 600 \
  unshare --net --mount --pid --fork --mount-proc --kill-child \
  tests/clients/examples.sh "$svnet"

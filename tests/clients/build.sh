#!/usr/bin/env bash
# Builds one of the example supervisors: tests/clients/build.sh cpp|python|typescript|go
#
# Puts it into build/clients/LANGUAGE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=build/clients/$1
mkdir -p "$out"

case $1 in
  cpp)
    cmake -S docs/clients/cpp -B build/clients/cpp -G Ninja
    cmake --build build/clients/cpp
    ;;
  python)
    protoc -I proto --python_out="$out" --grpc_out="$out" \
      --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
      svnet/v1/network.proto google/rpc/status.proto google/rpc/error_details.proto
    cp docs/clients/python/*.py "$out"
    ;;
  typescript)
    # npm would put node_modules beside the sources.
    rm -rf "$out/src" "$out/dist"
    cp -r docs/clients/typescript/{package.json,package-lock.json,tsconfig.json,src} "$out"
    cp tests/clients/network_manager_user.ts "$out/src"
    cd "$out"
    # A lock of the last run's, if all that it names is here.
    if ! cmp -s package-lock.json node_modules/installed; then
      npm ci --ignore-scripts --no-audit --no-fund
      cp package-lock.json node_modules/installed
    fi
    npm run build
    ;;
  go)
    # Debian's Go packages are a GOPATH.
    mkdir -p "$out/src/supervisor"
    protoc -I proto --go_out="$out/src" --go-grpc_out="$out/src" svnet/v1/network.proto
    rm -f "$out"/src/supervisor/*
    cp docs/clients/go/*.go "$out/src/supervisor"
    export GO111MODULE=off GOPATH=$PWD/$out:/usr/share/gocode GOCACHE=$PWD/$out/cache
    go vet supervisor
    go build -o "$out/supervisor" supervisor
    ;;
  *) echo "there is no example in '$1'" >&2 && exit 2 ;;
esac

# shellcheck shell=bash
# Makes the packages in $packages, and looks at them. Sourced by tests/service/run.sh.
#
# shellcheck disable=SC2154 # run.sh has it
step "packages"
install_packages "${BUILD_PACKAGES[@]}" "${PACKAGING_PACKAGES[@]}"

mkdir -p build/service
{ cmake --preset release && cmake --build --preset release; } >build/release.log 2>&1 ||
  { tail -50 build/release.log >&2 && exit 1; }

# make_packages VERSION: in $packages, and nothing older.
make_packages() {
  (cd build/release && cpack -G DEB -D CPACK_PACKAGE_VERSION="$1" -B "$OLDPWD/$packages") \
    >build/service/cpack.log 2>&1 || { tail -30 build/service/cpack.log >&2 && return 1; }
}
rm -rf "$packages"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' build/release/CMakeCache.txt)
make_packages "$version"
make_packages "$version+next"
make_packages "$version~before"
architecture=$(dpkg --print-architecture)
rm -rf "$packages/_CPack_Packages"
ls "$packages"

check "lintian finds no error" lintian --allow-root --fail-on error \
  "$packages/svnet_${version}_$architecture.deb" \
  "$packages/libsvnet-dev_${version}_$architecture.deb"
check "the lack of each hardening would be found" tests/service/hardening_test.sh
check "programs and libraries are hardened" tests/service/hardening.sh \
  "$packages/svnet_${version}_$architecture.deb" "$packages/libsvnet-dev_${version}_$architecture.deb"
# In the binaries nothing shows of the first, and little of the second.
check "each file is compiled so" python3 -c '
import json
commands = [each["command"] for each in json.load(open("build/release/compile_commands.json"))]
for flag in ("-fstack-clash-protection", "-D_FORTIFY_SOURCE=3"):
    assert commands and all(flag in command for command in commands), flag'
check "what --help names is documented" tests/service/documented.sh build/release

documents_are_there() {
  local folder code=0
  folder=$(mktemp -d)
  dpkg-deb -x "$packages/svnet_${version}_$architecture.deb" "$folder"
  python3 -B tests/service/documents.py "$folder" || code=$?
  rm -rf "$folder"
  return "$code"
}
check "what it points to is in the package" documents_are_there

# A client in C++, with nothing of the source but the package.
client_builds() {
  local folder
  folder=$(mktemp -d)
  dpkg-deb -x "$packages/libsvnet-dev_${version}_$architecture.deb" "$folder/root"
  cp tests/service/client.cc "$folder/"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(client LANGUAGES CXX)' \
    'set(CMAKE_CXX_STANDARD 20)' 'find_package(svnet REQUIRED)' 'add_executable(client client.cc)' \
    'target_link_libraries(client PRIVATE svnet::svnet_grpc)' >"$folder/CMakeLists.txt"
  cmake -S "$folder" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$folder/root/usr" &&
    cmake --build "$folder/build" && "$folder/build/client"
  local code=$?
  rm -rf "$folder"
  return "$code"
}
check "a client in C++ builds with find_package(svnet)" client_builds

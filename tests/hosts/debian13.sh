#!/usr/bin/env bash
# Builds and tries svnet on Debian 13: sudo tests/hosts/debian13.sh
#
# In a Debian 13 with what a build needs, it runs `tests/run.sh quick` and makes the packages, as
# an unprivileged user without a network; then it tries these packages on a systemd of Debian 13,
# as tests/service does. Nothing is installed here.
#
# Keeps both Debians in build/debian, and what it builds in build/debian13, with a cache for
# ccache of its own: the first time takes half an hour, and the next a few minutes. The last line
# is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh
source tests/debian.sh

[[ $EUID -eq 0 ]] || { echo "this needs root, for a container: sudo $0" >&2 && exit 1; }
[[ $# -eq 0 ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2 && exit 2; }

install_packages "${DEBIAN_PACKAGES[@]}"
make_debian trixie "${BUILD_PACKAGES[@]}" "${QUICK_PACKAGES[@]}" "${PACKAGING_PACKAGES[@]}" ccache
mkdir -p build/debian13 "$debian/svnet"
chown nobody:nogroup build/debian13

# in_debian13 COMMAND...: in the checkout, as a user who may only write to its build folder.
in_debian13() {
  # nspawn says that where /run is no file system of its own.
  systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --pipe --private-network \
    -M svnet-debian13 -D "$debian" --read-only --chdir=/svnet \
    --bind-ro="$PWD:/svnet" --bind="$PWD/build/debian13:/svnet/build" \
    --setenv=CCACHE_DIR=/svnet/build/ccache --setenv=HOME=/tmp \
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$@" \
    </dev/null 2> >(grep -v '^Attempted to remove disk file system under' >&2)
}

echo "==> Debian 13: $(in_debian13 g++ --version | head -1)"
in_debian13 tests/run.sh quick
in_debian13 tests/service/run.sh make
tests/service/run.sh try trixie build/debian13/service/packages

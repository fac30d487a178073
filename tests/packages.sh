# shellcheck shell=bash
# What Debian 12 must have, and how it gets it. Sourced by tests/run.sh and
# docs/quickstart.sh.

# shellcheck disable=SC2034 # used by who sources this
BUILD_PACKAGES=(
  cmake ninja-build g++ pkg-config
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev
  libnftables-dev libcli11-dev libtomlplusplus-dev libspdlog-dev libsystemd-dev
  libseccomp-dev libssl-dev libjansson-dev prometheus-cpp-dev)

# A guest, and the namespaces around it.
GUEST_PACKAGES=(user-mode-linux busybox-static cpio iproute2 nftables iputils-ping procps)

# What tests/run.sh quick needs besides.
QUICK_PACKAGES=(clang-format libgmock-dev libgtest-dev shellcheck)

TEST_PACKAGES=(
  "${QUICK_PACKAGES[@]}" clang clang-tidy-19 git
  iptables ufw qemu-system-x86 xz-utils kmod
  python3-grpcio python3-jsonschema python3-prometheus-client python3-protobuf
  fish zsh systemd
  # What firewalld needs, which is itself only unpacked (tests/firewalls/build.sh).
  dbus polkitd python3-firewall python3-dbus python3-gi python3-nftables gir1.2-glib-2.0
  # What BIRD and FRR need, of which the same is true (tests/run.sh).
  libjson-c5 libreadline8)

# A machine with a kernel of Debian's (tests/hosts/debian12_kernel.sh).
MACHINE_PACKAGES=(qemu-system-x86 busybox-static cpio kmod e2fsprogs)

# What makes packages, and looks at them (tests/service).
PACKAGING_PACKAGES=(lintian dpkg-dev python3-minimal)

# What makes a bare Debian, and runs it in a container (tests/debian.sh).
DEBIAN_PACKAGES=(debootstrap systemd-container)

# What counts instructions.
COUNT_PACKAGES=(libbenchmark-dev valgrind)

# What measures, and what svnetd is measured against.
BENCH_PACKAGES=(
  libbenchmark-dev libgmock-dev libgtest-dev valgrind gnuplot-nox git
  qemu-system-common containernetworking-plugins iptables netavark)

# install_packages NAME...: those that are missing, and says so only if there are any.
install_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
      missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  echo "installing: ${missing[*]}"
  # Of what a failed installation prints, the end says why.
  local log
  log=$(mktemp)
  if ! {
    apt-get update &&
      DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

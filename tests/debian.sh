# shellcheck shell=bash
# A bare Debian of any suite, in a folder. Sourced by who has installed DEBIAN_PACKAGES.
#
# What has been made is kept in build/debian: build/debian/SUITE is the bare one,
# build/debian/SUITE-* the same with packages.

MIRROR=${SVNET_DEBIAN_MIRROR:-http://deb.debian.org/debian}

# package_version FOLDER: of the packages in it, not of those of the next version or the one before.
package_version() {
  local file
  for file in "$1"/svnet_*.deb; do
    [[ -e $file && $file != *+next_* && $file != *~before_* ]] || continue
    dpkg-deb --field "$file" Version
    return
  done
  echo "there are no packages in $1: tests/service/run.sh make" >&2
  return 1
}

# quietly COMMAND...: for at most ten minutes; the end of what it prints is shown if it fails.
quietly() {
  local log=build/debian/log
  timeout 600 "$@" >"$log" 2>&1 || {
    echo "failed: $*" >&2
    tail -20 "$log" >&2
    return 1
  }
}

# make_debian SUITE PACKAGE...: leaves in $debian the folder of a Debian with these packages. Of
# unpacked:PACKAGE it has what the package depends on and its files, even if it conflicts with
# another one.
make_debian() {
  local suite=$1
  shift
  debian=build/debian/$suite-$(echo "$MIRROR $*" | md5sum | head -c 12)
  [[ ! -d $debian ]] || return 0
  mkdir -p build/debian
  if [[ ! -d build/debian/$suite ]]; then
    rm -rf "build/debian/$suite.new"
    quietly debootstrap --variant=minbase "$suite" "build/debian/$suite.new" "$MIRROR"
    mv "build/debian/$suite.new" "build/debian/$suite"
  fi
  rm -rf "$debian.new"
  cp -a "build/debian/$suite" "$debian.new"
  cp /etc/resolv.conf "$debian.new/etc/"
  # shellcheck disable=SC2016
  quietly chroot "$debian.new" bash -ec 'export DEBIAN_FRONTEND=noninteractive; apt-get update
    installed=() unpacked=()
    for package in "$@"; do
      case $package in
        unpacked:*) unpacked+=("${package#*:}") ;;
        *) installed+=("$package") ;;
      esac
    done
    if [[ ${#unpacked[@]} -gt 0 ]]; then
      installed+=($(apt-cache depends --no-recommends "${unpacked[@]}" | sed -n "s/^  Depends: //p" | grep -v "<"))
      cd /tmp
      apt-get -o APT::Sandbox::User=root download "${unpacked[@]}"
    fi
    apt-get install --yes --no-install-recommends "${installed[@]}"
    for package in "${unpacked[@]}"; do
      dpkg-deb --fsys-tarfile "$package"_*.deb | tar --extract --keep-directory-symlink -C /
    done
    rm -f /tmp/*.deb; apt-get clean; rm -r /var/lib/apt/lists' \
    install "$@"
  mv "$debian.new" "$debian"
}

# What is on the Debian of the packages' tests besides what they depend on (libpam-systemd: for
# polkitd, which firewalld needs; the last line: who else is there, or reads what svnetctl prints).
SERVICE_PACKAGES=(
  systemd-sysv udev dbus procps iptables polkitd libpam-systemd kmod iproute2 iputils-ping
  wireguard-tools network-manager firewalld netbase unpacked:cloud-init) # firewalld and it conflict in Debian 13

# make_service_debian SUITE PACKAGE: one for the tests of the file PACKAGE, without it.
make_service_debian() {
  local depends
  depends=$(dpkg-deb --field "$2" Depends | sed 's/ ([^)]*)//g; s/,//g')
  # shellcheck disable=SC2086 # several names
  make_debian "$1" $depends "${SERVICE_PACKAGES[@]}"
}

#!/bin/sh
# Build the package repository of the hosts: what the given packages need beyond a bare host, indexed for apt.
#
# usage: build_packages.sh TARGET BASE PACKAGE...
# The package lists are those that APT_CONFIG names; see minicloud_lab/cache.py.
set -eu

target=$1
base=$2
shift 2

# Resolved by the machine's apt, as if what is installed were what the bare host has. Recommended packages stay out: hosts
# install without them, and a hypervisor needs no desktop.
fetch() {
  apt-get --quiet=2 --yes --download-only --no-install-recommends \
    -o Dir::State::status="$base/root/var/lib/dpkg/status" -o Dir::Cache::archives="$target" -o Debug::NoLocking=true \
    install "$@"
}

# All in one go; in halves when some exclude each other (chrony and systemd-timesyncd do): hosts choose one, the repository
# has both. A package that cannot be had even alone ends the build.
fetch_apart() {
  if fetch "$@"; then
    return
  fi
  if [ $# -eq 1 ]; then
    echo "$1 cannot be installed on a bare host from this machine's apt sources; see lab_packages" >&2
    exit 1
  fi
  half=$(($# / 2))
  position=0
  first=
  second=
  for package in "$@"; do
    if [ "$position" -lt "$half" ]; then
      first="$first $package"
    else
      second="$second $package"
    fi
    position=$((position + 1))
  done
  # In shells of their own, since the halves' names are not the caller's. Package names hold no blanks.
  # shellcheck disable=SC2086
  (fetch_apart $first)
  # shellcheck disable=SC2086
  (fetch_apart $second)
}

fetch_apart "$@"
rm -rf "$target/partial" "$target/lock"

cd "$target"
apt-ftparchive packages . > Packages
apt-ftparchive -o APT::FTPArchive::Release::Origin=minicloud-lab release . > Release.new
mv Release.new Release

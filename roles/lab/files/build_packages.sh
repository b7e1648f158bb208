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
apt-get --quiet=2 --yes --download-only --no-install-recommends \
  -o Dir::State::status="$base/root/var/lib/dpkg/status" -o Dir::Cache::archives="$target" -o Debug::NoLocking=true \
  install "$@"
rm -rf "$target/partial" "$target/lock"

cd "$target"
apt-ftparchive packages . > Packages
apt-ftparchive -o APT::FTPArchive::Release::Origin=minicloud-lab release . > Release.new
mv Release.new Release

#!/bin/sh
# Build the root file system that all hosts share: a bare Debian with systemd, sshd and Python.
#
# usage: build_base.sh TARGET SUITE PACKAGE,PACKAGE...
# The package lists are those that APT_CONFIG names; see minicloud_lab/cache.py.
set -eu

target=$1
suite=$2
packages=$3
root=$target/root

# The machine's own Debian sources, whatever mirror they name; and how it reaches them.
apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
  | sort -u | grep " $suite" > "$target/sources.list" || {
  echo "the machine's apt sources name no Debian $suite; lab_suite must be one of theirs" >&2
  exit 1
}
apt-config dump | grep -E '^Acquire::(Check-|http|https|ftp|Retries|Max-)' > "$target/apt.conf" || true

# In a mount namespace of its own: when this is killed, no mount of /dev or /proc stays in a directory that someone will remove.
env --unset=APT_CONFIG unshare --mount --propagation private \
  mmdebstrap --mode=root --variant=minbase --include="$packages" --aptopt="$target/apt.conf" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt=force-unsafe-io \
  "$suite" "$root" "$target/sources.list"
rm "$target/sources.list" "$target/apt.conf"

# Packages come from the machine's cache, bound into the host; it is trusted as the disk it lies on is.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/opt/lab-packages ./' > "$root/etc/apt/sources.list"
echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/90lab"
mkdir -p "$root/opt/lab-packages"

# What is a host's own comes with its disk.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"

chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service
# The root is an overlay that no fstab describes, and nobody sits at a console.
chroot "$root" systemctl --quiet mask systemd-remount-fs.service console-getty.service getty.target

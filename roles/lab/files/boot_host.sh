#!/bin/sh
# Become a host of the lab: join its control groups, mount its disk, boot it.
#
# usage: boot_host.sh CGROUP_PROCS... -- NSPAWN_ARGUMENT...
#   LAB_BASE  lower layer, shared by hosts    LAB_DISK  directory with the host's upper and work
#   LAB_ROOT  empty directory to mount on
#
# The mounts are made in a mount namespace of the host's own: they live exactly as long as its processes, so a host that
# dies at any moment leaves none behind, and nobody else sees them.
set -eu

if [ "${LAB_ISOLATED:-}" != yes ]; then
  while [ "$1" != -- ]; do
    echo $$ > "$1"
    shift
  done
  shift
  LAB_ISOLATED=yes exec unshare --mount --propagation private "$0" "$@"
fi

# volatile: a sync inside the host costs nothing. The data is safe as long as the machine itself is, which is longer than
# any power failure of a lab's host lasts.
mount -t overlay -o "lowerdir=$LAB_BASE,upperdir=$LAB_DISK/upper,workdir=$LAB_DISK/work,volatile" lab "$LAB_ROOT"

# What nspawn would leave there when it is killed goes with the namespace.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 lab /run/systemd/nspawn

unset LAB_ISOLATED LAB_BASE LAB_DISK LAB_ROOT
exec systemd-nspawn "$@"

#!/bin/sh
# Build the tiny guest: Debian's cloud kernel and a busybox initramfs, for direct kernel boot.
#
# usage: build_tiny_guest.sh TARGET KERNEL SKELETON
#   TARGET    existing directory that receives vmlinuz and initrd.img
#   KERNEL    the package that depends on the kernel's, such as linux-image-cloud-amd64
#   SKELETON  the guest's own files, laid over the initramfs as they are
# The package lists are those that APT_CONFIG names; see minicloud_lab/cache.py.
set -eu

target=$1
kernel=$2
skeleton=$3

# The power button's modules come before everything else (etc/rcS), then what QEMU's virtio machine needs, the network
# first. Dependencies are found below.
button_modules="evdev button"
modules="virtio_pci virtio_net virtio_blk virtio_balloon virtio_rng virtio_scsi sd_mod sr_mod isofs"

work=$(mktemp -d "$target/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

image=$(apt-cache depends --important "$kernel" | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)$/\1/p')
(cd "$work" && apt-get --quiet=2 download "$image")
dpkg-deb --extract "$work/$image"_*.deb "$work/kernel"
version=$(ls "$work/kernel/lib/modules")
cp "$work/kernel/boot/vmlinuz-$version" "$target/vmlinuz"
depmod --basedir "$work/kernel" "$version"

root=$work/root
mkdir -p "$root/bin" "$root/sbin" "$root/dev" "$root/proc" "$root/sys" "$root/lib/modules"
cp -R "$skeleton/." "$root/"
cp /bin/busybox "$root/bin/busybox"
chroot "$root" /bin/busybox --install -s /bin
ln -s bin/busybox "$root/init"

# modprobe prints the modules in the order in which they must be inserted, and "builtin NAME" for those that need not be.
for module in $button_modules $modules; do
  modprobe --dirname "$work/kernel" --set-version "$version" --show-depends "$module"
done | while read -r verb path; do
  [ "$verb" = insmod ] || continue
  name=${path##*/}
  [ ! -e "$root/lib/modules/$name" ] || continue
  cp "$path" "$root/lib/modules/"
  case " $button_modules " in
    *" ${name%.ko} "*) ;;
    *) echo "/lib/modules/$name" ;;
  esac
done > "$work/modules.order"
mv "$work/modules.order" "$root/etc/modules.order"

# Not compressed: unpacking costs more under TCG than reading 3 MB. Sorted, owned by root and dated alike, so that the
# same input gives the same bytes.
find "$root" -exec touch --no-dereference --date=@0 {} +
(cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null --create --format=newc --reproducible --owner=0:0) \
  > "$target/initrd.img"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a raw disk image with GRUB in it, from Debian's packages, without privileges.
# usage: grub-disk.sh IMAGE [GRUB.CFG]
#
# GRUB's boot sector finds its core image in the sectors behind it; the core image finds its configuration on
# the FAT partition that starts at 1 MiB.
set -euo pipefail
image=$1
config=${2:-$(dirname "$0")/grub.cfg}
if [ -e "$image" ] && [ "$image" -nt "$config" ] && [ "$image" -nt "$0" ]; then exit 0; fi

modules=/usr/lib/grub/i386-pc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$image")"

grub-mkimage -O i386-pc -d "$modules" -p '(hd0,msdos1)/boot/grub' -o "$work/core.img" \
  biosdisk part_msdos fat normal configfile echo ls cat test halt reboot help terminal
sectors=$((($(stat -c %s "$work/core.img") + 511) / 512))
[ "$sectors" -lt 2047 ] || { echo "the core image is too large for the gap before the partition" >&2; exit 1; }

truncate -s 32M "$work/disk"
# One active FAT16 partition from sector 2048 to the end.
printf '\x80\x20\x21\x00\x06\xfe\xff\xff\x00\x08\x00\x00\x00\xf8\x00\x00' |
  dd of="$work/disk" bs=1 seek=446 conv=notrunc status=none
dd if="$modules/boot.img" of="$work/disk" bs=1 count=440 conv=notrunc status=none
printf '\x55\xaa' | dd of="$work/disk" bs=1 seek=510 conv=notrunc status=none
dd if="$work/core.img" of="$work/disk" bs=512 seek=1 conv=notrunc status=none
export MTOOLS_SKIP_CHECK=1
mformat -i "$work/disk@@1M" -T 63488 -h 255 -s 63 -v MARTLET ::
mmd -i "$work/disk@@1M" ::/boot ::/boot/grub ::/boot/grub/i386-pc
# Its own USB drivers, for who asks for them: 'insmod ehci'.
for module in usb usbms scsi uhci ehci usb_keyboard keylayouts pci boot cs5536; do
  mcopy -i "$work/disk@@1M" "$modules/$module.mod" ::/boot/grub/i386-pc/
done
mcopy -i "$work/disk@@1M" "$modules/moddep.lst" ::/boot/grub/i386-pc/
mcopy -i "$work/disk@@1M" "$config" ::/boot/grub/grub.cfg
printf 'Hello from the disk.\n' > "$work/hello.txt"
mcopy -i "$work/disk@@1M" "$work/hello.txt" ::/hello.txt
mv "$work/disk" "$image"

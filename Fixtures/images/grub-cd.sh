#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a bootable GRUB CD image from Debian's packages.
# usage: grub-cd.sh IMAGE
set -euo pipefail
image=$1
if [ -e "$image" ] && [ "$image" -nt "$0" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$image")" "$work/cd/boot/grub"
printf 'Hello from the CD.\n' > "$work/cd/hello.txt"
grub-mkimage -O i386-pc-eltorito -d /usr/lib/grub/i386-pc -p '(cd)/boot/grub' -o "$work/cd/boot/grub/eltorito.img" \
  biosdisk iso9660 normal configfile echo ls cat test halt reboot help terminal
printf 'echo "GRUB has started from the CD of a Martlet machine."\n' > "$work/cd/boot/grub/grub.cfg"
xorriso -as mkisofs -quiet -V MARTLET_CD -R -J -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 \
  -boot-info-table -o "$work/cd.iso" "$work/cd" 2>/dev/null
mv "$work/cd.iso" "$image"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a bootable ISOLINUX CD image with a text menu, from Debian's packages: memtest86+, iPXE, and what ISOLINUX
# itself can tell about the machine.
# usage: isolinux-cd.sh IMAGE
set -euo pipefail
image=$1
if [ -e "$image" ] && [ "$image" -nt "$0" ]; then exit 0; fi
modules=/usr/lib/syslinux/modules/bios
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$image")" "$work/cd/isolinux"
cp /usr/lib/ISOLINUX/isolinux.bin "$work/cd/isolinux/"
for module in ldlinux menu libutil libcom32 libgpl cpuid pcitest meminfo reboot; do
  cp "$modules/$module.c32" "$work/cd/isolinux/"
done
cp /boot/memtest86+x64.bin "$work/cd/isolinux/memtest"
cp /usr/lib/ipxe/ipxe.lkrn "$work/cd/isolinux/ipxe.krn"
printf 'Hello from the CD.\n' > "$work/cd/hello.txt"
cat > "$work/cd/isolinux/isolinux.cfg" << 'END'
UI menu.c32
PROMPT 0
TIMEOUT 0
MENU TITLE ISOLINUX on a Martlet machine
LABEL memory
  MENU LABEL The memory map
  COM32 meminfo.c32
LABEL processor
  MENU LABEL The processor
  COM32 cpuid.c32
  APPEND 1
LABEL pci
  MENU LABEL The PCI devices
  COM32 pcitest.c32
LABEL memtest
  MENU LABEL memtest86+
  LINUX memtest
LABEL ipxe
  MENU LABEL iPXE
  LINUX ipxe.krn
LABEL reboot
  MENU LABEL Restart
  COM32 reboot.c32
END
xorriso -as mkisofs -quiet -V MARTLET_TOOLS -R -J -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
  -boot-load-size 4 -boot-info-table -o "$work/cd.iso" "$work/cd" 2>/dev/null
mv "$work/cd.iso" "$image"

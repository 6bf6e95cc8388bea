#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a disk image with Debian 12 in it (user "root", password "martlet"), from Debian's packages: without loop
# devices, and without privileges where unprivileged namespaces are allowed.
# usage: debian-disk.sh IMAGE
#
# An MBR with GRUB's boot sector, GRUB's core image behind it, and one ext4 partition at 1 MiB. The console is on
# the screen and on the first serial port. DEBIAN_MIRROR names another mirror than deb.debian.org.
set -euo pipefail
image=$1
# The image is as good as the script that made it; IMAGE.made-by holds that script's checksum. A time stamp would not
# do: a fresh checkout has new ones, and this takes minutes.
made_by=$(sha256sum < "$0")
if [ -e "$image" ] && [ "$(cat "$image.made-by" 2>/dev/null)" = "$made_by" ]; then exit 0; fi

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
modules=/usr/lib/grub/i386-pc
size_mib=2048
uuid=6d617274-6c65-7400-8000-000000000001
mkdir -p "$(dirname "$image")"
exec 9> "$image.lock"
flock 9
if [ -e "$image" ] && [ "$(cat "$image.made-by" 2>/dev/null)" = "$made_by" ]; then exit 0; fi
# Beside the image, so that the last step is a rename and /tmp need not be large.
work=$(mktemp -d "$image.XXXXXX")
trap 'rm -rf "$work"' EXIT
export PATH=$PATH:/usr/sbin:/sbin

packages=(
  linux-image-amd64 initramfs-tools lz4 zstd
  systemd systemd-sysv udev dbus libpam-systemd
  e2fsprogs kmod util-linux coreutils procps login passwd
  pciutils usbutils evtest ethtool iproute2 iputils-ping
  hdparm smartmontools stress-ng fdisk tcpdump dropbear-bin
)

# What the system's set-up writes. It runs inside the new system, before the kernel package makes its initramfs.
mkdir "$work/root"
cat > "$work/prepare" << 'END'
set -e
mkdir -p "$1/etc/initramfs-tools/conf.d"
# Only what finds the root on an IDE disk, packed so that unpacking is cheap: 6 MB instead of 30.
cat > "$1/etc/initramfs-tools/conf.d/martlet" << 'FILE'
MODULES=list
COMPRESS=lz4
COMPRESSLEVEL=9
FSTYPE=ext4
FILE
printf 'ata_piix\nata_generic\nahci\nsd_mod\next4\ncrc32c_generic\n' > "$1/etc/initramfs-tools/modules"
END

cat > "$work/finish" << END
set -e
cd "\$1"
echo martlet > etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 martlet\n' > etc/hosts
echo 'UUID=$uuid / ext4 errors=remount-ro,noatime 0 1' > etc/fstab
echo 'root:martlet' | chroot . chpasswd
# Nothing to update: what this starts once takes an interpreter a while.
touch etc/.updated var/.updated
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' > etc/systemd/journald.conf.d/martlet.conf
# Slow machines are no reason to give up on a device or a service.
mkdir -p etc/systemd/system.conf.d
printf '[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\nDefaultTimeoutStopSec=5min\n' \
  > etc/systemd/system.conf.d/martlet.conf
ln -sf /lib/systemd/system/multi-user.target etc/systemd/system/default.target
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer man-db.timer systemd-timesyncd.service systemd-pstore.service smartmontools.service smartd.service; do
  ln -sf /dev/null etc/systemd/system/\$unit
done
# login counts to 60 s before it gives up waiting for a password.
sed -i 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 600/' etc/login.defs
# A serial line shows what programs write, without a pager between and without marks around what is typed.
echo 'export SYSTEMD_PAGER=cat PAGER=cat' > etc/profile.d/martlet.sh
echo 'set enable-bracketed-paste off' >> etc/inputrc
mkdir -p boot/grub media/cdrom
cat > boot/grub/grub.cfg << 'FILE'
# The menu is on the screen and on the first serial port.
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set default=0
set timeout=1
menuentry "Debian on Martlet" {
  linux /vmlinuz root=UUID=$uuid ro console=tty0 console=ttyS0,115200
  initrd /initrd.img
}
menuentry "Debian on Martlet, single user" {
  linux /vmlinuz root=UUID=$uuid ro console=tty0 console=ttyS0,115200 single
  initrd /initrd.img
}
FILE
END

list=$(IFS=,; echo "${packages[*]}")
mmdebstrap --variant=minbase --include="$list" --aptopt='Acquire::Retries "3"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --essential-hook="sh $work/prepare \"\$1\"" --customize-hook="sh $work/finish \"\$1\"" \
  bookworm "$work/root.tar" \
  "deb $mirror bookworm main" "deb $mirror bookworm-updates main" \
  "deb ${mirror%/debian}/debian-security bookworm-security main"

grub-mkimage -O i386-pc -d "$modules" -p '(hd0,msdos1)/boot/grub' -o "$work/core.img" \
  biosdisk part_msdos ext2 normal configfile linux serial terminal terminfo echo ls cat test halt reboot help minicmd
sectors=$((($(stat -c %s "$work/core.img") + 511) / 512))
[ "$sectors" -lt 2047 ] || { echo "the core image is too large for the gap before the partition" >&2; exit 1; }

truncate -s "${size_mib}M" "$work/disk"
# One active Linux partition from sector 2048 to the end.
count=$(printf '%08x' $(((size_mib - 1) * 2048)))
printf "\\x80\\x20\\x21\\x00\\x83\\xfe\\xff\\xff\\x00\\x08\\x00\\x00\\x${count:6:2}\\x${count:4:2}\\x${count:2:2}\\x${count:0:2}" |
  dd of="$work/disk" bs=1 seek=446 conv=notrunc status=none
dd if="$modules/boot.img" of="$work/disk" bs=1 count=440 conv=notrunc status=none
printf '\x55\xaa' | dd of="$work/disk" bs=1 seek=510 conv=notrunc status=none
dd if="$work/core.img" of="$work/disk" bs=512 seek=1 conv=notrunc status=none
# fakeroot keeps the owners of the files; the kernel fills /dev. The inode tables are written now, not by the guest,
# and without the features that GRUB 2.06 cannot read.
fakeroot sh -euc '
  tar -x --numeric-owner --exclude "./dev/*" -f "$1/root.tar" -C "$1/root"
  # Not its first boot, which would look at every unit.
  echo '${uuid//-/}' > "$1/root/etc/machine-id"
  mke2fs -q -t ext4 -L martlet -U '$uuid' -O ^metadata_csum_seed,^orphan_file -d "$1/root" \
    -E offset=1048576,lazy_itable_init=0,lazy_journal_init=0,nodiscard "$1/disk" '$((size_mib - 1))M'
' sh "$work"
fallocate --dig-holes "$work/disk"
mv "$work/disk" "$image"
echo "$made_by" > "$image.made-by"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Assembles the option ROMs and writes them into the Swift file that holds them. A test checks that both agree.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=../Sources/Firmware/DirectBoot/DirectBootROMs.swift
{
  echo "// SPDX-License-Identifier: GPL-2.0-or-later"
  echo "// Written by firmware/build.sh from firmware/direct-boot-*.asm; not to be edited."
  echo
  echo "/// The option ROMs of ours, as assembled: length byte and checksums are filled in at load."
  echo "enum DirectBootROMs {"
  for rom in linux multiboot; do
    nasm -f bin -w+all -w+error -o "$work/$rom" "direct-boot-$rom.asm"
    [ "$rom" = linux ] || echo
    echo "  static let $rom: [UInt8] = ["
    od -An -v -tx1 -w16 "$work/$rom" | sed -e 's/ \(..\)/ 0x\1,/g' -e 's/^ /    /'
    echo "  ]"
  done
  echo "}"
} >"$work/swift"
mv "$work/swift" "$out"
chmod 644 "$out"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches Debian's source package of QEMU and builds its qtest programs, which are neither part of Martlet nor changed.
# usage: qemu-qtest.sh DIRECTORY PROGRAM...
#
# Everything stays in DIRECTORY: the package lists (the system's are left alone), the sources, the build. The programs are
# in DIRECTORY/build/tests/qtest. DEBIAN_MIRROR names another mirror than deb.debian.org, DEBIAN_RELEASE another release
# than the system's.
#
# Exit status: 0 built; 3 the source cannot be had here, and the last line says why.
set -euo pipefail
directory=$1
shift
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
release=${DEBIAN_RELEASE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")}

mkdir -p "$directory"
cd "$directory"
exec 9> lock
flock 9

if [ ! -e fetched ]; then
  mkdir -p apt/lists/partial apt/cache/archives/partial
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb-src [signed-by=$keyring] $mirror $release main" > apt/sources.list
  options=(
    -q -o "Dir::Etc::sourcelist=$PWD/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" -o APT::Sandbox::User=
  )
  echo "Fetching QEMU's source package from $mirror ($release)"
  rm -rf source ./*.dsc ./*.tar.*
  if ! apt-get "${options[@]}" update > apt/log 2>&1 ||
    ! apt-get "${options[@]}" source --download-only qemu >> apt/log 2>&1; then
    tail -n 5 apt/log >&2
    echo "$mirror serves no source package of qemu: QEMU's own tests cannot be built here" >&2
    exit 3
  fi
  dpkg-source -x qemu_*.dsc source > apt/extract.log
  touch fetched
fi

if [ ! -e build/build.ninja ]; then
  echo "Configuring it, with as little of QEMU as its tests need"
  rm -rf build
  mkdir build
  # The target only chooses which tests there are; no emulator is built.
  if ! (cd build && ../source/configure --target-list=x86_64-softmmu --without-default-features --disable-docs \
    --disable-werror --disable-install-blobs --meson=meson > configure.log 2>&1); then
    tail -n 20 build/configure.log >&2
    echo "QEMU's source cannot be configured: see $PWD/build/configure.log" >&2
    exit 1
  fi
fi
echo "Building: $*"
if ! ninja -C build "${@/#/tests/qtest/}" > build/ninja.log 2>&1; then
  tail -n 20 build/ninja.log >&2
  exit 1
fi

// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// Disks and CDs.
struct DriveOptions: ParsableArguments {
  static let topic = "drives"

  @Option(name: option("hda"), help: ArgumentHelp("Disk image on IDE 0 master.", valueName: "file"))
  var hda: String?
  @Option(name: option("hdb"), help: ArgumentHelp("Disk image on IDE 0 slave.", valueName: "file"))
  var hdb: String?
  @Option(name: option("hdc"), help: ArgumentHelp("Disk image on IDE 1 master.", valueName: "file"))
  var hdc: String?
  @Option(name: option("hdd"), help: ArgumentHelp("Disk image on IDE 1 slave.", valueName: "file"))
  var hdd: String?
  @Option(
    name: option("cdrom"), help: ArgumentHelp("CD image on IDE 1 master.", valueName: "file"))
  var cdrom: String?
  @Option(
    name: option("drive"),
    help: ArgumentHelp(
      """
      A drive: file=, index=0…3 (or bus=, unit=), media=disk or cdrom, format=raw, cache=writeback, none, \
      writethrough, directsync or unsafe, aio=threads or native, readonly=on, snapshot=on, discard=ignore or \
      unmap, serial=, bootindex=, werror= and rerror=report, ignore, stop or enospc.
      """, valueName: "file=f[,…]"))
  var drive: [String] = []
  @Option(
    name: option("blockdev"),
    help: ArgumentHelp(
      """
      An image for -device ide-hd,drive=NAME: driver=raw,node-name=NAME,file.driver=file,file.filename=f with \
      read-only=on, cache.direct=on, cache.no-flush=on, discard=unmap, file.aio=native; or as JSON.
      """, valueName: "driver=…,node-name="))
  var blockdev: [String] = []
  @Flag(
    name: option("snapshot"), help: "Leave all images as they are: writes go to temporary files.")
  var snapshot = false
}

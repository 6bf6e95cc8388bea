// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The firmware and what it boots.
struct BootOptions: ParsableArguments {
  static let topic = "boot"

  @Option(
    name: option("boot"),
    help: ArgumentHelp(
      "Boot order (c disk, d CD, n network, a floppy) and menu.",
      valueName: "order[,once=,menu=on,splash-time=ms,reboot-timeout=ms,strict=on]"))
  var boot: [String] = []
  @Flag(
    name: option("no-fd-bootchk"), help: "Boot from floppies without a boot signature, too: fd-bootchk=off.")
  var noFloppyCheck = false
  @Option(name: option("bios"), help: ArgumentHelp("BIOS image instead of SeaBIOS.", valueName: "file"))
  var bios: String?
  @Option(
    name: option("L"),
    help: ArgumentHelp("Look for firmware here before the usual places.", valueName: "dir"))
  var directories: [String] = []
  @Option(
    name: option("kernel"),
    help: ArgumentHelp("Start this Linux bzImage or Multiboot kernel.", valueName: "file"))
  var kernel: String?
  @Option(
    name: option("initrd"),
    help: ArgumentHelp("Initial RAM disk, or Multiboot modules 'file args,file args'.", valueName: "file"))
  var initrd: String?
  @Option(name: option("append"), help: ArgumentHelp("The kernel's command line.", valueName: "text"))
  var append: String?
  @Option(
    name: option("smbios"),
    help: ArgumentHelp(
      """
      What the SMBIOS tables say, e.g. type=1,manufacturer=,product=,serial=,uuid= (0 BIOS, 1 system, 2 board, \
      3 chassis, 4 processor, 11 OEM strings, 17 memory); or a structure from a file.
      """, valueName: "type=n,field=text|file=f"))
  var smbios: [String] = []
  @Option(
    name: option("fw_cfg"),
    help: ArgumentHelp(
      "A file for the firmware (etc/…) or the guest (opt/…) in fw_cfg, from a file or a text.",
      valueName: "[name=]name,file=f|string=text"))
  var firmwareFiles: [String] = []
}

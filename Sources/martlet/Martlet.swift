// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The command line as a whole: one group of options a topic, and a bare disk image.
struct Martlet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet", abstract: "Run a PC guest and show its screen in a VNC viewer or browser.",
    usage: "martlet [options] [disk.img]")

  @OptionGroup(title: "Machine") var machine: MachineOptions
  @OptionGroup(title: "Drives") var drives: DriveOptions
  @OptionGroup(title: "Network") var network: NetworkOptions
  @OptionGroup(title: "USB") var usb: USBOptions
  @OptionGroup(title: "Boot") var boot: BootOptions
  @OptionGroup(title: "Display") var display: DisplayOptions
  @OptionGroup(title: "Serial") var characters: CharacterOptions
  @OptionGroup(title: "Monitor") var monitors: MonitorOptions
  @OptionGroup(title: "Process") var process: ProcessOptions
  @OptionGroup(title: "Test") var tests: TestOptions
  @OptionGroup(title: "Run") var running: RunOptions

  @Argument(help: "A raw disk image to boot, as -hda.")
  var image: String?
}

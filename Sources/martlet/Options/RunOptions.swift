// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// Starting, ending and watching the machine.
struct RunOptions: ParsableArguments {
  static let topic = "run"

  @Flag(name: option("S"), help: "Make the machine but do not start it.")
  var startPaused = false
  @Flag(name: option("no-reboot"), help: "End instead of resetting.")
  var noReboot = false
  @Flag(name: option("no-shutdown"), help: "Pause instead of ending when the guest switches off.")
  var noShutdown = false
  @Option(
    name: option("action"),
    help: ArgumentHelp(
      "What ends the machine: reboot=reset or shutdown, shutdown=poweroff or pause, panic=shutdown, "
        + "exit-failure, pause or none.",
      valueName: "event=action"))
  var actions: [String] = []
  @Option(
    name: option("d"),
    help: ArgumentHelp("Trace these categories, separated by commas: as -trace.", valueName: "items"))
  var debugItems: String?
  @Option(
    name: option("D"), help: ArgumentHelp("Write the log and traces here.", valueName: "file"))
  var logFile: String?
  @Option(
    name: option("trace"),
    help: ArgumentHelp(
      "Trace a category (given again for more): ide, pci, port80, io, mmio, …; 'help' lists them.",
      valueName: "category"))
  var trace: [String] = []
  @Option(
    name: option("readconfig"),
    help: ArgumentHelp("Take the options in this file, as if they stood here.", valueName: "file"))
  var readConfiguration: [String] = []
  @Option(
    name: option("writeconfig"),
    help: ArgumentHelp(
      "Write all options to a file for -readconfig, or to standard output ('-'), and go on.",
      valueName: "file"))
  var writeConfiguration: String?
  @Flag(name: .customLong("print-config"), help: "Show the machine that would be built, and end.")
  var printConfig = false
  @Flag(name: option("version"), help: "Show the version, and end.")
  var version = false
}

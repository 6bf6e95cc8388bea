// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// Monitors: control from outside.
struct MonitorOptions: ParsableArguments {
  static let topic = "monitor"

  @Option(
    name: option("qmp"),
    help: ArgumentHelp(
      "QMP, for programs, on a port as of -serial: unix:PATH,server=on,wait=off.", valueName: "port"))
  var qmp: [String] = []
  @Option(
    name: option("qmp-pretty"), help: ArgumentHelp("As -qmp, with indented answers.", valueName: "port"))
  var qmpPretty: [String] = []
  @Option(
    name: option("monitor"),
    help: ArgumentHelp(
      "The human monitor on a port as of -serial: stdio, unix:PATH,server=on …", valueName: "port"))
  var monitor: [String] = []
  @Option(
    name: option("mon"),
    help: ArgumentHelp(
      "A monitor on a -chardev: mode=control is QMP, mode=readline the human one.",
      valueName: "chardev=ID[,mode=…][,pretty=on]"))
  var mon: [String] = []
}

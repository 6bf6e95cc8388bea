// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// Serial and parallel ports and debug consoles.
struct CharacterOptions: ParsableArguments {
  static let topic = "serial"

  @Option(
    name: option("serial"),
    help: ArgumentHelp(
      """
      Where COM1 (given again: COM2 …) leads: stdio, file:PATH, pty, unix:PATH,server=on,wait=off, \
      tcp:HOST:PORT, telnet:HOST:PORT,server=on, chardev:ID, null or none.
      """, valueName: "port"))
  var serial: [String] = []
  @Option(
    name: option("parallel"),
    help: ArgumentHelp("Where LPT1 leads: as -serial.", valueName: "port"))
  var parallel: [String] = []
  @Option(
    name: option("debugcon"),
    help: ArgumentHelp(
      "Where bytes written to I/O port 0xe9 go (-global isa-debugcon.iobase=0x402 for SeaBIOS's log).",
      valueName: "port"))
  var debugcon: [String] = []
  @Option(
    name: option("chardev"),
    help: ArgumentHelp(
      """
      A named port for -device …,chardev=ID: socket, stdio, file, pipe, pty, ringbuf or null; mux=on shares it, \
      logfile=f[,logappend=on] keeps what the guest writes.
      """, valueName: "kind,id=[,prop=value]"))
  var chardev: [String] = []
}

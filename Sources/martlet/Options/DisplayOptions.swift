// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The screen, the keyboard and how they are reached.
struct DisplayOptions: ParsableArguments {
  static let topic = "display"

  @Option(name: option("vga"), help: ArgumentHelp("Graphics card: std or none.", valueName: "card"))
  var vga: String?
  @Option(
    name: option("vnc"),
    help: ArgumentHelp(
      """
      Show the screen to VNC viewers: ':1' (port 5901 on this host only), 'host:1', 'unix:PATH' or 'none'; \
      with password=on, share=, to=N, websocket=on (a console for browsers).
      """, valueName: "display[,option…]"))
  var vnc: String?
  @Option(
    name: option("display"), help: ArgumentHelp("'none', or 'vnc=…' as -vnc.", valueName: "kind"))
  var display: String?
  @Flag(
    name: option("nographic"),
    help: "No screen: the first serial port on the terminal; Ctrl-A x ends the machine.")
  var noGraphic = false
  @Option(
    name: option("k"),
    help: ArgumentHelp("Keyboard layout of viewers that send symbols: en-us, de, …", valueName: "layout"))
  var keyboardLayout: String?
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Machine

extension HumanCommands {
  /// The screen and its viewers.
  static let screen: [HumanCommand] = [
    HumanCommand(
      "screendump",
      [
        HumanArgument("filename", .file), HumanArgument("format", .option("f")),
        HumanArgument("device", .text, optional: true), HumanArgument("head", .integer, optional: true),
      ], "filename [-f format] [device [head]]",
      help: "write the screen to a file, as ppm or with '-f png' as PNG; there is one screen"
    ) { arguments, monitor, _ in
      let name = arguments.texts["format"] ?? "ppm"
      guard let format = Screenshot.Format(rawValue: name) else {
        throw HumanError.failed("invalid parameter value: \(name)")
      }
      try monitor.machine.screenshot().write(to: arguments.text("filename"), as: format)
    },
    HumanCommand(
      "set_password",
      [
        HumanArgument("protocol", .word(["vnc"])), HumanArgument("password", .text),
        HumanArgument("display", .option("d")), HumanArgument("connected", .word(["keep"]), optional: true),
      ], "protocol password [-d display] [action-if-connected]", help: "set the password of VNC viewers"
    ) { arguments, monitor, _ in
      try expectVNC(arguments)
      guard arguments.texts["connected"] ?? "keep" == "keep" else {
        throw HumanError.failed("parameter 'connected' must be 'keep' when 'protocol' is 'vnc'")
      }
      try setPassword(arguments.text("password"), monitor.machine)
    },
    HumanCommand(
      "expire_password",
      [
        HumanArgument("protocol", .word(["vnc"])), HumanArgument("time", .word(["now", "never"])),
        HumanArgument("display", .option("d")),
      ], "protocol time [-d display]", help: "let the password of VNC viewers end: 'now', or 'never'"
    ) { arguments, monitor, _ in
      try expectVNC(arguments)
      guard let server = monitor.machine.vncServer else { throw HumanError.failed("there is no VNC server") }
      switch arguments.text("time") {
      case "now": server.setPassword(nil)
      case "never": break
      default: throw HumanError.failed("'now' and 'never' are what a password's time can be")
      }
    },
  ]

  private static func expectVNC(_ arguments: HumanArguments) throws {
    guard arguments.text("protocol") == "vnc" else {
      throw HumanError.failed("invalid parameter value: \(arguments.text("protocol"))")
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Machine

extension HumanCommands {
  /// Discs that come and go.
  static let media: [HumanCommand] = [
    HumanCommand(
      "eject", [HumanArgument("force", .flag("f")), HumanArgument("device", .drive)], "[-f] device",
      help: "take the disc out (-f: even if the guest has locked the tray)"
    ) { arguments, monitor, _ in
      try monitor.machine.eject(drive: arguments.text("device"), force: arguments.has("f"))
    },
    HumanCommand(
      "change",
      [
        HumanArgument("device", .drive), HumanArgument("force", .flag("f")), HumanArgument("target", .file),
        HumanArgument("format", .text, optional: true), HumanArgument("mode", .text, optional: true),
      ], "device [-f] filename [format [read-only-mode]]",
      help: "put another disc in (-f: even if the guest has locked the tray), or 'change vnc password'"
    ) { arguments, monitor, _ in
      if arguments.text("device") == "vnc" {
        guard arguments.text("target") == "password" || arguments.text("target") == "passwd" else {
          throw HumanError.failed("'change vnc password' is what can be changed; the address cannot")
        }
        return try changePassword(arguments.texts["format"], monitor)
      }
      // The drive first: a wrong name is the likelier mistake.
      _ = try monitor.machine.drive(named: arguments.text("device"))
      if let format = arguments.texts["format"], format != "raw" {
        throw HumanError.failed("Unknown driver '\(format)'; raw images are what there is")
      }
      let modes = ["retain", "read-only", "read-write"]
      if let mode = arguments.texts["mode"], !modes.contains(mode) {
        throw HumanError.failed("Invalid parameter '\(mode)': one of \(modes.joined(separator: ", "))")
      }
      try monitor.machine.changeMedium(
        ofDrive: arguments.text("device"), to: arguments.text("target"), force: arguments.has("f"))
    },
  ]

  private static func changePassword(_ password: String?, _ monitor: HumanInterpreter) throws {
    if let password { return try setPassword(password, monitor.machine) }
    guard let ask = monitor.askForPassword else {
      throw HumanError.plain("terminal does not support password prompting")
    }
    let machine = monitor.machine
    ask { password in
      do {
        try setPassword(password, machine)
        return ""
      } catch { return "Error: \(error)\n" }
    }
  }

  static func setPassword(_ password: String, _ machine: Machine) throws(MachineError) {
    guard let server = machine.vncServer else { throw MachineError("there is no VNC server") }
    guard server.configuration.needsPassword else {
      throw MachineError("Could not set password: the VNC server was started without 'password=on'")
    }
    server.setPassword(password)
  }
}

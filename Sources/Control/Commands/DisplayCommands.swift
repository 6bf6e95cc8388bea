// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import JSON
import Machine
import VNC

extension QMPCommands {
  /// The screen and its viewers.
  static let display: [QMPCommand] = [
    .action(
      "screendump",
      [
        .required("filename", .string), .optional("device", .string), .optional("head", .integer),
        .optional("format", .enumeration(["ppm", "png"])),
      ]
    ) { (arguments, context) throws(QMPError) in
      guard arguments["head"] == nil || arguments["device"] != nil else {
        throw QMPError("'head' must be specified together with 'device'")
      }
      let format = arguments["format"]?.string == "png" ? Screenshot.Format.png : .ppm
      do {
        try context.machine.screenshot().write(to: arguments.text("filename"), as: format)
      } catch { throw QMPError(error) }
    },
    QMPCommand(
      "query-vnc",
      returns: .members(
        .required("enabled", .boolean), .optional("host", .string),
        .optional("family", VNCDescription.family),
        .optional("service", .string), .optional("auth", .string),
        .optional("clients", .array(.object(Structure(VNCDescription.address)))))
    ) { _, context in
      guard let server = context.machine.vncServer else { return ["enabled": false] }
      return .object(
        [.init("enabled", true)] + VNCDescription.address(of: server).filter { $0.name != "websocket" } + [
          .init("clients", VNCDescription.clients(of: context.machine))
        ])
    },
    QMPCommand(
      "query-vnc-servers",
      returns: .array(
        .members(
          .required("id", .string),
          .required("server", .array(.object(Structure(VNCDescription.server)))),
          .required("clients", .array(.object(Structure(VNCDescription.address)))),
          .required("auth", .enumeration(["none", "vnc"]))))
    ) { _, context in
      guard let server = context.machine.vncServer else { return [] }
      let facts = VNCDescription.address(of: server)
      let auth = facts.first { $0.name == "auth" }?.value ?? "none"
      return [
        [
          "id": "default", "server": [.object(facts)], "clients": VNCDescription.clients(of: context.machine),
          "auth": auth,
        ]
      ]
    },
    .action("change-vnc-password", [.required("password", .string)]) {
      (arguments, context) throws(QMPError) in try setPassword(arguments.text("password"), context)
    },
    .action(
      "set_password",
      [
        .required("protocol", .enumeration(["vnc"])), .required("password", .string),
        .optional("connected", .enumeration(["keep", "fail", "disconnect"])), .optional("display", .string),
      ]
    ) { (arguments, context) throws(QMPError) in
      guard arguments["connected"]?.string ?? "keep" == "keep" else {
        throw QMPError("parameter 'connected' must be 'keep' when 'protocol' is 'vnc'")
      }
      try setPassword(arguments.text("password"), context)
    },
    .action(
      "expire_password",
      [
        .required("protocol", .enumeration(["vnc"])), .required("time", .string),
        .optional("display", .string),
      ]
    ) { (arguments, context) throws(QMPError) in
      let server = try server(context)
      switch arguments.text("time") {
      case "now": server.setPassword(nil)
      case "never": break
      default: throw QMPError("'now' and 'never' are what 'time' can be")
      }
    },
  ]

  private static func server(_ context: QMPContext) throws(QMPError) -> VNCServer {
    guard let server = context.machine.vncServer else {
      throw QMPError("there is no VNC server", class: .deviceNotActive)
    }
    return server
  }

  private static func setPassword(_ text: String, _ context: QMPContext) throws(QMPError) {
    let server = try server(context)
    guard server.configuration.needsPassword else {
      throw QMPError("Could not set password: the VNC server was started without 'password=on'")
    }
    server.setPassword(text)
  }
}

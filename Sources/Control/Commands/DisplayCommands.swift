// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import JSON
import Machine
import VNC

extension QMPCommands {
  private static let family = SchemaType.enumeration(["ipv4", "ipv6", "unix", "vsock", "unknown"])
  private static let authentication = SchemaType.enumeration(["none", "vnc"])

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
        .required("enabled", .boolean), .optional("host", .string), .optional("family", family),
        .optional("service", .string), .optional("auth", .string), .optional("clients", .array(.any)))
    ) { _, context in
      guard let server = context.machine.vncServer else { return ["enabled": false] }
      return .object([.init("enabled", true)] + address(of: server) + [.init("clients", [])])
    },
    QMPCommand(
      "query-vnc-servers",
      returns: .array(
        .members(
          .required("id", .string), .required("server", .array(.any)), .required("clients", .array(.any)),
          .required("auth", authentication)))
    ) { _, context in
      guard let server = context.machine.vncServer else { return [] }
      let facts = address(of: server)
      let auth = facts.first { $0.name == "auth" }?.value ?? "none"
      return [["id": "default", "server": [.object(facts)], "clients": [], "auth": auth]]
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

  /// Where viewers connect, and what they need.
  private static func address(of server: VNCServer) -> [JSONValue.Member] {
    let (family, host, service): (String, String, String) =
      switch server.configuration.address {
      case .tcp(let host, let port):
        (
          host?.contains(":") == true ? "ipv6" : "ipv4", host ?? "127.0.0.1",
          String(server.port ?? port)
        )
      case .unix(let path): ("unix", path, "")
      case .descriptor(let number): ("unknown", "fd:\(number)", "")
      }
    return [
      .init("auth", server.configuration.needsPassword ? "vnc" : "none"), .init("family", .string(family)),
      .init("service", .string(service)), .init("host", .string(host)),
    ]
  }
}

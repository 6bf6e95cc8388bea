// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import JSON
import Machine
import VNC

extension QMPCommands {
  private static let protocolName = Structure.Member.required("protocol", .enumeration(["vnc", "spice"]))

  private static let socketAddress = SchemaType.object(
    Structure(
      [.required("type", .enumeration(["inet", "unix"]))], tag: "type",
      variants: [
        .init(
          value: "inet",
          members: [
            .required("host", .string), .required("port", .string), .optional("ipv4", .boolean),
            .optional("ipv6", .boolean),
          ]), .init(value: "unix", members: [.required("path", .string)]),
      ]))

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
      let places = VNCDescription.addresses(of: server)
      let facts = places.first ?? []
      let auth = facts.first { $0.name == "auth" }?.value ?? "none"
      return [
        [
          "id": "default", "server": .array(places.map { .object($0) }),
          "clients": VNCDescription.clients(of: context.machine),
          "auth": auth,
        ]
      ]
    },
    QMPCommand("query-display-options", returns: .members(.required("type", .enumeration(["none"])))) {
      _, _ in
      ["type": "none"]
    },
    .action(
      "display-update",
      Structure(
        [.required("type", .enumeration(["vnc"]))], tag: "type",
        variants: [.init(value: "vnc", members: [.optional("addresses", .array(socketAddress))])])
    ) { (arguments, context) throws(QMPError) in
      let server = try server(context)
      var addresses: [VNCConfiguration.Address] = []
      for value in arguments["addresses"]?.array ?? [] {
        if let path = value["path"]?.string {
          addresses.append(.unix(path: path))
        } else {
          guard let port = UInt16(value["port"]?.string ?? "") else {
            throw QMPError("'\(value["port"]?.string ?? "")' is no port's number")
          }
          let host = value["host"]?.string ?? ""
          addresses.append(.tcp(host: host.isEmpty ? "*" : host, port: Int(port)))
        }
      }
      guard arguments["addresses"] != nil else { return }
      guard (1...16).contains(addresses.count) else {
        throw QMPError("Parameter 'addresses' needs 1 to 16 addresses")
      }
      do throws(VNCError) { try server.listen(at: addresses) } catch { throw QMPError(error) }
    },
    .action("change-vnc-password", [.required("password", .string)]) {
      (arguments, context) throws(QMPError) in try setPassword(arguments.text("password"), context)
    },
    .action(
      "set_password",
      Structure(
        [
          protocolName, .required("password", .string),
          .optional("connected", .enumeration(["keep", "fail", "disconnect"])),
        ], tag: "protocol", variants: [.init(value: "vnc", members: [.optional("display", .string)])])
    ) { (arguments, context) throws(QMPError) in
      try refuseSPICE(arguments)
      guard arguments["connected"]?.string ?? "keep" == "keep" else {
        throw QMPError("parameter 'connected' must be 'keep' when 'protocol' is 'vnc'")
      }
      try setPassword(arguments.text("password"), context)
    },
    .action(
      "expire_password",
      Structure(
        [protocolName, .required("time", .string)], tag: "protocol",
        variants: [.init(value: "vnc", members: [.optional("display", .string)])])
    ) { (arguments, context) throws(QMPError) in
      try refuseSPICE(arguments)
      let server = try server(context)
      switch arguments.text("time") {
      case "now": server.setPassword(nil)
      case "never": break
      default: throw QMPError("'now' and 'never' are what 'time' can be")
      }
    },
  ]

  private static func refuseSPICE(_ arguments: QMPArguments) throws(QMPError) {
    guard arguments.text("protocol") != "spice" else {
      throw QMPError("SPICE is not in use", class: .deviceNotActive)
    }
  }

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

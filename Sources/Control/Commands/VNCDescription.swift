// SPDX-License-Identifier: GPL-2.0-or-later

import JSON
import Machine
import VNC

/// The VNC server and its viewers as `query-vnc` and events tell them.
enum VNCDescription {
  static let family = SchemaType.enumeration(["ipv4", "ipv6", "unix", "vsock", "unknown"])

  static let address: [Structure.Member] = [
    .required("host", .string), .required("service", .string), .required("family", family),
    .required("websocket", .boolean),
  ]

  static let server = address + [.optional("auth", .string)]

  /// Where viewers connect first, and what they need.
  static func address(of server: VNCServer) -> [JSONValue.Member] { addresses(of: server).first ?? [] }

  /// Everywhere that viewers connect, and what they need.
  static func addresses(of server: VNCServer) -> [[JSONValue.Member]] {
    server.places.map { place in
      let (family, host, service): (String, String, String) =
        switch place.address {
        case .tcp(let host, let port):
          (
            host?.contains(":") == true ? "ipv6" : "ipv4", host ?? "127.0.0.1", String(place.port ?? port)
          )
        case .unix(let path): ("unix", "", path)
        case .descriptor(let number): ("unknown", "fd:\(number)", "")
        }
      return [
        .init("auth", server.configuration.needsPassword ? "vnc" : "none"),
        .init("family", .string(family)), .init("service", .string(service)), .init("host", .string(host)),
        .init("websocket", false),
      ]
    }
  }

  private static func value(of viewer: ViewerFacts) -> JSONValue {
    let (host, service, family): (String, String, String)
    if let colon = viewer.peer.lastIndex(of: ":"),
      UInt16(viewer.peer[viewer.peer.index(after: colon)...]) != nil
    {
      host = viewer.peer[..<colon].filter { $0 != "[" && $0 != "]" }
      service = String(viewer.peer[viewer.peer.index(after: colon)...])
      family = host.contains(":") ? "ipv6" : "ipv4"
    } else {
      (host, service, family) = ("", "", "unix")
    }
    return [
      "host": .string(host), "service": .string(service), "family": .string(family),
      "websocket": .bool(viewer.isBrowser),
    ]
  }

  /// All viewers there are.
  static func clients(of machine: Machine) -> JSONValue { .array(machine.viewers.map(value)) }

  /// What a viewer did.
  static func event(_ viewer: ViewerFacts, _ change: ViewerEvent, of machine: Machine) -> QMPEvent {
    let name =
      switch change {
      case .connected: "VNC_CONNECTED"
      case .initialized: "VNC_INITIALIZED"
      case .disconnected: "VNC_DISCONNECTED"
      }
    let server = machine.vncServer.map { address(of: $0) } ?? []
    return QMPEvent(name, [.init("server", .object(server)), .init("client", value(of: viewer))])
  }
}

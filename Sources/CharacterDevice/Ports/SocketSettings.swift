// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import OptionSyntax

/// A character device on a socket, as `-chardev socket`, `unix:` and `tcp:` describe it.
public struct SocketSettings: Equatable, Sendable {
  /// Where the socket is.
  public enum Address: Equatable, Sendable {
    /// A Unix socket. An abstract one has a name instead of a file.
    case unix(path: String, isAbstract: Bool)
    /// A TCP port; 0, for a server, is any that is free.
    case tcp(host: String, port: UInt16)
    /// A socket that another process opened and handed over: one that listens, or one that is connected.
    case descriptor(Int32)
  }

  public var address: Address
  /// Waits for clients, rather than being one.
  public var isServer = false
  /// A server's machine does not start before the first client is there.
  public var waitsForClient = true
  /// A client tries again after so many seconds if there is nobody, or nobody any more; 0 for never.
  public var reconnectSeconds = 0
  /// The other side speaks Telnet: commands in what comes in are understood, not passed on.
  public var isTelnet = false
  /// TCP sends small pieces at once.
  public var hasNoDelay = false

  /// A client of `address`.
  public init(address: Address) { self.address = address }

  /// Takes the settings out of a list: those behind the address, or, for `-chardev socket`, the address as well.
  /// - Parameters:
  ///   - address: where, if the text has said it already.
  ///   - isTelnet: whether the text has said that, too.
  public init(_ list: inout PropertyList, address: Address?, isTelnet: Bool = false) throws(OptionError) {
    self.isTelnet = isTelnet
    if let address {
      self.address = address
    } else {
      self.address = try Self.takeAddress(&list)
    }
    isServer = try list.takeFlag("server") ?? false
    let wait = try list.takeFlag("wait")
    guard isServer || wait == nil else {
      throw OptionError("\(list.option): wait= is for servers: give server=on as well")
    }
    waitsForClient = wait ?? true
    reconnectSeconds = try list.takeInteger("reconnect", in: 0...3600) ?? 0
    guard !isServer || reconnectSeconds == 0 else {
      throw OptionError("\(list.option): reconnect= is for clients, not for servers")
    }
    self.isTelnet = try list.takeFlag("telnet") ?? isTelnet
    for name in ["websocket", "tn3270"] {
      try list.takeFixed(name, ["off"], because: "telnet=on and plain sockets are what there is")
    }
    if list.take("tls-creds") != nil || list.take("tls-authz") != nil {
      throw OptionError("\(list.option): TLS is not supported; use a Unix socket, or tunnel the connection")
    }
    let delay = try list.takeFlag("delay")
    hasNoDelay = try list.takeFlag("nodelay") ?? (delay.map { !$0 } ?? false)
  }

  private static func takeAddress(_ list: inout PropertyList) throws(OptionError) -> Address {
    let isAbstract = try list.takeFlag("abstract") ?? false
    _ = try list.takeFlag("tight")
    for family in ["ipv4", "ipv6"] { _ = try list.takeFlag(family) }
    if let path = list.take("path") {
      guard !path.isEmpty else { throw OptionError("\(list.option): path= is empty") }
      return .unix(path: path, isAbstract: isAbstract)
    }
    if let text = list.take("fd") {
      guard let descriptor = PassedSockets.current.descriptor(text) else {
        throw OptionError("\(list.option): fd=\(text): \(PassedSockets.current.reason(for: text))")
      }
      return .descriptor(descriptor)
    }
    guard let port = try list.takeInteger("port", in: 0...65535) else {
      throw OptionError("\(list.option): path=, port= or fd= is missing")
    }
    return .tcp(host: list.take("host") ?? "localhost", port: UInt16(port))
  }

  /// What monitors call it, in QEMU's words, without the state it is in.
  public var label: String {
    let server = isServer ? ",server=on" : ""
    return switch address {
    case .unix(let path, _): "unix:\(path)\(server)"
    case .tcp(let host, let port): "\(isTelnet ? "telnet" : "tcp"):\(host):\(port)\(server)"
    case .descriptor(let number): "fd:\(number)\(server)"
    }
  }
}

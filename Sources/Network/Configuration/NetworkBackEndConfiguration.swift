// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import EventLoop
import Logging
import OptionSyntax

/// A back end, as `-netdev` describes it.
public struct NetworkBackEndConfiguration: Equatable, Sendable {
  /// What kind it is.
  public enum Kind: Equatable, Sendable {
    case user(UserNetworkConfiguration)
    case tap(TapConfiguration)
    case stream(SocketSettings)
    case datagram(DatagramNetwork.Settings)
    /// A port of a hub, into which another back end may be plugged instead of a card.
    case hubPort(hub: Int, backEnd: String?)
  }

  /// `id=`.
  public var id: String
  public var kind: Kind

  /// A back end.
  public init(id: String, kind: Kind) { (self.id, self.kind) = (id, kind) }

  /// The names of the kinds.
  public static let typeNames = ["user", "tap", "bridge", "socket", "stream", "dgram", "hubport"]
  /// What QEMU has besides.
  private static let foreign = [
    "l2tpv3", "vde", "netmap", "vhost-user", "vhost-vdpa", "af-xdp", "vmnet-host",
  ]

  /// Takes the properties of a back end of that type out of a list.
  public init(type: String, id: String, _ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    self.id = id
    switch type {
    case "user": kind = .user(try UserNetworkConfiguration(&list))
    case "tap": kind = .tap(try TapConfiguration(&list))
    case "bridge": kind = .tap(try TapConfiguration(bridge: &list))
    case "socket": kind = try Self.socket(&list)
    case "stream": kind = .stream(try Self.stream(&list))
    case "dgram": kind = .datagram(try Self.datagram(&list))
    case "hubport":
      guard let hub = try list.takeInteger("hubid", in: 0...Int(Int32.max)) else {
        throw OptionError("\(option): hubport needs hubid=")
      }
      kind = .hubPort(hub: hub, backEnd: list.take("netdev"))
    case let other where Self.foreign.contains(other):
      throw OptionError(
        "\(option): the type '\(other)' is not supported; known are \(Self.typeNames.joined(separator: ", "))"
      )
    default:
      throw OptionError(
        "\(option): there is no type '\(type)'\(didYouMean(type, in: Self.typeNames)); known are "
          + Self.typeNames.joined(separator: ", "))
    }
  }

  /// What it is called in monitors: `type=`.
  public var typeName: String {
    switch kind {
    case .user: "user"
    case .tap: "tap"
    case .stream: "stream"
    case .datagram: "dgram"
    case .hubPort: "hubport"
    }
  }

  // MARK: Sockets

  /// `-netdev socket`, QEMU's older spelling: `listen=`, `connect=`, `udp=`, `mcast=`, `fd=`.
  private static func socket(_ list: inout PropertyList) throws(OptionError) -> Kind {
    let option = list.option
    let local = try list.take("localaddr").map { (text) throws(OptionError) in text }
    if let text = list.take("listen") {
      var settings = SocketSettings(address: try tcp(text, option: option, key: "listen"))
      settings.isServer = true
      return .stream(settings)
    }
    if let text = list.take("connect") {
      return .stream(SocketSettings(address: try tcp(text, option: option, key: "connect")))
    }
    if let descriptor = try list.takeInteger("fd", in: 0...1 << 20) {
      return .stream(SocketSettings(address: .descriptor(Int32(descriptor))))
    }
    if let text = list.take("udp") {
      guard let local else {
        throw OptionError("\(option): udp= needs localaddr=ADDRESS:PORT, where frames come in")
      }
      return .datagram(
        .init(
          local: try udp(local, option: option, key: "localaddr"),
          remote: try udp(text, option: option, key: "udp")))
    }
    if let text = list.take("mcast") {
      let group = try udp(text, option: option, key: "mcast")
      var settings = DatagramNetwork.Settings(local: nil, remote: group)
      guard settings.isMulticast else {
        throw OptionError(
          "\(option): mcast=\(text) must be a group, 224.0.0.0 to 239.255.255.255, and a port")
      }
      if let local {
        guard let address = IPv4Address(local) else {
          throw OptionError("\(option): localaddr=\(local) must be an address of this host's")
        }
        settings.multicastInterface = address
      }
      return .datagram(settings)
    }
    throw OptionError("\(option): socket needs one of listen=, connect=, udp=, mcast= and fd=")
  }

  private static func hostAndPort(_ text: String, option: String, key: String) throws(OptionError) -> (
    String, UInt16
  ) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw OptionError("\(option): \(key)=\(text) must be [HOST]:PORT")
    }
    return (String(text[..<colon]), port)
  }

  private static func tcp(_ text: String, option: String, key: String) throws(OptionError)
    -> SocketSettings.Address
  {
    let (host, port) = try hostAndPort(text, option: option, key: key)
    return .tcp(host: host, port: port)
  }

  private static func udp(_ text: String, option: String, key: String) throws(OptionError)
    -> DatagramNetwork.Settings.Address
  {
    let (host, port) = try hostAndPort(text, option: option, key: key)
    guard let address = host.isEmpty ? IPv4Address(bits: 0) : IPv4Address(host) else {
      throw OptionError("\(option): \(key)=\(text) must be an IPv4 address and a port")
    }
    return .udp(address, port)
  }

  /// `-netdev stream,server=,addr.type=inet|unix|fd,addr.host=,addr.port=,addr.path=,addr.str=`.
  private static func stream(_ list: inout PropertyList) throws(OptionError) -> SocketSettings {
    var address = list.takeAll(prefix: "addr.")
    var settings: SocketSettings
    switch address.take("type") {
    case "inet":
      let host = address.take("host") ?? ""
      guard let port = address.take("port").flatMap({ UInt16($0) }) else {
        throw OptionError("\(list.option): addr.port= is missing, or no port")
      }
      settings = SocketSettings(address: .tcp(host: host, port: port))
      _ = address.take("ipv4")
      _ = address.take("ipv6")
    case "unix":
      guard let path = address.take("path") else {
        throw OptionError("\(list.option): addr.path= is missing")
      }
      let isAbstract = try address.takeFlag("abstract") ?? false
      settings = SocketSettings(address: .unix(path: path, isAbstract: isAbstract))
    case "fd":
      guard let descriptor = address.take("str").flatMap({ Int32($0) }) else {
        throw OptionError("\(list.option): addr.str= must be the number of a file descriptor")
      }
      settings = SocketSettings(address: .descriptor(descriptor))
    case nil: throw OptionError("\(list.option): addr.type= is missing: inet, unix or fd")
    case let type?:
      throw OptionError("\(list.option): addr.type=\(type) must be inet, unix or fd")
    }
    try address.finish()
    settings.isServer = try list.takeFlag("server") ?? false
    settings.reconnectSeconds = try list.takeInteger("reconnect", in: 0...3600) ?? 0
    return settings
  }

  /// `-netdev dgram,local.type=,local.host=…,remote.type=…`.
  private static func datagram(_ list: inout PropertyList) throws(OptionError) -> DatagramNetwork.Settings {
    let local = try end("local", &list)
    guard let remote = try end("remote", &list) else {
      throw OptionError("\(list.option): remote.type= is missing: inet or unix")
    }
    var settings = DatagramNetwork.Settings(local: local, remote: remote)
    if settings.isMulticast {
      if case .udp(let address, _)? = local { settings.multicastInterface = address }
      settings.local = nil
    } else if local == nil {
      throw OptionError("\(list.option): local.type= is missing: frames come in there")
    }
    switch (settings.local, remote) {
    case (.udp?, .unix), (.unix?, .udp):
      throw OptionError("\(list.option): local and remote must be of one type")
    default: return settings
    }
  }

  private static func end(_ name: String, _ list: inout PropertyList) throws(OptionError)
    -> DatagramNetwork.Settings.Address?
  {
    var address = list.takeAll(prefix: "\(name).")
    defer { _ = address }
    switch address.take("type") {
    case nil: return nil
    case "inet":
      let host = address.take("host") ?? ""
      // A multicast group's local address may come without a port.
      let port = address.take("port") ?? "0"
      try address.finish()
      return try udp("\(host):\(port)", option: list.option, key: name)
    case "unix":
      guard let path = address.take("path") else {
        throw OptionError("\(list.option): \(name).path= is missing")
      }
      try address.finish()
      guard path.utf8.count < 108 else {
        throw OptionError("\(list.option): \(name).path= is longer than 107 bytes")
      }
      return .unix(path)
    case let type?: throw OptionError("\(list.option): \(name).type=\(type) must be inet or unix")
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

extension VNCConfiguration {
  /// Reads the argument of `-vnc`: `:N`, `HOST:N`, `unix:PATH`, `fd:N` (or the name of a socket of systemd) or `none`, and options after commas, as
  /// QEMU spells them.
  /// - Returns: nil for `none`.
  public static func parse(_ text: String) throws(VNCError) -> VNCConfiguration? {
    var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
    let display = parts.removeFirst()
    guard display != "none" else { return nil }
    var configuration = VNCConfiguration(address: try parseAddress(display, in: text))
    for part in parts {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      // QEMU's short form: an option alone is switched on.
      try configuration.set(pair[0], to: pair.count == 2 ? pair[1] : "on", in: text)
    }
    if configuration.webSocket != nil, configuration.webSocket?.port == nil {
      guard case .tcp = configuration.address else {
        throw .malformed(text, reason: "websocket= needs a port of its own here, as in websocket=5700")
      }
    }
    return configuration
  }

  private static func parseAddress(_ display: String, in text: String) throws(VNCError) -> Address {
    if display.hasPrefix("unix:") {
      let path = String(display.dropFirst(5))
      guard !path.isEmpty else { throw .malformed(text, reason: "the path after 'unix:' is missing") }
      return .unix(path: path)
    }
    if display.hasPrefix("fd:") {
      let place = String(display.dropFirst(3))
      guard let number = PassedSockets.current.descriptor(place) else {
        throw .malformed(text, reason: "fd: \(PassedSockets.current.reason(for: place))")
      }
      return .descriptor(number)
    }
    if display == "reverse" { throw .unsupportedOption("reverse", instead: "let the viewer connect") }
    let (host, number) = try splitHost(display, in: text)
    guard let number, let display = Int(number), (0...59635).contains(display) else {
      throw .malformed(text, reason: "the display number after ':' must be 0 to 59635")
    }
    return .tcp(host: host, port: 5900 + display)
  }

  /// Splits `HOST:NUMBER`; an IPv6 address is in brackets, an empty host is nil.
  private static func splitHost(
    _ value: String, in text: String
  ) throws(VNCError) -> (host: String?, number: String?) {
    if value.hasPrefix("[") {
      guard let end = value.firstIndex(of: "]") else { throw .malformed(text, reason: "a ']' is missing") }
      let host = String(value[value.index(after: value.startIndex)..<end])
      let rest = value[value.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else {
        throw .malformed(text, reason: "a ':' is expected after ']'")
      }
      return (host, rest.isEmpty ? nil : String(rest.dropFirst()))
    }
    guard let colon = value.lastIndex(of: ":") else {
      return (value.isEmpty ? nil : value, nil)
    }
    let host = String(value[..<colon])
    return (host.isEmpty ? nil : host, String(value[value.index(after: colon)...]))
  }

  private mutating func set(_ option: String, to value: String, in text: String) throws(VNCError) {
    switch option {
    case "password":
      needsPassword = try Self.flag(value, of: option, in: text)
    case "password-file":
      passwordFile = value
      needsPassword = true
    case "password-secret":
      passwordSecret = value
      needsPassword = true
    case "share":
      guard let sharing = Sharing(rawValue: value) else {
        throw .malformed(text, reason: "share= is allow-exclusive, force-shared or ignore")
      }
      self.sharing = sharing
    case "to":
      guard case .tcp(_, let port) = address, let last = Int(value), (0...59635).contains(last) else {
        throw .malformed(text, reason: "to= is the last display number to try, for a TCP display")
      }
      lastPort = max(5900 + last, port)
    case "websocket":
      webSocket = try Self.webSocket(value, in: text)
    case "tls-creds", "tls-authz", "x509", "x509verify", "tls":
      throw .unsupportedOption(option, instead: "tunnel the connection: ssh -L 5900:localhost:5900 HOST")
    case "sasl", "sasl-authz", "acl":
      throw .unsupportedOption(
        option, instead: "use password=on, or a Unix socket (unix:PATH) and its permissions")
    case "reverse":
      if try Self.flag(value, of: option, in: text) {
        throw .unsupportedOption(option, instead: "let the viewer connect")
      }
    case "audiodev": break  // There is no sound to be sent.
    case "power-control", "lossy", "non-adaptive", "lock-key-sync", "key-delay-ms", "display",
      "head",
      "to-port", "connections", "ipv4", "ipv6", "id":
      throw .unsupportedOption(option, instead: "leave it out")
    default:
      throw .unknownOption(option)
    }
  }

  private static func flag(_ value: String, of option: String, in text: String) throws(VNCError) -> Bool {
    switch value {
    case "on", "yes", "true", "y": return true
    case "off", "no", "false", "n": return false
    default: throw .malformed(text, reason: "\(option)= is on or off")
    }
  }

  private static func webSocket(_ value: String, in text: String) throws(VNCError) -> WebSocket? {
    switch value {
    case "on": return WebSocket()
    case "off": return nil
    default:
      // A number alone is a port.
      let (host, number) = try splitHost(Int(value) != nil ? ":\(value)" : value, in: text)
      guard let number, let port = Int(number), (0...65535).contains(port) else {
        throw .malformed(text, reason: "websocket= is on, off, a port, or HOST:PORT")
      }
      return WebSocket(host: host, port: port)
    }
  }
}

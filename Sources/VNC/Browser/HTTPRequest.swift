// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The head of an HTTP/1.1 request (RFC 9112).
struct HTTPRequest: Equatable {
  /// The longest head that is accepted, in bytes.
  static let maximumHeadCount = 8192

  /// GET, HEAD …
  let method: String
  /// What is asked for, as it was sent: "/vnc.html?autoconnect=true".
  let target: String
  /// The fields, their names in lower case.
  let fields: [String: String]

  /// Reads a head without its last empty line; nil if it is malformed.
  init?(head: some Collection<UInt8>) {
    guard head.allSatisfy({ (0x20...0x7E).contains($0) || $0 >= 0x80 || $0 == 9 || $0 == 10 || $0 == 13 })
    else {
      return nil
    }
    var lines = String(decoding: head, as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: true)[...]
    guard let first = lines.popFirst() else { return nil }
    let words = first.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0", words[1].hasPrefix("/") else {
      return nil
    }
    var fields: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return nil }
      let name = line[..<colon].lowercased()
      let value = line[line.index(after: colon)...].trimmingSpaces()
      // Two of the fields that decide who may connect would be a trick.
      if fields[name] != nil, name == "host" || name == "origin" { return nil }
      fields[name] = fields[name].map { "\($0), \(value)" } ?? value
    }
    method = String(words[0])
    target = String(words[1])
    self.fields = fields
  }

  /// The path that is asked for, without the query, decoded; nil if it leaves the directory, or is odd.
  var path: String? {
    var bytes: [UInt8] = []
    var rest = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst(), let low = rest.popFirst(),
        let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16), high != UInt8(ascii: "+")
      else { return nil }
      bytes.append(value)
    }
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
    let path = String(decoding: bytes, as: UTF8.self)
    // No parts that go up, none that are hidden.
    guard !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }) else { return nil }
    return path
  }

  /// Whether the browser asks for a WebSocket.
  var isWebSocketUpgrade: Bool {
    (fields["upgrade"] ?? "").lowercased() == "websocket"
      && (fields["connection"] ?? "").lowercased().contains("upgrade")
  }

  /// Whether the request was made for this server's address. A page of somebody else whose name was made to
  /// point here (DNS rebinding) still names itself in `Host`; so only addresses, `localhost` and names the
  /// user gave are taken.
  func isHostAllowed(names: [String]) -> Bool {
    guard let host = fields["host"] else { return false }
    return Self.isAllowed(host: host, names: names)
  }

  /// Whether the page that opens a WebSocket came from this server. Without the field it is no browser.
  var isOriginAllowed: Bool {
    guard let origin = fields["origin"] else { return true }
    guard let host = fields["host"] else { return false }
    let lowered = origin.lowercased()
    return lowered == "http://\(host.lowercased())" || lowered == "https://\(host.lowercased())"
  }

  private static func isAllowed(host: String, names: [String]) -> Bool {
    var name = host
    if let bracket = host.lastIndex(of: "]") {
      guard host.hasPrefix("[") else { return false }
      name = String(host[host.index(after: host.startIndex)..<bracket])
      var address = in6_addr()
      return inet_pton(AF_INET6, name, &address) == 1
    }
    if let colon = host.lastIndex(of: ":") { name = String(host[..<colon]) }
    var address = in_addr()
    if inet_pton(AF_INET, name, &address) == 1 { return true }
    return name.lowercased() == "localhost" || names.contains { $0.lowercased() == name.lowercased() }
  }
}

extension Substring {
  /// Without spaces and tabs at both ends.
  fileprivate func trimmingSpaces() -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) })
    else {
      return ""
    }
    return String(self[first...last])
  }
}

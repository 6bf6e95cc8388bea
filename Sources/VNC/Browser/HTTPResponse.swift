// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import TextEncoding

/// Answers of the browser console's small web server: files of one directory, and the way into a WebSocket.
enum HTTPResponse {
  /// The largest file that is served, in bytes.
  static let maximumFileCount = 8 << 20

  /// The page that connects at once.
  static let consoleTarget = "/vnc.html?autoconnect=true&path=websockify&resize=scale&reconnect=true"

  /// The answer to a request for a file under `directory`.
  static func file(for request: HTTPRequest, in directory: String) -> [UInt8] {
    guard request.method == "GET" || request.method == "HEAD" else {
      return text(
        405, "Method Not Allowed", "Only GET and HEAD are possible here.\n", fields: ["Allow: GET, HEAD"])
    }
    guard let path = request.path else { return text(400, "Bad Request", "This is not a path.\n") }
    if path == "/" {
      return text(
        302, "Found", "The console is at \(consoleTarget)\n", fields: ["Location: \(consoleTarget)"])
    }
    guard access(directory, X_OK) == 0 else {
      return text(
        404, "Not Found",
        "noVNC is not in \(directory): install Debian's package 'novnc', or use a VNC viewer.\n")
    }
    guard let type = contentType(path), let body = read(path, in: directory) else {
      return text(404, "Not Found", "There is no such file.\n")
    }
    return response(200, "OK", type: type, body: body, isHead: request.method == "HEAD")
  }

  /// The answer that turns the connection into a WebSocket (RFC 6455, 4.2.2), or one that refuses.
  static func upgrade(_ request: HTTPRequest) -> (response: [UInt8], isAccepted: Bool) {
    guard request.method == "GET", request.isOriginAllowed else {
      return (text(403, "Forbidden", "This page is not from here.\n"), false)
    }
    guard let key = request.fields["sec-websocket-key"], request.fields["sec-websocket-version"] == "13"
    else {
      return (
        text(
          426, "Upgrade Required", "WebSocket version 13 is needed.\n", fields: ["Sec-WebSocket-Version: 13"]),
        false
      )
    }
    let accept = Base64Text.text(sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
    var head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Accept: \(accept)\r\n"
    let protocols = (request.fields["sec-websocket-protocol"] ?? "").split(separator: ",")
    if protocols.contains(where: { $0.split(separator: " ").first == "binary" }) {
      head += "Sec-WebSocket-Protocol: binary\r\n"
    }
    return (Array((head + "\r\n").utf8), true)
  }

  /// A short answer in words.
  static func text(_ status: Int, _ reason: String, _ body: String, fields: [String] = []) -> [UInt8] {
    response(status, reason, type: "text/plain; charset=utf-8", body: Array(body.utf8), fields: fields)
  }

  private static func response(
    _ status: Int, _ reason: String, type: String, body: [UInt8], fields: [String] = [], isHead: Bool = false
  ) -> [UInt8] {
    let head =
      [
        "HTTP/1.1 \(status) \(reason)", "Content-Type: \(type)", "Content-Length: \(body.count)",
        "Connection: close", "Cache-Control: no-cache", "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: frame-ancestors 'none'", "Referrer-Policy: no-referrer",
      ] + fields
    return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (isHead ? [] : body)
  }

  private static func contentType(_ path: String) -> String? {
    guard let dot = path.lastIndex(of: ".") else { return nil }
    switch path[path.index(after: dot)...] {
    case "html": return "text/html; charset=utf-8"
    case "js": return "text/javascript; charset=utf-8"
    case "css": return "text/css; charset=utf-8"
    case "json": return "application/json"
    case "svg": return "image/svg+xml"
    case "png": return "image/png"
    case "ico": return "image/x-icon"
    case "ttf": return "font/ttf"
    case "woff": return "font/woff"
    case "woff2": return "font/woff2"
    case "mp3": return "audio/mpeg"
    case "oga": return "audio/ogg"
    default: return nil
    }
  }

  /// Reads a regular file whose real place is under `directory`.
  private static func read(_ path: String, in directory: String) -> [UInt8]? {
    guard let root = realPath(directory), let file = realPath(directory + path), file.hasPrefix(root + "/")
    else {
      return nil
    }
    let descriptor = martlet_open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size <= maximumFileCount
    else { return nil }
    let capacity = Int(status.st_size)
    return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      while count < capacity, let base = buffer.baseAddress {
        let found = Glibc.read(descriptor, base + count, capacity - count)
        guard found > 0 else { break }
        count += found
      }
    }
  }

  private static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }
}

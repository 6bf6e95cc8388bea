// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Glibc
import Testing
import TextEncoding

@testable import VNC

/// The console in a browser: files over HTTP, RFB over a WebSocket.
@Suite(.serialized) struct BrowserTests {
  /// A directory with a page, a directory, and things that must not be served.
  private let directory: String
  init() throws {
    let base = NSTemporaryDirectory() + "/martlet-web-\(UUID().uuidString)"
    directory = base + "/public"
    try FileManager.default.createDirectory(atPath: directory + "/app", withIntermediateDirectories: true)
    try Data("<p>console</p>".utf8).write(to: URL(fileURLWithPath: directory + "/vnc.html"))
    try Data("let x = 1".utf8).write(to: URL(fileURLWithPath: directory + "/app/ui.js"))
    try Data("secret".utf8).write(to: URL(fileURLWithPath: base + "/secret.html"))
    try Data("secret".utf8).write(to: URL(fileURLWithPath: directory + "/.hidden.html"))
    try Data("secret".utf8).write(to: URL(fileURLWithPath: directory + "/key.pem"))
    symlink("vnc.html", directory + "/inside.html")
    symlink("../secret.html", directory + "/outside.html")
    mkfifo(directory + "/pipe.html", 0o600)
  }

  private func stage() throws -> Stage {
    try Stage {
      $0.webSocket = .init(port: 0)
      $0.browserFiles = directory
    }
  }

  /// Sends a request as it is and returns the whole answer.
  private func ask(_ stage: Stage, _ request: String) throws -> String {
    let client = try RFBClient(port: try #require(stage.server.webPort))
    try client.sendRaw(Array(request.utf8))
    return String(decoding: try client.receiveAll(), as: UTF8.self)
  }

  private func get(_ stage: Stage, _ target: String, host: String = "127.0.0.1:1") throws -> String {
    try ask(stage, "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
  }

  @Test func `files are served`() throws {
    let stage = try stage()
    defer { stage.stop() }
    let page = try get(stage, "/vnc.html?autoconnect=true&path=websockify")
    #expect(page.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(page.contains("Content-Type: text/html; charset=utf-8\r\n"))
    #expect(page.hasSuffix("\r\n\r\n<p>console</p>"))
    #expect(try get(stage, "/app/ui.js").contains("text/javascript"))
    #expect(try get(stage, "/app/u%69.js").hasSuffix("let x = 1"))
    #expect(try get(stage, "/inside.html").hasSuffix("<p>console</p>"))
    #expect(try get(stage, "/").contains("Location: /vnc.html?autoconnect=true&path=websockify"))
    let head = try ask(stage, "HEAD /vnc.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(head.contains("Content-Length: 14\r\n") && head.hasSuffix("\r\n\r\n"))
    let url = try #require(stage.server.url)
    #expect(url.hasPrefix("http://127.0.0.1:\(try #require(stage.server.webPort))/vnc.html?autoconnect=true"))
  }

  @Test(arguments: [
    "/../secret.html", "/..%2fsecret.html", "/%2e%2e/secret.html", "/app/../../secret.html",
    "//../secret.html",
    "/outside.html", "/.hidden.html", "/app/..%5c..%5csecret.html", "/vnc.html%00.js", "/key.pem",
    "/pipe.html",
    "/app", "/app/", "/nothing.html", "/%zz", "/%+1", "/app/%2e%2e/%2e%2e/secret.html",
  ])
  func `nothing else is served`(target: String) throws {
    let stage = try stage()
    defer { stage.stop() }
    let answer = try get(stage, target)
    #expect(answer.hasPrefix("HTTP/1.1 40"))
    #expect(!answer.contains("secret") || target.contains("secret") == false)
    #expect(!answer.hasSuffix("secret"))
  }

  @Test func `requests that are wrong are refused`() throws {
    let stage = try stage()
    defer { stage.stop() }
    #expect(try ask(stage, "POST /vnc.html HTTP/1.1\r\nHost: localhost\r\n\r\n").hasPrefix("HTTP/1.1 405"))
    #expect(try ask(stage, "GET vnc.html HTTP/1.1\r\nHost: localhost\r\n\r\n").hasPrefix("HTTP/1.1 400"))
    #expect(try ask(stage, "GET /vnc.html\r\n\r\n").hasPrefix("HTTP/1.1 400"))
    #expect(try ask(stage, "\u{16}\u{3}\u{1}\r\n\r\n").hasPrefix("HTTP/1.1 400"))
    #expect(try ask(stage, "GET /vnc.html HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 403"))
    let long = "GET /\(String(repeating: "a", count: 20000))"
    #expect(try ask(stage, long).hasPrefix("HTTP/1.1 431"))
    // Names that are not this host's: DNS rebinding.
    #expect(try get(stage, "/vnc.html", host: "evil.example:5700").hasPrefix("HTTP/1.1 403"))
    #expect(try get(stage, "/vnc.html", host: "[::1]:5700").hasPrefix("HTTP/1.1 200"))
  }

  private func upgrade(_ stage: Stage, _ extra: String = "") throws -> RFBClient {
    let client = try RFBClient(port: try #require(stage.server.webPort))
    try client.sendRaw(
      Array(
        ("GET /websockify HTTP/1.1\r\nHost: 127.0.0.1:5700\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + extra + "\r\n")
          .utf8))
    return client
  }

  @Test func `a WebSocket carries RFB`() throws {
    let stage = try stage()
    defer { stage.stop() }
    let client = try upgrade(
      stage, "Origin: http://127.0.0.1:5700\r\nSec-WebSocket-Protocol: base64, binary\r\n")
    var head: [UInt8] = []
    while !head.ends(with: Array("\r\n\r\n".utf8)) { head += try client.receiveRaw(1) }
    let text = String(decoding: head, as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 101 "))
    // The example of RFC 6455, section 1.3.
    #expect(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
    #expect(text.contains("Sec-WebSocket-Protocol: binary\r\n"))
    client.webSocket = true
    try client.handshake()
    try client.setEncodings([0])
    stage.draw(.init(x: 0, y: 0, width: 160, height: 100), 0x44_5566)
    try client.waitForScreen { $0.screen[0] == 0x44_5566 }
    try client.key(0x61, true)
    try stage.wait { stage.keyboard.events == [0x1E] }
  }

  @Test func `pings are answered and a close ends it`() throws {
    let stage = try stage()
    defer { stage.stop() }
    let client = try upgrade(stage)
    while try client.receiveRaw(1) != [10] {}
    var tail: [UInt8] = []
    while !tail.ends(with: Array("RFB 003.008\n".utf8)) { tail += try client.receiveRaw(1) }
    try client.sendRaw([0x89, 0x82, 0, 0, 0, 0, 7, 8])
    #expect(try client.receiveRaw(4) == [0x8A, 2, 7, 8])
    try client.sendRaw([0x88, 0x80, 0, 0, 0, 0])
    #expect(try client.receiveAll() == [0x88, 2, 3, 0xE8])
  }

  @Test(arguments: [
    "Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://127.0.0.1:80\r\n",
  ])
  func `pages from elsewhere cannot open a WebSocket`(origin: String) throws {
    let stage = try stage()
    defer { stage.stop() }
    let answer = String(decoding: try upgrade(stage, origin).receiveAll(), as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 403"))
  }

  @Test func `frames that are wrong end the connection`() throws {
    let stage = try stage()
    defer { stage.stop() }
    for frame: [UInt8] in [[0x82, 0x01, 0x41], [0x81, 0x81, 0, 0, 0, 0, 65], [0xF2, 0x81, 0, 0, 0, 0, 65]] {
      let client = try upgrade(stage)
      try client.sendRaw(frame)
      _ = try client.receiveAll()
    }
  }

  @Test func `SHA-1 and Base64 give the published values`() {
    let hex = { (text: String) in sha1(Array(text.utf8)).map { String(format: "%02x", $0) }.joined() }
    #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    #expect(
      hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      ["", "f", "fo", "foo", "foob"].map { Base64Text.text(Array($0.utf8)) } == [
        "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==",
      ])
  }
}

extension Collection where Element == UInt8 {
  fileprivate func ends(with suffix: [UInt8]) -> Bool { Array(self.suffix(suffix.count)) == suffix }
}

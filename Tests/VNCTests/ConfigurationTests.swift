// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Foundation
import Glibc
import Testing

@testable import VNC

/// The argument of `-vnc`, and the sockets it leads to.
@Suite(.serialized) struct ConfigurationTests {
  @Test func `addresses are read as QEMU reads them`() throws {
    #expect(try VNCConfiguration.parse("none") == nil)
    #expect(try VNCConfiguration.parse(":3")?.address == .tcp(host: nil, port: 5903))
    #expect(try VNCConfiguration.parse("127.0.0.1:0")?.address == .tcp(host: "127.0.0.1", port: 5900))
    #expect(try VNCConfiguration.parse("[::1]:1")?.address == .tcp(host: "::1", port: 5901))
    #expect(try VNCConfiguration.parse("unix:/run/vm.vnc")?.address == .unix(path: "/run/vm.vnc"))
    #expect(try VNCConfiguration.parse("fd:7")?.address == .descriptor(7))
  }

  @Test func `options are read as QEMU reads them`() throws {
    let all = try #require(
      try VNCConfiguration.parse(":1,to=9,password=on,share=force-shared,websocket=5701,password-file=/x"))
    #expect(all.lastPort == 5909)
    #expect(all.needsPassword)
    #expect(all.passwordFile == "/x")
    #expect(all.sharing == .forceShared)
    #expect(all.webSocket == .init(port: 5701))
    #expect(try VNCConfiguration.parse(":1,websocket")?.webSocket == .init())
    #expect(try VNCConfiguration.parse(":1,websocket=off")?.webSocket == nil)
    #expect(try VNCConfiguration.parse(":1,websocket=::1:80")?.webSocket == .init(host: "::1", port: 80))
    #expect(try VNCConfiguration.parse(":1,password")?.needsPassword == true)
    #expect(try VNCConfiguration.parse("unix:/x,websocket=5700")?.webSocket == .init(port: 5700))
  }

  @Test(arguments: [
    "", "x", ":", ":-1", ":99999", "unix:", "fd:x", "[::1", "[::1]1", ":1,to=x", ":1,share=some",
    ":1,password=maybe",
    ":1,websocket=host", "unix:/x,websocket=on", "unix:/x,to=4", ":1,tls-creds=x", ":1,sasl=on",
    ":1,reverse=on",
    ":1,frobnicate=on", "reverse",
  ])
  func `what cannot be had is refused with a reason`(text: String) {
    #expect(throws: VNCError.self) { try VNCConfiguration.parse(text) }
  }

  @Test func `messages name what is missing and what to do`() {
    let message = { (text: String) in
      do throws(VNCError) {
        _ = try VNCConfiguration.parse(text)
        return "no error"
      } catch { return error.description }
    }
    #expect(message(":1,tls-creds=t").contains("tls-creds") && message(":1,tls-creds=t").contains("ssh -L"))
    #expect(message(":1,pasword=on").contains("pasword") && message(":1,pasword=on").contains("password="))
  }

  @Test(arguments: ["0.0.0.0", "::", "*"])
  func `a public address needs a password`(host: String) throws {
    var configuration = VNCConfiguration(address: .tcp(host: host, port: 0))
    let error = #expect(throws: VNCError.self) { try Stage(configuration) }
    #expect(error?.description.contains("ssh -L") == true)
    #expect(error?.description.contains("password=on") == true)
    configuration.needsPassword = true
    try Stage(configuration).stop()
  }

  @Test func `a public browser console needs a password`() {
    #expect(throws: VNCError.publicWithoutPassword(address: "0.0.0.0")) {
      try Stage { $0.webSocket = .init(host: "0.0.0.0", port: 0) }
    }
  }

  @Test func `a port in use is named, or the next one taken`() throws {
    let first = try Stage()
    defer { first.stop() }
    let port = try #require(first.server.port)
    var configuration = VNCConfiguration(address: .tcp(host: "127.0.0.1", port: port))
    let error = #expect(throws: VNCError.portInUse(address: "127.0.0.1", port: port, last: port)) {
      try Stage(configuration)
    }
    #expect(error?.description.contains("\(port)") == true)
    #expect(error?.description.contains("to=") == true)
    configuration.lastPort = port + 50
    let second = try Stage(configuration)
    defer { second.stop() }
    #expect(try #require(second.server.port) > port)
    #expect(try second.viewer().name == "stage")
  }

  @Test func `loopback means IPv4 and IPv6`() throws {
    let stage = try Stage(VNCConfiguration(address: .tcp(host: nil, port: 0)))
    defer { stage.stop() }
    #expect(try stage.viewer().name == "stage")
    #expect(stage.server.displayAddress == "127.0.0.1:\(try #require(stage.server.port))")
  }

  @Test func `a Unix socket is the user's alone and goes away`() throws {
    let path = NSTemporaryDirectory() + "/martlet-vnc-\(getpid()).sock"
    unlink(path)
    let stage = try Stage(VNCConfiguration(address: .unix(path: path)))
    var status = stat()
    #expect(lstat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let client = try RFBClient(path: path)
    try client.handshake()
    // It is in use.
    #expect(throws: VNCError.socketPath(path, reason: "another process listens on it")) {
      try Stage(VNCConfiguration(address: .unix(path: path)))
    }
    stage.stop()
    #expect(lstat(path, &status) != 0)
  }

  @Test func `a stale Unix socket is replaced, another file is not`() throws {
    let path = NSTemporaryDirectory() + "/martlet-stale-\(getpid()).sock"
    unlink(path)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    _ = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    close(descriptor)
    try Stage(VNCConfiguration(address: .unix(path: path))).stop()

    #expect(FileManager.default.createFile(atPath: path, contents: Data("precious".utf8)))
    defer { unlink(path) }
    #expect(throws: VNCError.self) { try Stage(VNCConfiguration(address: .unix(path: path))) }
    #expect(FileManager.default.contents(atPath: path) == Data("precious".utf8))
  }

  @Test func `a connected socket can be passed`() throws {
    var ends: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let stage = try Stage(VNCConfiguration(address: .descriptor(ends[0])))
    defer { stage.stop() }
    let client = RFBClient(descriptor: ends[1])
    try client.handshake()
    #expect(client.name == "stage")
  }
}

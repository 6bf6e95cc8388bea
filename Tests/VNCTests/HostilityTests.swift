// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Foundation
import Glibc
import TestSupport
import Testing

@testable import VNC

/// Wrong passwords, rubbish, silence, greed.
@Suite(.serialized) struct HostilityTests {
  @Test func `a password is needed and checked`() throws {
    let stage = try Stage { $0.needsPassword = true }
    defer { stage.stop() }
    // None set: nobody gets in.
    #expect(throws: RFBClient.Failure.self) { try stage.viewer(password: "secret") }
    stage.server.setPassword("secret")
    #expect(throws: RFBClient.Failure.self) { try stage.viewer(password: "Secret") }
    #expect(throws: RFBClient.Failure.self) { try stage.viewer(password: "") }
    #expect(try stage.viewer(password: "secret").name == "stage")
    // Old viewers too.
    let old = try RFBClient(port: try #require(stage.server.port))
    try old.handshake(version: "RFB 003.003\n", password: "secret")
  }

  @Test func `what follows a wrong password is not heeded`() throws {
    let stage = try Stage { $0.needsPassword = true }
    defer { stage.stop() }
    stage.server.setPassword("secret")
    let client = try RFBClient(port: try #require(stage.server.port))
    // Version, security type, a wrong response, ClientInit and a key, all at once.
    try client.send(
      Array("RFB 003.008\n".utf8) + [2] + [UInt8](repeating: 7, count: 16) + [1] + [
        4, 1, 0, 0, 0, 0, 0, 0x61,
      ])
    _ = try client.receiveAll()
    #expect(stage.machine { stage.keyboard.events } == [])
  }

  @Test func `after many wrong passwords one has to wait`() throws {
    let stage = try Stage { $0.needsPassword = true }
    defer { stage.stop() }
    stage.server.setPassword("secret")
    for _ in 0..<5 { #expect(throws: RFBClient.Failure.self) { try stage.viewer(password: "wrong") } }
    #expect(throws: RFBClient.Failure.self) { try stage.viewer(password: "secret") }
  }

  @Test func `a password comes from a file`() throws {
    let path = NSTemporaryDirectory() + "/martlet-password-\(getpid())"
    try Data("from file\nnot this\n".utf8).write(to: URL(fileURLWithPath: path))
    defer { unlink(path) }
    let stage = try Stage {
      $0.needsPassword = true
      $0.passwordFile = path
    }
    defer { stage.stop() }
    _ = try stage.viewer(password: "from file")
    #expect(throws: VNCError.self) { try Stage { $0.passwordFile = path + "-missing" } }
  }

  @Test func `a viewer that stalls does not hold up another and is disconnected`() throws {
    let stage = try Stage(width: 1600, height: 1200) { $0.stallSeconds = 1 }
    defer { stage.stop() }
    // It asks for 7.7 MB again and again and takes none.
    let stalled = try RFBClient(port: try #require(stage.server.port), receiveBuffer: 4096)
    try stalled.handshake()
    for _ in 0..<50 { try stalled.request(incremental: false) }
    let lively = try stage.viewer()
    for step: UInt32 in 1...20 {
      stage.draw(.init(x: 0, y: 0, width: 64, height: 16), step)
      try lively.waitForScreen { $0.screen[0] == step }
    }
    // What was under way comes, then the end.
    usleep(2_500_000)
    #expect(try (stalled.receiveUntilEnd()) < 50 * 1600 * 1200 * 4)
  }

  @Test func `two viewers type and see`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let (one, two) = (try stage.viewer(), try stage.viewer())
    stage.draw(.init(x: 0, y: 0, width: 160, height: 100), 0x77_0000)
    try one.waitForScreen { $0.screen[0] == 0x77_0000 }
    try two.waitForScreen { $0.screen[0] == 0x77_0000 }
    // One holds a button; the other's pointer still works.
    try one.pointer(1, 5, 5)
    try stage.wait { stage.pointer.movements.count == 1 }
    try two.pointer(0, 5, 5)
    try two.pointer(2, 9, 9)
    try stage.wait { stage.pointer.movements.contains { $0.buttons == .middle } }
  }

  @Test func `sharing is as configured`() throws {
    do {
      let stage = try Stage()
      defer { stage.stop() }
      let first = try stage.viewer()
      _ = try stage.viewer(shared: false)
      #expect(try first.receiveAll().isEmpty)
    }
    do {
      let stage = try Stage { $0.sharing = .forceShared }
      defer { stage.stop() }
      let first = try stage.viewer()
      let second = try stage.viewer(shared: false)
      #expect(try second.receiveAll().isEmpty)
      try first.request(incremental: false)
      _ = try first.update()
    }
    do {
      let stage = try Stage { $0.sharing = .ignore }
      defer { stage.stop() }
      let first = try stage.viewer()
      _ = try stage.viewer(shared: false)
      try first.request(incremental: false)
      _ = try first.update()
    }
  }

  @Test func `there is a limit to viewers`() throws {
    let stage = try Stage { $0.maximumViewers = 2 }
    defer { stage.stop() }
    let held = [try stage.viewer(), try stage.viewer()]
    #expect(throws: RFBClient.Failure.self) { try stage.viewer() }
    try held[0].request(incremental: false)
    _ = try held[0].update()
  }

  @Test func `connections that say nothing do not keep viewers out`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let port = try #require(stage.server.port)
    let silent = try (0..<60).map { _ in try RFBClient(port: port) }
    #expect(try stage.viewer().name == "stage")
    #expect(silent.count == 60)
  }

  @Test func `messages that are not wanted are passed over`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer()
    // Cut text (plain and extended), UltraVNC's scale, input lock, window, chat and file transfer, xvp.
    try client.send([6, 0, 0, 0, 0, 0, 0, 5] + Array("hello".utf8))
    try client.send([6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFC, 1, 2, 3, 4])
    try client.send([8, 4, 0, 0] + [9, 1, 0, 0] + [10, 0, 0, 1, 0, 1] + [250, 0, 1, 2])
    try client.send([11, 0, 0, 0, 0, 0, 0, 2, 65, 66] + [11, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    try client.send([7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])
    try client.send([251, 0, 4, 0, 3, 0, 1, 0] + [UInt8](repeating: 0, count: 16))
    try client.key(0x61, true)
    try stage.wait { stage.keyboard.events == [0x1E] }
    try client.request(incremental: false)
    _ = try client.update()
  }

  @Test(
    arguments: [
      [99], [255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0xFF, 0xFF],
      // Pixel formats: 24 bits, 7 bits of red in 3, shift out of range, 16 bits with a colour map.
      [0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0],
      [0, 0, 0, 0, 32, 24, 0, 1, 0, 6, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0],
      [0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 99, 8, 0, 0, 0, 0],
      [0, 0, 0, 0, 16, 16, 0, 0, 0, 255, 0, 255, 0, 255, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
  func `messages that make no sense end the connection`(message: [UInt8]) throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer()
    try client.send(message)
    #expect(try client.receiveAll().isEmpty)
  }

  @Test func `rubbish harms neither the server nor another viewer`() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    print("seed \(seed)")
    let stage = try Stage(width: 64, height: 64)
    defer { stage.stop() }
    let port = try #require(stage.server.port)
    let witness = try stage.viewer()
    let encodings: [Int32] = [
      0, 1, 2, 5, 6, 7, 16, -223, -224, -239, -240, -257, -258, -261, -308, -23, -256, 9,
    ]
    for round in 0..<60 {
      let client = try RFBClient(port: port)
      if round % 3 != 0 {
        try client.handshake()
      }
      for _ in 0..<20 {
        var message: [UInt8] = (0..<Int.random(in: 1...40, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
          message = [2, 0, 0, 3]
          for _ in 0..<3 {
            withUnsafeBytes(of: (encodings.randomElement(using: &random) ?? 0).bigEndian) { message += $0 }
          }
        case 1: message = [3] + message.prefix(9) + [UInt8](repeating: 0, count: max(0, 9 - message.count))
        case 2: message = [5] + message.prefix(5) + [UInt8](repeating: 0, count: max(0, 5 - message.count))
        case 3:
          message = [255, 0] + message.prefix(10) + [UInt8](repeating: 0, count: max(0, 10 - message.count))
        case 4: message = [4] + message.prefix(7) + [UInt8](repeating: 0, count: max(0, 7 - message.count))
        default: break
        }
        do { try client.send(message) } catch { break }
      }
      if round % 10 == 0 {
        let width = Int.random(in: 1...300, using: &random)
        stage.machine {
          stage.surface.resize(width: width, height: 64)
          stage.surface.changed(.init(x: -5, y: -5, width: 1000, height: 1000))
        }
      }
    }
    try witness.request(incremental: false)
    _ = try witness.update()
    #expect(try stage.viewer().name == "stage")
  }
}

extension RFBClient {
  /// The number of bytes that come before the end.
  fileprivate func receiveUntilEnd() throws -> Int {
    var total = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return total }
      guard count > 0 else { throw Failure(description: "it was not disconnected") }
      total += count
    }
  }
}

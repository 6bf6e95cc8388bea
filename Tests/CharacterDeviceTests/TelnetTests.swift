// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import TestSupport
import Testing

@testable import CharacterDevice

@Suite struct TelnetFilterTests {
  /// What gets through, what is answered, and how many breaks.
  private func filter(_ bytes: [UInt8]) -> (data: [UInt8], answers: [UInt8], breaks: Int) {
    var filter = TelnetFilter()
    var result: (data: [UInt8], answers: [UInt8], breaks: Int) = ([], [], 0)
    for byte in bytes {
      switch filter.take(byte) {
      case .pass(let byte): result.data.append(byte)
      case .answer(let bytes): result.answers += bytes
      case .breakSignal: result.breaks += 1
      case .swallow: break
      }
    }
    return result
  }

  @Test func dataAndCommands() {
    let result = filter([
      65, 255, 255, 66, 255, 243, 255, 241, 67, 255, 250, 31, 0, 80, 255, 255, 255, 240, 68,
    ])
    #expect(result.data == [65, 255, 66, 67, 68] && result.breaks == 1 && result.answers.isEmpty)
  }

  @Test func whatWasNotOfferedIsRefused() {
    // DO ECHO, DO SGA, DO BINARY; WILL SGA; DO 31, WILL 24; DONT 5, WONT 6.
    let result = filter([
      255, 253, 1, 255, 253, 3, 255, 253, 0, 255, 251, 3, 255, 253, 31, 255, 251, 24, 255, 254, 5, 255, 252,
      6,
    ])
    #expect(result.answers == [255, 252, 31, 255, 254, 24] && result.data.isEmpty)
  }

  @Test func zeroesBehindReturns() {
    #expect(filter([13, 0, 65, 0, 13, 10]).data == [13, 65, 0, 13, 10])
    // WILL BINARY.
    #expect(filter([255, 251, 0, 13, 0]).data == [13, 0])
  }

  @Test func anyBytes() {
    let seed = UInt64.random(in: 0 ... .max)
    print("Telnet fuzz seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let bytes = (0..<20_000).map { _ in
      Bool.random(using: &random) ? UInt8.random(in: 239...255, using: &random) : 0
    }
    let result = filter(bytes)
    #expect(result.data.count + result.answers.count <= bytes.count * 2)
  }
}

@Suite struct TelnetPortTests {
  private let harness: PortHarness
  private let path = "/tmp/martlet-telnet-\(getpid())-\(UInt64.random(in: 0 ... .max))"

  init() throws { harness = try PortHarness() }

  private func send(_ descriptor: Int32, _ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  }

  private func server(_ device: RecordingReceiver) throws -> SocketPort {
    var settings = SocketSettings(address: .unix(path: path, isAbstract: false))
    (settings.isServer, settings.waitsForClient, settings.isTelnet) = (true, false, true)
    let port = try harness.lock.withLock { () throws(HostError) in
      try SocketPort(settings, loop: harness.loop)
    }
    harness.lock.withLock { port.receiver = device }
    return port
  }

  @Test func aSession() throws {
    let device = RecordingReceiver()
    let port = try server(device)
    defer { harness.lock.withLock { port.close() } }
    let client = try HostSocket.connect(.unix(path: path, isAbstract: false), milliseconds: 1000)
    defer { close(client) }
    #expect(harness.run { device.opened == 1 })
    #expect(readAll(client) == TelnetFilter.greeting)
    #expect(harness.write(port, [1, 255, 255, 2]) == 4)
    harness.settle()
    #expect(readAll(client) == [1, 255, 255, 255, 255, 2])
    device.room = 3
    send(client, [65, 255, 253, 31, 66, 255, 255, 255, 243, 67, 68])
    #expect(harness.run { device.received == [65, 66, 255] && device.breaks == 1 })
    #expect(readAll(client) == [255, 252, 31])
    harness.lock.withLock {
      device.room = 9
      port.receiverBecameReady()
    }
    // What was not taken at first is not understood twice.
    #expect(harness.run { device.received == [65, 66, 255, 67, 68] })
    #expect(device.breaks == 1)
  }

  /// However little the client takes at a time, a byte 255 stays a pair.
  @Test func aSlowClientGetsWholePairs() throws {
    let device = RecordingReceiver()
    let port = try server(device)
    defer { harness.lock.withLock { port.close() } }
    let client = try HostSocket.connect(.unix(path: path, isAbstract: false), milliseconds: 1000)
    defer { close(client) }
    #expect(harness.run { device.opened == 1 })
    #expect(readAll(client) == TelnetFilter.greeting)
    let total = 400_000
    let bytes = [UInt8](repeating: 255, count: 4096)
    var sent = 0
    var got = 0
    var rounds = 0
    while got < total * 2 && rounds < 100_000 {
      if sent < total { sent += harness.write(port, Array(bytes.prefix(total - sent))) }
      let piece = readAll(client, limit: 4097)
      #expect(piece.allSatisfy { $0 == 255 })
      got += piece.count
      harness.settle()
      rounds += 1
    }
    #expect(sent == total && got == total * 2)
  }
}

@Suite struct PortLogTests {
  @Test func whatIsWrittenIsKept() throws {
    let harness = try PortHarness()
    let path = "/tmp/martlet-log-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    for (appends, expected) in [(false, "one"), (true, "oneone"), (false, "one")] {
      let specification = CharacterPortSpecification.logged(
        .ringBuffer(byteCount: 64), path: path, appends: appends)
      let port = try #require(try harness.lock.withLock { try specification.open(loop: harness.loop) })
      let device = RecordingReceiver()
      harness.lock.withLock { port.receiver = device }
      #expect(harness.write(port, Array("one".utf8)) == 3)
      let memory = try #require((port as? LoggedPort)?.port as? RingBufferPort)
      #expect(harness.lock.withLock { memory.takeOutput() } == Array("one".utf8))
      harness.lock.withLock { memory.send(Array("in".utf8)) }
      #expect(device.received == Array("in".utf8))
      harness.lock.withLock { port.close() }
      let file = open(path, O_RDONLY)
      #expect(readAll(file) == Array(expected.utf8))
      close(file)
    }
    let lost = CharacterPortSpecification.logged(.null, path: "/nonexistent/log", appends: false)
    #expect(throws: CharacterPortError.self) {
      try harness.lock.withLock { try lost.open(loop: harness.loop) }
    }
  }
}

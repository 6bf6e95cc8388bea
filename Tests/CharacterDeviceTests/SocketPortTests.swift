// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import Testing

@testable import CharacterDevice

/// Servers and clients with real sockets.
@Suite struct SocketPortTests {
  private let harness: PortHarness
  private let path: String

  init() throws {
    harness = try PortHarness()
    path = "/tmp/martlet-\(getpid())-\(UInt64.random(in: 0 ... .max))"
  }

  private func server(_ change: (inout SocketSettings) -> Void = { _ in }) throws -> SocketPort {
    var settings = SocketSettings(address: .unix(path: path, isAbstract: false))
    settings.isServer = true
    settings.waitsForClient = false
    change(&settings)
    return try harness.lock.withLock { () throws(HostError) in try SocketPort(settings, loop: harness.loop) }
  }

  private func client() throws -> Int32 {
    let descriptor = try HostSocket.connect(.unix(path: path, isAbstract: false), milliseconds: 1000)
    return descriptor
  }

  private func send(_ descriptor: Int32, _ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  }

  @Test func oneClientAfterTheOther() throws {
    let port = try server()
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    // Nobody is there: output is lost.
    #expect(harness.write(port, [1, 2, 3]) == 3)
    let first = try client()
    #expect(harness.run { device.opened == 1 })
    let second = try client()
    send(second, "later")
    send(first, "now")
    #expect(harness.run { device.received == Array("now".utf8) })
    #expect(harness.write(port, Array("hello".utf8)) == 5)
    harness.settle()
    #expect(readAll(first) == Array("hello".utf8))
    #expect(readAll(second).isEmpty && device.opened == 1)
    close(first)
    #expect(harness.run { device.closed == 1 && device.opened == 2 })
    #expect(harness.run { device.received == Array("nowlater".utf8) })
    close(second)
    #expect(harness.run { device.closed == 2 })
    harness.lock.withLock { port.close() }
    #expect(access(path, F_OK) != 0)
  }

  /// What nobody reads does not keep the next client waiting, whichever comes first: its end or the next.
  @Test(arguments: [true, false])
  func unreadInputOfOneThatLeftIsGivenUp(leavesFirst: Bool) throws {
    let port = try server()
    let device = RecordingReceiver()
    device.room = 2
    harness.lock.withLock { port.receiver = device }
    let first = try client()
    send(first, String(repeating: "x", count: 5000))
    #expect(harness.run { device.received.count == 2 })
    if leavesFirst { close(first) }
    harness.settle()
    // Nobody waits: what was sent before the end is still read.
    #expect(device.closed == 0)
    let second = try client()
    harness.settle()
    if !leavesFirst {
      #expect(device.opened == 1)
      close(first)
    }
    #expect(harness.run { device.closed == 1 && device.opened == 2 })
    send(second, "new")
    harness.lock.withLock {
      device.room = 10
      port.receiverBecameReady()
    }
    #expect(harness.run { device.received == Array("xxnew".utf8) })
    close(second)
    harness.lock.withLock { port.close() }
  }

  @Test func aSlowClientLosesNothing() throws {
    let port = try server()
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    let peer = try client()
    #expect(harness.run { device.opened == 1 })
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var sent = 0
    var got: [UInt8] = []
    while got.count < bytes.count {
      let before = got.count
      if sent < bytes.count {
        sent += harness.write(port, Array(bytes[sent..<min(bytes.count, sent + 65536)]))
      }
      got += readAll(peer, limit: 10_000)
      harness.settle()
      if sent == bytes.count && got.count == before && !harness.run(until: { true }) { break }
    }
    #expect(got == bytes && device.writableCalls > 0)
    close(peer)
  }

  @Test func aSlowDeviceLosesNothing() throws {
    let port = try server()
    let device = RecordingReceiver()
    device.room = 5
    harness.lock.withLock { port.receiver = device }
    let peer = try client()
    send(peer, "0123456789")
    close(peer)
    #expect(harness.run { device.received.count == 5 })
    harness.settle()
    // The client has gone, but what it said is still heard.
    #expect(device.closed == 0)
    harness.lock.withLock {
      device.room = .max
      port.receiverBecameReady()
    }
    #expect(harness.run { device.received == Array("0123456789".utf8) && device.closed == 1 })
  }

  @Test func whoWaitsForRoomHearsOfTheEnd() throws {
    let port = try server()
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    let peer = try client()
    #expect(harness.run { device.opened == 1 })
    let bytes = [UInt8](repeating: 1, count: 65536)
    while harness.write(port, bytes) == bytes.count {}
    #expect(device.writableCalls == 0)
    shutdown(peer, Int32(SHUT_WR))
    #expect(harness.run { device.closed == 1 && device.writableCalls > 0 })
    #expect(harness.write(port, bytes) == bytes.count)
    close(peer)
  }

  @Test func leftOverSocketsAreReplacedAndLiveOnesAreNot() throws {
    let stale = try HostSocket.listen(.unix(path: path, isAbstract: false))
    close(stale.descriptor)
    #expect(access(path, F_OK) == 0)
    let port = try server()
    #expect(throws: HostError.self) { try self.server() }
    harness.lock.withLock { port.close() }
    close(creat(path, 0o600))
    #expect(throws: HostError.self) { try self.server() }
    unlink(path)
  }

  @Test func clientsConnectAndTryAgain() throws {
    var settings = SocketSettings(address: .unix(path: path, isAbstract: false))
    #expect(throws: HostError.self) {
      try harness.lock.withLock { () throws(HostError) in try SocketPort(settings, loop: harness.loop) }
    }
    settings.reconnectSeconds = 1
    let port = try harness.lock.withLock { () throws(HostError) in
      try SocketPort(settings, loop: harness.loop)
    }
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    #expect(!port.isConnected)
    let (listener, file) = try HostSocket.listen(settings.address)
    defer {
      close(listener)
      file?.remove()
    }
    #expect(harness.run { port.isConnected && device.opened == 1 })
    let peer = accept(listener, nil, nil)
    send(peer, "x")
    #expect(harness.run { device.received == [0x78] })
    close(peer)
    #expect(harness.run { device.closed == 1 })
    #expect(harness.run { device.opened == 2 })
    harness.lock.withLock { port.close() }
  }

  @Test func tcpTakesAFreePort() throws {
    let port = try server { $0.address = .tcp(host: "127.0.0.1", port: 0) }
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    guard case .tcp(_, let number) = port.settings.address else {
      Issue.record("no TCP address")
      return
    }
    #expect(number != 0)
    let peer = try HostSocket.connect(.tcp(host: "localhost", port: number), milliseconds: 1000)
    send(peer, "tcp")
    #expect(harness.run { device.received == Array("tcp".utf8) })
    close(peer)
    harness.lock.withLock { port.close() }
  }

  @Test func aSocketOfAnotherProcess() throws {
    var ends: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let port = try harness.lock.withLock { () throws(HostError) in
      try SocketPort(SocketSettings(address: .descriptor(ends[0])), loop: harness.loop)
    }
    let device = RecordingReceiver()
    harness.lock.withLock { port.receiver = device }
    send(ends[1], "fd")
    #expect(harness.run { device.received == Array("fd".utf8) && device.opened == 1 })
    close(ends[1])
    #expect(harness.run { device.closed == 1 })
    #expect(throws: HostError.self) {
      try harness.lock.withLock { () throws(HostError) in
        try SocketPort(SocketSettings(address: .descriptor(9999)), loop: harness.loop)
      }
    }
  }

  @Test func spellings() throws {
    func settings(_ text: String) throws -> SocketSettings? {
      guard case .socket(let settings) = try CharacterPortSpecification.parse(text) else { return nil }
      return settings
    }
    let unix = try #require(try settings("unix:/a,,b,server=on,wait=off"))
    #expect(unix.address == .unix(path: "/a,b", isAbstract: false) && unix.isServer && !unix.waitsForClient)
    #expect(try settings("unix:/x,server,nowait") == settings("unix:/x,server=on,wait=off"))
    let tcp = try #require(try settings("tcp:[::1]:80,reconnect=3,nodelay=on"))
    #expect(tcp.address == .tcp(host: "::1", port: 80) && tcp.reconnectSeconds == 3 && tcp.hasNoDelay)
    #expect(try settings("tcp::4444,server=on")?.address == .tcp(host: "", port: 4444))
    #expect(try settings("mon:unix:/x,server=on")?.isServer == true)
    for wrong in [
      "unix:", "tcp:host", "tcp:host:99999", "unix:/x,wait=off", "unix:/x,sever=on", "fd:x",
      "unix:/x,server=maybe",
      "tcp:h:1,server=on,reconnect=3", "ringbuf,size=3",
    ] {
      #expect(throws: CharacterPortError.self, "\(wrong)") { try CharacterPortSpecification.parse(wrong) }
    }
  }
}

/// One port for two front ends.
@Suite struct MultiplexedPortTests {
  private final class Front: CharacterReceiver {
    var text = ""
    var opened = 0
    var breaks = 0
    var room = Int.max
    func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(room, bytes.count)
      room -= count
      text += String(decoding: bytes.prefix(count), as: UTF8.self)
      return count
    }
    func characterPortBecameWritable() {}
    func characterPortOpened() { opened += 1 }
    func receiveBreak() { breaks += 1 }
  }

  @Test func theKeyboardGoesRound() {
    let back = RingBufferPort()
    var quits = 0
    let shared = MultiplexedPort(back) { quits += 1 }
    let (serial, monitor) = (Front(), Front())
    let ports = [shared.makeFrontEnd(), shared.makeFrontEnd()]
    (ports[0].receiver, ports[1].receiver) = (serial, monitor)
    back.send(Array("ab\u{1}cinfo\u{1}\u{1}\u{1}b\u{1}cx".utf8))
    #expect(serial.text == "abx" && monitor.text == "info\u{1}")
    #expect(monitor.opened == 1 && monitor.breaks == 1)
    back.send([1, UInt8(ascii: "x"), 1, UInt8(ascii: "h")])
    #expect(quits == 1)
    for port in ports { _ = [UInt8(ascii: "o")].withUnsafeBytes { port.write($0) } }
    #expect(String(decoding: back.takeOutput(), as: UTF8.self) == ConsoleEscape.helpText + "oo")
  }

  /// A Ctrl-A that the device has no room for comes again as what it was.
  @Test func whatIsRefusedComesAgain() {
    let back = RingBufferPort()
    let shared = MultiplexedPort(back) {}
    let serial = Front()
    let port = shared.makeFrontEnd()
    port.receiver = serial
    serial.room = 1
    back.send([0x61, 1, 1, 0x62])
    #expect(serial.text == "a")
    serial.room = .max
    port.receiverBecameReady()
    #expect(serial.text == "a\u{1}b" && back.unreadCount == 0)
  }

  @Test func aRingKeepsTheNewest() {
    let ring = RingBufferPort(capacity: 8, keepsNewest: true)
    for text in ["0123456789abc", "de"] {
      #expect(Array(text.utf8).withUnsafeBytes { ring.write($0) } == text.utf8.count)
    }
    #expect(String(decoding: ring.takeOutput(limit: 3), as: UTF8.self) == "789")
    #expect(String(decoding: ring.takeOutput(), as: UTF8.self) == "abcde")
  }
}

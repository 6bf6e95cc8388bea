// SPDX-License-Identifier: GPL-2.0-or-later

import CharacterDevice
import Glibc
import OptionSyntax
import TestSupport
import Testing

@testable import Network

@Suite struct GuestForwardTests {
  private static let rule = "ipv6=off,guestfwd=tcp:10.0.2.100:1234-chardev:c"

  /// A guest's connection to the port, open.
  private func connect(_ bench: Bench, _ network: UserNetwork, from own: UInt16 = 40_000) throws
    -> GuestConnection
  {
    let connection = GuestConnection(to: [10, 0, 2, 100], port: 1234, from: own, on: bench, network)
    try #require(turn(bench, connection) { connection.isOpen })
    return connection
  }

  private func turn(_ bench: Bench, _ connection: GuestConnection, _ isDone: () -> Bool) -> Bool {
    bench.turn {
      connection.turn()
      return isDone()
    }
  }

  @Test func joinsAConnectionWithACharacterPort() throws {
    let bench = try Bench()
    let port = RingBufferPort()
    let network = try UserNetwork.make(Self.rule, on: bench, port: port)
    let connection = try connect(bench, network)
    connection.send(Array("to the host".utf8))
    #expect(turn(bench, connection) { connection.acknowledgedByteCount == 11 })
    #expect(bench.lock.withLock { port.takeOutput() } == Array("to the host".utf8))
    bench.lock.withLock { port.send(Array("to the guest".utf8)) }
    #expect(turn(bench, connection) { connection.received == Array("to the guest".utf8) })
    network.close()
    #expect(port.receiver == nil)
  }

  @Test func moreThanTheGuestTakesWaitsInThePort() throws {
    let bench = try Bench()
    let port = RingBufferPort()
    let network = try UserNetwork.make(Self.rule, on: bench, port: port)
    // Nobody is there yet: it waits for somebody.
    let data = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    bench.lock.withLock { port.send(data) }
    let connection = try connect(bench, network)
    #expect(turn(bench, connection) { connection.received.count == data.count })
    #expect(connection.received == data)
    network.close()
  }

  @Test func aPortThatTakesNothingIsWaitedForWithoutLoss() throws {
    let bench = try Bench()
    let port = RingBufferPort(capacity: 1000)
    let network = try UserNetwork.make(Self.rule, on: bench, port: port)
    let connection = try connect(bench, network)
    let data = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ $0 >> 9) }
    connection.sendAgain(data)
    connection.turn()
    // Some of it was taken, more than the port did, and not all.
    #expect((100_000..<300_000).contains(connection.acknowledgedByteCount))
    // Others go on meanwhile.
    let frames = bench.received.count
    bench.send(GuestFrame.arpRequest, through: network)
    #expect(bench.received.count > frames)
    var taken: [UInt8] = []
    for _ in 0..<2000 where taken.count < data.count {
      let more = bench.lock.withLock { port.takeOutput() }
      taken += more
      connection.turn()
      if more.count < 1000 { connection.sendAgain(data) }
    }
    #expect(taken == data)
    network.close()
  }

  @Test func whatComesGoesToTheConnectionMadeLast() throws {
    let bench = try Bench()
    let port = RingBufferPort()
    let network = try UserNetwork.make(Self.rule, on: bench, port: port)
    let first = try connect(bench, network)
    let second = try connect(bench, network, from: 40_001)
    first.send([1])
    second.send([2])
    #expect(bench.lock.withLock { port.takeOutput() } == [1, 2])
    bench.lock.withLock { port.send([3]) }
    #expect(turn(bench, second) { second.received == [3] })
    second.abort()
    bench.lock.withLock { port.send([4]) }
    #expect(turn(bench, first) { first.received == [4] })
    network.close()
  }

  @Test func connectionsDoNotPileUp() throws {
    let bench = try Bench()
    let port = RingBufferPort()
    let network = try UserNetwork.make(Self.rule, on: bench, port: port)
    // Of which some are closed by the guest, some only half opened, some opened twice from the same port.
    for round in 0..<3 {
      for own in 40_000..<40_100 as Range<UInt16> {
        let connection = GuestConnection(
          to: [10, 0, 2, 100], port: 1234, from: own, on: bench, network, sequence: UInt32(round) << 30)
        guard own % 3 != 0 else { continue }
        #expect(turn(bench, connection) { connection.isOpen })
        connection.send([UInt8(truncatingIfNeeded: own)])
        if own % 3 == 1 { connection.end() }
      }
    }
    let count = network.connections.split(separator: "\n").count { $0.contains("10.0.2.100") }
    #expect(count == 16)
    #expect(bench.lock.withLock { port.takeOutput() }.count == 3 * 67)
    // The last one is as good as any.
    let connection = try connect(bench, network, from: 50_000)
    bench.lock.withLock { port.send([9]) }
    #expect(turn(bench, connection) { connection.received == [9] })
    network.close()
  }

  @Test func looksIntoFrames() throws {
    func segment(_ frame: [UInt8]) -> GuestSegment? { frame.withUnsafeBytes { GuestSegment($0) } }
    let opening: [UInt8] = [0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]
    let frame = GuestFrame.packet(to: [10, 0, 2, 100], protocol: 6, opening)
    let found = try #require(segment(frame))
    #expect(found.isOpening && !found.hasData && !found.isFragment)
    #expect((found.source, found.destination) == (0x0A00_020F, 0x0A00_0264))
    #expect((found.sourcePort, found.destinationPort, found.sequence) == (1, 2, 3))
    #expect(
      try #require(segment(GuestFrame.packet(to: [10, 0, 2, 100], protocol: 6, opening + [1]))).hasData)
    // The first part of a packet, shorter than any segment, and a later one.
    var part = GuestFrame.packet(to: [10, 0, 2, 100], protocol: 6, Array(opening[..<8]))
    #expect(segment(part) == nil)
    part[20] = 0x20
    #expect(segment(part)?.isFragment == true)
    (part[20], part[21]) = (0, 1)
    #expect(segment(part)?.isFragment == true)
    for count in 0..<frame.count { #expect(segment(Array(frame[..<count])) == nil) }
    #expect(segment(GuestFrame.packet(to: [10, 0, 2, 100], protocol: 17, opening)) == nil)
    #expect(segment(GuestFrame.arpRequest) == nil)
  }

  @Test func startsAProgramForEachConnection() throws {
    let bench = try Bench()
    let network = try UserNetwork.make("ipv6=off,guestfwd=tcp:10.0.2.100:1234-cmd:tr a-z A-Z", on: bench)
    for own in 40_000..<40_005 as Range<UInt16> {
      let connection = try connect(bench, network, from: own)
      connection.send(Array("shout\n".utf8))
      // It writes when its input ends.
      connection.end()
      #expect(turn(bench, connection) { connection.received == Array("SHOUT\n".utf8) })
      #expect(turn(bench, connection) { connection.isEnded })
    }
    network.close()
  }

  @Test func connectsToAUnixSocketForEachConnection() throws {
    let bench = try Bench()
    let path = "/tmp/martlet-guestfwd-\(getpid())"
    let listener = try HostSocket.listen(.unix(path: path, isAbstract: false))
    defer {
      close(listener.descriptor)
      unlink(path)
    }
    let network = try UserNetwork.make("ipv6=off,guestfwd=tcp:10.0.2.100:1234-unix:\(path)", on: bench)
    for own in [40_000, 40_001] as [UInt16] {
      let connection = try connect(bench, network, from: own)
      let peer = accept(listener.descriptor, nil, nil)
      try #require(peer >= 0)
      #expect(write(peer, "hello", 5) == 5)
      #expect(turn(bench, connection) { connection.received == Array("hello".utf8) })
      close(peer)
      #expect(turn(bench, connection) { connection.isEnded })
    }
    network.close()
  }

  @Test func anOpenConnectionIsSavedAndGoesOn() throws {
    let bench = try Bench()
    let left = RingBufferPort(capacity: 4)
    let network = try UserNetwork.make(Self.rule, on: bench, port: left)
    let connection = try connect(bench, network)
    connection.send(Array("before".utf8))
    bench.lock.withLock { left.send(Array("half".utf8)) }
    #expect(turn(bench, connection) { connection.received == Array("half".utf8) })
    let state = bench.lock.withLock { network.save() }
    network.close()

    let port = RingBufferPort()
    let other = try UserNetwork.make(Self.rule, on: bench, port: port)
    try bench.lock.withLock { try other.restore(state) }
    #expect(bench.lock.withLock { other.save() }.library == state.library)
    connection.network = other
    bench.send(GuestFrame.arpRequest, through: other)
    connection.send(Array(", after".utf8))
    #expect(turn(bench, connection) { connection.acknowledgedByteCount == 13 })
    // The port that took four bytes was left behind.
    #expect(bench.lock.withLock { port.takeOutput() } == Array("re, after".utf8))
    bench.lock.withLock { port.send(Array(" whole".utf8)) }
    #expect(turn(bench, connection) { connection.received == Array("half whole".utf8) })
    #expect(!connection.isReset)
    other.close()
  }

  @Test func aDamagedStateIsRefusedOrHarmless() throws {
    let bench = try Bench()
    let network = try UserNetwork.make(Self.rule, on: bench, port: RingBufferPort())
    let connection = try connect(bench, network)
    connection.send([1, 2, 3])
    let state = bench.lock.withLock { network.save() }
    network.close()
    let library = state.library
    var generator = SeededGenerator(seed: 11)
    var refused = 0
    for round in 0..<1500 {
      var damaged = state
      // The large buffers are zeros: damage is where numbers are.
      let place = [
        Int.random(in: 0..<48, using: &generator),
        library.count - 1 - Int.random(in: 0..<250, using: &generator),
      ][round & 1]
      damaged.library[place] = UInt8.random(in: 0...255, using: &generator)
      if round % 10 == 0 { damaged.library.removeLast(Int.random(in: 1..<library.count, using: &generator)) }
      let other = try UserNetwork.make(Self.rule, on: bench, port: RingBufferPort())
      do throws(NetworkError) {
        try bench.lock.withLock { () throws(NetworkError) in try other.restore(damaged) }
        let guest = GuestConnection(to: [10, 0, 2, 100], port: 1234, on: bench, other)
        guest.send(Array(repeating: 7, count: 1400))
        bench.loop.runOnce(timeoutMilliseconds: 0)
      } catch { refused += 1 }
      other.close()
    }
    #expect(refused > 300)
    // A network without the rule, and another library's.
    let plain = try UserNetwork.make("ipv6=off", on: bench)
    #expect(throws: NetworkError.self) { try bench.lock.withLock { try plain.restore(state) } }
    var foreign = state
    foreign.libraryVersion = 5
    #expect(throws: NetworkError.self) { try bench.lock.withLock { try plain.restore(foreign) } }
    plain.close()
  }

  @Test(arguments: [
    ("chardev:a-b", "chardev:a-b"), ("serial0", "chardev:serial0"), ("tcp:127.0.0.1:5", "tcp:127.0.0.1:5"),
    ("null", "null"),
  ])
  func reads(_ text: String, _ target: String) throws {
    let rule = try GuestForward("tcp:10.0.2.100:1234-\(text)", option: "-netdev")
    #expect(rule.target == .characterPort(target))
    #expect(rule.description == "tcp:10.0.2.100:1234-\(target)")
  }

  @Test(arguments: ["chardev:", "none", "tcp:127.0.0.1", "cmd:", "unix:", "", "x,y", "udp:1.2.3.4:5"])
  func refuses(_ text: String) {
    #expect(throws: OptionError.self) {
      _ = try GuestForward("tcp:10.0.2.100:1234-\(text)", option: "-netdev")
    }
  }
}

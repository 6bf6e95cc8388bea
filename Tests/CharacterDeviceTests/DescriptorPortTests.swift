// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc
import Testing

@testable import CharacterDevice

@Suite struct DescriptorPortTests {
  @Test func movesBytesBothWays() throws {
    let harness = try PortHarness()
    let (input, typing) = makePipe()
    let (screen, output) = makePipe()
    for descriptor in [input, screen, output] { setNonBlocking(descriptor) }
    let receiver = RecordingReceiver()
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(input: input, output: output), loop: harness.loop)
    }
    port.receiver = receiver
    #expect(harness.write(port, Array("login: ".utf8)) == 7)
    #expect(readAll(screen) == Array("login: ".utf8))
    Glibc.write(typing, "root\n", 5)
    #expect(harness.run { receiver.received == Array("root\n".utf8) })
    // The other side ends: once told, never asked again.
    var ends = 0
    port.onInputEnd = { ends += 1 }
    close(typing)
    #expect(harness.run { ends == 1 })
    harness.settle()
    #expect(ends == 1)
    harness.lock.withLock { port.close() }
    close(screen)
  }

  @Test func holdsOutputBackWhenNobodyReads() throws {
    let harness = try PortHarness()
    let (screen, output) = makePipe()
    setNonBlocking(screen)
    setNonBlocking(output)
    let receiver = RecordingReceiver()
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(output: output), loop: harness.loop)
    }
    port.receiver = receiver
    let chunk = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    var sent: [UInt8] = []
    while true {
      let count = harness.write(port, chunk)
      sent += chunk[..<count]
      if count < chunk.count { break }
      try #require(sent.count < 1 << 20, "the buffer has no bound")
    }
    #expect(harness.write(port, chunk) == 0)
    #expect(receiver.writableCalls == 0)
    var seen: [UInt8] = []
    #expect(
      harness.run {
        seen += readAll(screen)
        return seen.count == sent.count
      })
    #expect(seen == sent)
    #expect(receiver.writableCalls == 1)
    #expect(harness.write(port, chunk) == chunk.count)
    harness.lock.withLock { port.close() }
    close(screen)
  }

  @Test func oneDescriptorServesBothWays() throws {
    let harness = try PortHarness()
    var ends: [Int32] = [-1, -1]
    socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends)
    let receiver = RecordingReceiver()
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(input: ends[0], output: ends[0]), loop: harness.loop)
    }
    port.receiver = receiver
    let chunk = [UInt8](repeating: 0x55, count: 8192)
    var sent = 0
    while case let count = harness.write(port, chunk), sent < 4 << 20 {
      sent += count
      if count < chunk.count { break }
    }
    receiver.room = 1
    Glibc.write(ends[1], "ab", 2)
    #expect(harness.run { receiver.received == [0x61] })
    var seen = 0
    #expect(
      harness.run {
        seen += readAll(ends[1]).count
        return seen == sent
      })
    #expect(receiver.writableCalls == 1)
    harness.lock.withLock {
      receiver.room = .max
      port.receiverBecameReady()
    }
    #expect(harness.run { receiver.received == [0x61, 0x62] })
    harness.lock.withLock { port.close() }
    close(ends[1])
  }

  @Test func survivesAReaderThatGoesAway() throws {
    let harness = try PortHarness()
    let (screen, output) = makePipe()
    setNonBlocking(output)
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(output: output), loop: harness.loop)
    }
    close(screen)
    for _ in 0..<3 { #expect(harness.write(port, [1, 2, 3]) == 3) }
    harness.lock.withLock { port.close() }
    #expect(harness.write(port, [1]) == 1)
  }

  @Test func offersAgainWhatTheDeviceDidNotTake() throws {
    let harness = try PortHarness()
    let (input, typing) = makePipe()
    setNonBlocking(input)
    let receiver = RecordingReceiver()
    receiver.room = 3
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(input: input), loop: harness.loop)
    }
    port.receiver = receiver
    Glibc.write(typing, "0123456789", 10)
    #expect(harness.run { receiver.received.count == 3 })
    harness.settle()
    #expect(receiver.received.count == 3)
    harness.lock.withLock {
      receiver.room = 4
      port.receiverBecameReady()
      // Not from within the device's register access.
      #expect(receiver.received.count == 3)
    }
    #expect(harness.run { receiver.received.count == 7 })
    harness.lock.withLock {
      receiver.room = .max
      port.receiverBecameReady()
    }
    #expect(harness.run { receiver.received == Array("0123456789".utf8) })
    harness.lock.withLock { port.close() }
    close(typing)
  }

  @Test func aPipeThatEndedWhileTheDeviceIsBusyDoesNotSpin() throws {
    let harness = try PortHarness()
    let (input, typing) = makePipe()
    setNonBlocking(input)
    let receiver = RecordingReceiver()
    receiver.room = 1
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(input: input), loop: harness.loop)
    }
    var ends = 0
    port.onInputEnd = { ends += 1 }
    port.receiver = receiver
    let bytes = (0..<9000).map { UInt8(truncatingIfNeeded: $0) }
    Glibc.write(typing, bytes, bytes.count)
    close(typing)
    #expect(harness.run { receiver.received.count == 1 })
    harness.settle()
    // Nothing is left to be reported while the device is busy.
    var events = [epoll_event](repeating: epoll_event(), count: 4)
    #expect(epoll_wait(harness.loop.pollDescriptor, &events, 4, 0) == 0)
    harness.lock.withLock {
      receiver.room = .max
      port.receiverBecameReady()
    }
    #expect(harness.run { ends == 1 })
    #expect(receiver.received == bytes)
    harness.lock.withLock { port.close() }
  }

  @Test func readsAFileThatIsAlwaysReady() throws {
    let harness = try PortHarness()
    let descriptor = martlet_memfd_create("input", UInt32(MFD_CLOEXEC))
    let bytes = (0..<20000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    Glibc.write(descriptor, bytes, bytes.count)
    lseek(descriptor, 0, SEEK_SET)
    let receiver = RecordingReceiver()
    let port = try harness.lock.withLock {
      try DescriptorPort(channel: DescriptorChannel(input: descriptor), loop: harness.loop)
    }
    port.receiver = receiver
    #expect(harness.run { receiver.received.count == bytes.count })
    #expect(receiver.received == bytes)
    harness.lock.withLock { port.close() }
  }

  @Test func aPseudoTerminalComesAndGoes() throws {
    let harness = try PortHarness()
    let receiver = RecordingReceiver()
    let opened = try harness.lock.withLock { try CharacterPortSpecification.pty.open(loop: harness.loop) }
    let port = try #require(opened as? DescriptorPort)
    port.receiver = receiver
    let path = try #require(port.peerPath)
    // Nobody there: output is lost, and the loop has nothing to do.
    #expect(harness.write(port, Array("lost".utf8)) == 4)
    harness.settle()
    for _ in 0..<2 {
      let terminal = martlet_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
      try #require(terminal >= 0)
      receiver.received = []
      #expect(harness.write(port, Array("hello\n".utf8)) == 6)
      var seen: [UInt8] = []
      #expect(
        harness.run {
          seen += readAll(terminal)
          return seen.count >= 6
        })
      #expect(seen == Array("hello\n".utf8))
      Glibc.write(terminal, "\u{3}hi\r", 4)
      #expect(harness.run { receiver.received == [3, 0x68, 0x69, 0x0D] })
      close(terminal)
      harness.settle()
    }
    // A large output to a terminal nobody reads is held back, and let go when it is closed.
    let terminal = martlet_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    while harness.write(port, [UInt8](repeating: 0x2E, count: 4096)) == 4096 {}
    close(terminal)
    #expect(harness.run { receiver.writableCalls == 1 })
    #expect(harness.write(port, [0x2E]) == 1)
    harness.lock.withLock { port.close() }
  }

  @Test func aRingBufferKeepsBothSides() {
    let port = RingBufferPort(capacity: 4)
    let receiver = RecordingReceiver()
    receiver.room = 2
    port.receiver = receiver
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6]
    #expect(bytes.withUnsafeBytes { port.write($0) } == 4)
    #expect(port.takeOutput() == [1, 2, 3, 4])
    #expect(receiver.writableCalls == 1)
    #expect(bytes[4...].withUnsafeBytes { port.write($0) } == 2)
    #expect(port.takeOutput() == [5, 6])
    #expect(receiver.writableCalls == 1)
    port.send([7, 8, 9])
    #expect(receiver.received == [7, 8] && port.unreadCount == 1)
    receiver.room = 5
    port.receiverBecameReady()
    #expect(receiver.received == [7, 8, 9] && port.unreadCount == 0)
  }
}

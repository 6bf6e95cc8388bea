// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import TestSupport
import Testing

@testable import NIC

/// C+ mode, as 8139cp has it.
@Suite struct RTL8139PlusTests {
  let driver: RTL8139Driver
  init() throws {
    driver = try RTL8139Driver()
    driver.setUpPlus()
  }

  // MARK: Transmission

  @Test func sends() {
    let frames = (0..<3).map { SampleFrame.make(to: SampleFrame.other, count: 100 + $0 * 700) }
    for frame in frames { driver.queue([frame]) }
    #expect(driver.cable.sent.isEmpty)
    driver.poll()
    #expect(driver.cable.sent == frames && driver.cable.batches == 1)
    #expect((0..<3).map { driver.transmitCommand($0) >> 28 } == [3, 3, 3])
    #expect(driver.interruptStatus == 0x84 && driver.isInterrupted)
    #expect(driver.read8(0xD9) == 0)
  }

  @Test func gathers() {
    let frame = SampleFrame.make(to: SampleFrame.other, count: 1514)
    driver.queue([Array(frame[..<5]), [], Array(frame[5..<700]), Array(frame[700...])])
    // Without its end it waits.
    driver.store(driver.transmitCommand(3) & 0x7FFF_FFFF, at: driver.transmitRing + 48)
    driver.poll()
    #expect(driver.cable.sent.isEmpty && driver.transmitCommand(0) >> 31 == 1)
    driver.store(driver.transmitCommand(3) | 0x8000_0000, at: driver.transmitRing + 48)
    driver.poll()
    #expect(driver.cable.sent == [frame] && (0..<4).allSatisfy { driver.transmitCommand($0) >> 31 == 0 })
    // As many pieces as the ring has.
    driver.queue((0..<63).map { Array(frame[($0 * 24)..<($0 * 24 + 24)]) })
    driver.poll()
    #expect(driver.cable.sent.last == Array(frame[..<1512]))
  }

  @Test func goesRoundTheRing() {
    for seed in 0..<200 {
      driver.queue([SampleFrame.make(seed: UInt8(seed))])
      if seed % 50 == 49 { driver.poll() }
    }
    #expect(driver.cable.sent == (0..<200).map { SampleFrame.make(seed: UInt8($0)) })
  }

  @Test func highPriorityGoesFirst() {
    driver.queue([SampleFrame.make(seed: 1)])
    driver.tail = 0
    driver.queue([SampleFrame.make(seed: 2)], high: true)
    driver.write8(0xD9, 0xC0)
    #expect(driver.cable.sent == [SampleFrame.make(seed: 2), SampleFrame.make(seed: 1)])
    driver.queue([SampleFrame.make(seed: 3)], high: true)
    driver.poll()
    #expect(driver.cable.sent.count == 2)
    driver.poll(high: true)
    #expect(driver.cable.sent.count == 3)
  }

  @Test func waitsForThePort() {
    driver.cable.room = 1
    for seed in 0..<3 { driver.queue([SampleFrame.make(seed: UInt8(seed))]) }
    driver.poll()
    #expect(driver.cable.sent.count == 1 && driver.transmitCommand(1) >> 31 == 1)
    driver.cable.room = nil
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == (0..<3).map { SampleFrame.make(seed: $0) })
  }

  @Test func insertsTags() {
    let frame = SampleFrame.make(to: SampleFrame.other, count: 200)
    driver.queue([Array(frame[..<3]), Array(frame[3...])], tag: 0x6123)
    driver.poll()
    #expect(driver.cable.sent == [frame[..<12] + [0x81, 0x00, 0x61, 0x23] + frame[12...]])
  }

  @Test(arguments: [true, false], [0, 1, 2, 1459]) func insertsChecksums(isTCP: Bool, count: Int) {
    let plain = SamplePacket.make(isTCP: isTCP, payload: SampleFrame.make(count: 1514).suffix(count))
    let complete = SamplePacket.completed(plain)
    var soiled = plain
    soiled[24] = 0xAA
    soiled[34 + (isTCP ? 16 : 6)] = 0x55
    let flag: UInt32 = isTCP ? 1 << 16 : 1 << 17
    driver.queue([Array(soiled[..<20]), Array(soiled[20...])], flags: 1 << 18 | flag)
    driver.poll()
    #expect(driver.cable.sent == [complete])
    // The other's flag does nothing.
    driver.queue([soiled], flags: isTCP ? 1 << 17 : 1 << 16)
    driver.poll()
    #expect(driver.cable.sent.last == soiled)
    // Behind the packet there may be padding.
    driver.queue([soiled + [9, 9, 9]], flags: 1 << 18 | flag)
    driver.poll()
    #expect(driver.cable.sent.last == complete + [9, 9, 9])
  }

  @Test func leavesChecksumsToThePort() {
    driver.cable.offloads = [.checksum]
    let plain = SamplePacket.make(isTCP: true, payload: [1, 2, 3])
    driver.queue([plain], flags: 1 << 18 | 1 << 16, tag: nil)
    driver.poll()
    let offload = driver.cable.sentOffloads[0]
    #expect(offload.needsChecksum && offload.checksumStart == 34 && offload.checksumOffset == 16)
    let sent = driver.cable.sent[0]
    let pseudo = SamplePacket.sum(SamplePacket.addresses, UInt32(6 + sent.count - 34))
    #expect(Array(sent[50..<52]) == SamplePacket.word(Int(pseudo)))
  }

  private static let payload = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 2) }

  /// The frames a large send makes.
  private func parts(size: Int) -> [[UInt8]] {
    stride(from: 0, to: Self.payload.count, by: size).map { start in
      let part = Array(Self.payload[start..<min(start + size, Self.payload.count)])
      let isLast = start + size >= Self.payload.count
      var frame = SamplePacket.make(isTCP: true, payload: part, flags: isLast ? 0x19 : 0x10)
      frame.replaceSubrange(18..<20, with: SamplePacket.word(0x1000 + start / size))
      let sequence = 0x1122_FF00 + start
      frame.replaceSubrange(38..<42, with: SamplePacket.word(sequence >> 16) + SamplePacket.word(sequence))
      return SamplePacket.completed(frame)
    }
  }

  @Test(arguments: [1460, 1448, 536, 1, 2047]) func cutsLargeSends(size: Int) {
    let packet = SamplePacket.make(isTCP: true, payload: Self.payload, flags: 0x19)
    driver.queue(
      [Array(packet[..<54]), Array(packet[54..<3000]), Array(packet[3000...])],
      flags: 1 << 27 | UInt32(size) << 16)
    driver.poll()
    while driver.transmitCommand(2) >> 31 == 1 {
      #expect(size == 1)
      driver.board.clock.advance(by: 1)
    }
    #expect(driver.cable.sent == parts(size: size))
  }

  @Test func largeSendStopsAndGoesOn() {
    driver.queue(
      [SamplePacket.make(isTCP: true, payload: Self.payload, flags: 0x19)], flags: 1 << 27 | 1000 << 16)
    driver.cable.room = 2
    driver.poll()
    #expect(driver.cable.sent.count == 2 && driver.transmitCommand(0) >> 31 == 1)
    driver.cable.room = nil
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == parts(size: 1000))
  }

  @Test func leavesLargeSendsToThePort() {
    driver.cable.offloads = [.checksum, .tcpSegmentation4]
    let packet = SamplePacket.make(isTCP: true, payload: Self.payload, flags: 0x19)
    driver.queue([packet], flags: 1 << 27 | 1460 << 16, tag: 5)
    driver.poll()
    #expect(driver.cable.sent.count == 1 && driver.cable.sent[0].count == packet.count + 4)
    var offload = PacketOffload()
    offload.needsChecksum = true
    offload.checksumStart = 38
    offload.checksumOffset = 16
    offload.segmentation = .tcp4
    offload.headerLength = 58
    offload.segmentSize = 1460
    #expect(driver.cable.sentOffloads == [offload])
    #expect(SamplePacket.sum(driver.cable.sent[0][18..<38]) == 0xFFFF)
  }

  @Test func tallyCounters() {
    driver.queue([SampleFrame.make()])
    driver.poll()
    driver.cable.deliver(SampleFrame.make())
    driver.cable.deliver(SampleFrame.make(to: .broadcast))
    driver.write32(0x14, 0)
    driver.write32(0x10, 0x70000 | 8)
    #expect(driver.read32(0x10) == 0x70000)
    #expect(driver.load(0x70000, as: UInt64.self) == 1)
    #expect(driver.load(0x70008, as: UInt64.self) == 2)
    #expect(driver.load(0x70028, as: UInt64.self) == 1 && driver.load(0x70030, as: UInt64.self) == 1)
  }

  // MARK: Reception

  @Test func receives() {
    let frame = SampleFrame.make(count: 1514)
    driver.cable.deliver(frame)
    #expect(driver.interruptStatus == 1 && driver.isInterrupted)
    #expect(driver.takeDescriptor() == .init(status: 0x3200_05EE, tag: 0, bytes: SampleFrame.onCable(frame)))
    let short = SampleFrame.make(to: .broadcast, count: 42)
    driver.cable.deliver(short)
    #expect(driver.takeDescriptor() == .init(status: 0x3100_0040, tag: 0, bytes: SampleFrame.onCable(short)))
    #expect(driver.takeDescriptor() == nil)
  }

  @Test func goesRoundTheReceiveRing() {
    driver.setUpPlus(receiveCount: 5)
    for seed in 0..<17 {
      let frame = SampleFrame.make(seed: UInt8(seed))
      driver.cable.deliver(frame)
      #expect(driver.takeDescriptor()?.bytes == SampleFrame.onCable(frame))
    }
  }

  @Test func spansDescriptors() {
    driver.setUpPlus(bufferByteCount: 256)
    let frame = SampleFrame.make(count: 700)
    driver.cable.deliver(frame)
    let parts = (0..<3).compactMap { _ in driver.takeDescriptor() }
    #expect(parts.map { $0.status >> 28 } == [2, 0, 1])
    #expect(parts[2].status & 0x1FFF == 704)
    let bytes = parts[0].bytes + parts[1].bytes + parts[2].bytes
    #expect(Array(bytes[..<704]) == SampleFrame.onCable(frame))
    // More than the ring holds is gone.
    driver.setUpPlus(receiveCount: 2, bufferByteCount: 256)
    driver.cable.deliver(frame)
    #expect(driver.cable.waiting.isEmpty && driver.read32(0x4C) == 1)
  }

  /// A driver gives descriptors by memory alone: the card looks again when the driver acknowledges, and now and then.
  @Test func waitsForDescriptors() {
    driver.setUpPlus(receiveCount: 4)
    for seed in 0..<10 { driver.cable.deliver(SampleFrame.make(seed: UInt8(seed))) }
    #expect(driver.cable.waiting.count == 6 && driver.interruptStatus == 0x11)
    var taken: [[UInt8]] = []
    func take() { while let frame = driver.takeDescriptor() { taken.append(frame.bytes) } }
    take()
    driver.acknowledge()
    #expect(driver.cable.waiting.count == 2)
    take()
    driver.board.clock.advance(by: 1_000_000)
    #expect(driver.cable.waiting.isEmpty)
    take()
    #expect(taken == (0..<10).map { SampleFrame.onCable(SampleFrame.make(seed: UInt8($0))) })
  }

  @Test func stripsTags() {
    let inner = SampleFrame.make(count: 61)
    let frame = inner[..<12] + [0x81, 0x00, 0x61, 0x23] + inner[12...]
    driver.cable.deliver(Array(frame))
    #expect(driver.takeDescriptor()?.bytes.prefix(65) == frame)
    driver.write16(0xE0, 0x6B)
    driver.cable.deliver(Array(frame))
    let received = driver.takeDescriptor()
    #expect(received?.tag == 0x1_2361 && received?.bytes.prefix(61) == inner[...])
    #expect(received?.bytes.count == 65)
    driver.cable.deliver(inner)
    #expect(driver.takeDescriptor()?.tag == 0)
  }

  @Test func verifiesChecksums() {
    func status(_ frame: [UInt8]) -> UInt32 {
      driver.write32(0x44, 0xE70B)
      driver.cable.deliver(frame)
      return (driver.takeDescriptor()?.status ?? 0) & 0x0003_E000
    }
    let tcp = SamplePacket.completed(SamplePacket.make(isTCP: true, payload: [1, 2, 3]))
    let udp = SamplePacket.completed(SamplePacket.make(isTCP: false, payload: [1, 2, 3, 4]))
    #expect(status(tcp) == 0x1_0000 && status(udp) == 0x2_0000)
    func changed(_ frame: [UInt8], _ index: Int) -> [UInt8] {
      var frame = frame
      frame[index] ^= 0x40
      return frame
    }
    #expect(status(changed(tcp, 56)) == 0x1_2000 && status(changed(udp, 44)) == 0x2_4000)
    #expect(status(changed(tcp, 22)) == 0x1_8000)
    var unsummed = udp
    (unsummed[40], unsummed[41]) = (0, 0)
    #expect(status(unsummed) == 0x2_0000)
    // A fragment, another protocol, and nothing of IP.
    var fragment = tcp
    fragment[20] = 0x20
    #expect(status(fragment) == 0x3_8000)
    var other = tcp
    other[23] = 1
    #expect(status(other) == 0x3_8000)
    #expect(status(SampleFrame.make()) == 0)
    #expect(status(changed(tcp, 16)) == 0)
    driver.write16(0xE0, 0x0B)
    #expect(status(tcp) == 0)
  }

  @Test func loopback() {
    driver.write32(0x40, 0x0306_0600)
    driver.queue(
      [SamplePacket.make(isTCP: true, payload: Self.payload, flags: 0x19)], flags: 1 << 27 | 1400 << 16)
    driver.write32(0x44, 0xE70B)
    driver.poll()
    #expect(driver.cable.sent.isEmpty)
    for part in parts(size: 1400) {
      let received = driver.takeDescriptor()
      #expect(received?.bytes == SampleFrame.onCable(part) && (received?.status ?? 0) & 0x3_E000 == 0x1_0000)
    }
    #expect(driver.takeDescriptor() == nil)
  }

  // MARK: Hostile rings

  /// A ring that never ends a packet is thrown away; one that cannot be written is left.
  @Test func hostileTransmitRings() {
    for index in 0..<64 {
      driver.store(0xA000_FFFF as UInt32, at: driver.transmitRing + index * 16)
      driver.store(UInt64.max - 100, at: driver.transmitRing + index * 16 + 8)
    }
    driver.poll()
    #expect(driver.cable.sent.isEmpty && (0..<64).allSatisfy { driver.transmitCommand($0) >> 31 == 0 })
    for address in [0x7F_FF00, 0xFFFF_FF00, 0x1234_5600] as [UInt32] {
      driver.write32(0x20, address)
      driver.write32(0x24, address == 0x1234_5600 ? .max : 0)
      driver.poll()
    }
    driver.write32(0xE4, 0xFFFF_FF00)
    driver.cable.deliver(SampleFrame.make())
    #expect(driver.cable.waiting.isEmpty)
  }
}

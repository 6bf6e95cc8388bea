// SPDX-License-Identifier: GPL-2.0-or-later

import Network
import TestSupport
import Testing

@testable import NIC

@Suite struct E1000ReceiveTests {
  let driver: E1000Driver
  init() throws {
    driver = try E1000Driver()
    driver.setUp()
  }

  @Test func receives() {
    let frame = Frame.plain()
    driver.cable.deliver(frame)
    #expect(driver.receivedBytes(0) == frame)
    #expect(driver.received(0).status == 0x07)
    #expect(driver.received(0).errors == 0)
    #expect(driver.read(0x2810) == 1)
    #expect(driver.isInterrupted)
    #expect(driver.read(0xC0) & 0x80 != 0)
  }

  @Test func frameCheckSequence() {
    driver.write(0x100, 0x8002)
    let frame = Frame.plain(count: 61)
    driver.cable.deliver(frame)
    let bytes = driver.receivedBytes(0)
    #expect(bytes.count == 65 && Array(bytes[..<61]) == frame)
    let crc = frame.withUnsafeBytes { EthernetCRC.checksum($0) }
    #expect(Array(bytes[61...]) == (0..<4).map { UInt8(truncatingIfNeeded: crc >> ($0 * 8)) })
    // Runts are padded first.
    let runt = Frame.plain(count: 20)
    driver.cable.deliver(runt)
    let padded = runt + Array(repeating: 0, count: 40)
    let paddedCRC = padded.withUnsafeBytes { EthernetCRC.checksum($0) }
    #expect(
      driver.receivedBytes(1) == padded + (0..<4).map { UInt8(truncatingIfNeeded: paddedCRC >> ($0 * 8)) })
  }

  @Test func runts() {
    driver.cable.deliver(Frame.plain(count: 42))
    #expect(driver.receivedBytes(0) == Frame.plain(count: 42) + Array(repeating: 0, count: 18))
    driver.cable.deliver([1, 2, 3])
    #expect(driver.read(0x40A4) == 1 && driver.read(0x2810) == 1)
  }

  @Test func longFrames() {
    driver.cable.deliver(Frame.plain(count: 1518))
    #expect(driver.received(0).length == 1518)
    driver.cable.deliver(Frame.plain(count: 1519))
    #expect(driver.read(0x2810) == 1 && driver.read(0x40AC) == 1)
    // LPE: over several buffers.
    driver.write(0x100, 0x0400_8022)
    let frame = Frame.plain(count: 5000)
    driver.cable.deliver(frame)
    #expect((1...3).map { driver.received($0).status } == [1, 1, 7])
    #expect((1...3).flatMap { driver.receivedBytes($0) } == frame)
    #expect(driver.read(0x2810) == 4)
    driver.cable.deliver(Frame.plain(count: 16381))
    #expect(driver.read(0x2810) == 4)
  }

  @Test(arguments: [(0, 2048), (1, 1024), (2, 512), (3, 256)]) func bufferSizes(code: UInt32, size: Int) {
    let frame = Frame.plain(count: 1500)
    driver.write(0x100, 0x0400_8002 | code << 16)
    driver.cable.deliver(frame)
    let count = (1500 + size - 1) / size
    #expect(driver.read(0x2810) == UInt32(count))
    #expect((0..<count).flatMap { driver.receivedBytes($0) } == frame)
    driver.write(0x100, 0x0600_8022 | code << 16)
    driver.cable.deliver(Frame.plain(count: 4000))
    #expect(driver.received(count).length == (code == 3 ? 4000 : min(4000, size * 16)))
  }

  @Test func waitsForDescriptors() {
    driver.setUp(receiveCount: 8)
    for seed in 0..<10 { driver.cable.deliver(Frame.plain(seed: UInt8(seed))) }
    #expect(driver.read(0x2810) == 7)
    #expect(driver.cable.waiting.count == 3)
    #expect(driver.read(0xC0) & 0x40 != 0)
    #expect(driver.read(0x40A0) > 0)
    driver.write(0x2818, 1)
    #expect(driver.cable.waiting.count == 1 && driver.read(0x2810) == 1)
    #expect(driver.receivedBytes(0) == Frame.plain(seed: 8))
    // What nobody wants any more is gone.
    driver.write(0x100, 0)
    #expect(driver.cable.waiting.isEmpty)
    driver.cable.deliver(Frame.plain())
    #expect(driver.read(0x2810) == 1)
  }

  /// An engine may queue writes to RDT: the card asks for them, and looks again if they come without anything else.
  @Test func roomThatIsToldLate() {
    driver.setUp(receiveCount: 8)
    var queued: UInt32?
    var asked = 0
    driver.card.deliverLateWrites = { [unowned driver] in
      asked += 1
      if let tail = queued { driver.write(0x2818, tail) }
      queued = nil
    }
    for seed in 0..<7 { driver.cable.deliver(Frame.plain(seed: UInt8(seed))) }
    #expect(asked == 0)
    queued = 1
    driver.cable.deliver(Frame.plain(seed: 7))
    #expect(asked == 1 && driver.cable.waiting.isEmpty)
    #expect(driver.receivedBytes(7) == Frame.plain(seed: 7))
    driver.cable.deliver(Frame.plain(seed: 8))
    driver.cable.deliver(Frame.plain(seed: 9))
    #expect(driver.cable.waiting.count == 1 && driver.read(0xC0) & 0x40 != 0)
    // In the queue, and nobody has it delivered but the card.
    queued = 2
    driver.board.clock.advance(by: 999_999)
    #expect(driver.cable.waiting.count == 1)
    driver.board.clock.advance(by: 1)
    #expect(driver.cable.waiting.isEmpty && driver.read(0x2810) == 2)
    // As long as there is no room it looks less and less often.
    driver.cable.deliver(Frame.plain(seed: 10))
    let before = asked
    driver.board.clock.advance(by: 1_000_000_000)
    #expect((15...25).contains(asked - before))
    queued = 3
    driver.board.clock.advance(by: 64_000_000)
    #expect(driver.cable.waiting.isEmpty)
  }

  @Test func framesThatNeverFit() {
    driver.setUp(receiveCount: 8, rctl: 0x0403_8022)
    driver.cable.deliver(Frame.plain(count: 3000))
    #expect(driver.cable.waiting.isEmpty && driver.read(0x4010) == 1)
  }

  @Test func threshold() {
    driver.setUp(receiveCount: 8, rctl: 0x0400_8102)
    for index in 0..<7 {
      driver.cable.deliver(Frame.plain())
      // A quarter of the ring is left.
      #expect((driver.read(0xC0) & 0x10 != 0) == (index >= 4))
    }
  }

  @Test func delayedInterrupts() {
    driver.write(0x2820, 10)
    driver.write(0x282C, 4)
    driver.cable.deliver(Frame.plain())
    #expect(!driver.isInterrupted)
    driver.board.clock.advance(by: 4 * 1024)
    #expect(driver.isInterrupted && driver.read(0xC0) == 0x80)
    // Small ones are told at once.
    driver.write(0x2C00, 100)
    driver.write(0xD0, 0x10000)
    driver.cable.deliver(Frame.plain())
    #expect(driver.isInterrupted && driver.read(0xC0) & 0x10080 == 0x10080)
  }

  // MARK: Filters

  private func isLetIn(_ frame: [UInt8]) -> Bool {
    let before = driver.read(0x2810)
    driver.cable.deliver(frame)
    driver.write(0x2818, (before + 63) % 64)
    return driver.read(0x2810) != before
  }

  @Test func addresses() {
    let group: [UInt8] = [0x01, 0x00, 0x5E, 0x12, 0x34, 0x56]
    #expect(isLetIn(Frame.plain()))
    #expect(!isLetIn(Frame.plain(to: Frame.other)))
    #expect(isLetIn(Frame.plain(to: Frame.broadcast)))
    #expect(!isLetIn(Frame.plain(to: group)))
    // Another address of its own, then not valid, then for sources.
    driver.write(0x5408, 0xAA00_5452)
    driver.write(0x540C, 0x8000_CCBB)
    #expect(isLetIn(Frame.plain(to: Frame.other)))
    #expect(driver.card.receiveFilter.unicastTable == [MACAddress(Frame.other)])
    driver.write(0x540C, 0x0000_CCBB)
    #expect(!isLetIn(Frame.plain(to: Frame.other)))
    driver.write(0x540C, 0x8001_CCBB)
    #expect(!isLetIn(Frame.plain(to: Frame.other)))
    // No broadcasts.
    driver.write(0x100, 0x0400_0002)
    #expect(!isLetIn(Frame.plain(to: Frame.broadcast)))
    // Promiscuous.
    driver.write(0x100, 0x0400_000A)
    #expect(isLetIn(Frame.plain(to: Frame.other)) && !isLetIn(Frame.plain(to: group)))
    driver.write(0x100, 0x0400_0012)
    #expect(!isLetIn(Frame.plain(to: Frame.other)) && isLetIn(Frame.plain(to: group)))
    #expect(isLetIn(Frame.plain(to: Frame.broadcast)))
    #expect(driver.cable.filterChanges > 0)
  }

  /// The hash as drivers compute it: twelve bits of the address's last two bytes.
  @Test(arguments: [(0, 4), (1, 3), (2, 2), (3, 0)] as [(UInt32, Int)]) func groups(code: UInt32, shift: Int)
  {
    let group: [UInt8] = [0x01, 0x00, 0x5E, 0x12, 0x34, 0x56]
    driver.write(0x100, 0x0400_8002 | code << 12)
    let hash = (0x34 | 0x56 << 8) >> shift & 0xFFF
    #expect(!isLetIn(Frame.plain(to: group)))
    driver.write(0x5200 + hash >> 5 * 4, 1 << UInt32(hash & 31))
    #expect(isLetIn(Frame.plain(to: group)))
    #expect(driver.received(0).status & 0x80 != 0)
    #expect(!isLetIn(Frame.plain(to: [0x01, 0x00, 0x5E, 0x12, 0x35, 0x57])))
    #expect(!isLetIn(Frame.plain(to: [0x00, 0x00, 0x5E, 0x12, 0x34, 0x56])))
  }

  private func tagged(_ tag: UInt16, count: Int = 100) -> [UInt8] {
    let frame = Frame.plain(count: count)
    return Array(frame[..<12]) + [0x81, 0x00, UInt8(tag >> 8), UInt8(tag & 0xFF)] + Array(frame[12...])
  }

  @Test func tags() {
    driver.cable.deliver(tagged(0x2064))
    #expect(driver.receivedBytes(0) == tagged(0x2064))
    #expect(driver.received(0).status & 0x08 == 0)
    driver.write(0x00, driver.read(0x00) | 1 << 30)
    driver.cable.deliver(tagged(0x2064))
    #expect(driver.receivedBytes(1) == Frame.plain())
    #expect(driver.received(1).status & 0x08 != 0)
    #expect(driver.received(1).special == 0x2064)
    // Split over buffers.
    driver.write(0x100, 0x0403_8002)
    driver.cable.deliver(tagged(0x0005, count: 700))
    #expect((2...4).flatMap { driver.receivedBytes($0) } == Frame.plain(count: 700))
    #expect(driver.received(4).special == 5)
    driver.cable.deliver(Frame.plain())
    #expect(driver.received(5).status & 0x08 == 0)
  }

  @Test func tagFilter() {
    driver.write(0x100, 0x0404_8002)
    #expect(!isLetIn(tagged(0x0064)))
    #expect(isLetIn(Frame.plain()))
    driver.write(0x5600 + 3 * 4, 1 << 4)
    #expect(isLetIn(tagged(0x0064)) && !isLetIn(tagged(0x0065)))
    #expect(driver.card.receiveFilter.vlanTable == [0x64])
    driver.write(0x100, 0x040C_8002)
    #expect(isLetIn(tagged(0x0064)) && !isLetIn(tagged(0x1064)))
  }

  // MARK: Checksums

  @Test(arguments: [UInt8(6), 17]) func ipv4(number: UInt8) {
    for count in [0, 1, 31, 1000] {
      var frame = Frame.ip4(number: number, payload: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 11) })
      func deliver() -> E1000Driver.Received {
        let index = Int(driver.read(0x2810))
        driver.cable.deliver(frame)
        return driver.received(index)
      }
      let good = deliver()
      #expect(good.status == 0x63 && good.errors == 0)
      frame[frame.count - 1] ^= 0x10
      #expect(deliver().errors == 0x20)
      frame[22] ^= 1
      #expect(deliver().errors == 0x60)
      frame[frame.count - 1] ^= 0x10
      #expect(deliver().errors == 0x40)
      // A fragment's IP header alone.
      frame = Frame.ip4(number: number, payload: [1, 2, 3, 4])
      frame[20] = 0x20
      frame.replaceSubrange(24..<26, with: [0, 0])
      frame.replaceSubrange(24..<26, with: Frame.word(0xFFFF ^ Frame.sum(Array(frame[14..<34]))))
      #expect(deliver().status == 0x43)
    }
  }

  @Test func whatIsNotChecked() {
    driver.write(0x5000, 0x100)
    driver.cable.deliver(Frame.ip4(payload: [1]))
    driver.write(0x5000, 0)
    driver.cable.deliver(Frame.ip4(payload: [1]))
    driver.write(0x5000, 0x300)
    var frame = Frame.ip4(number: 17, payload: [1, 2])
    frame.replaceSubrange(40..<42, with: [0, 0])
    driver.cable.deliver(frame)
    frame = Frame.ip4(payload: [1])
    frame[17] = 200
    driver.cable.deliver(frame)
    driver.cable.deliver(Frame.ip6(payload: [1, 2, 3]))
    frame = Frame.ip6(payload: [1, 2, 3])
    frame[60] ^= 1
    driver.cable.deliver(frame)
    #expect((0..<6).map { driver.received($0).status } == [0x43, 0x07, 0x43, 0x07, 0x23, 0x23])
    #expect((0..<6).map { driver.received($0).errors } == [0, 0, 0, 0, 0, 0x20])
  }

  @Test func checksumBehindATag() {
    let frame = Frame.ip4(payload: [1, 2, 3])
    let tagged = Array(frame[..<12]) + [0x81, 0, 0, 1] + Array(frame[12...])
    driver.cable.deliver(tagged)
    driver.write(0x00, driver.read(0x00) | 1 << 30)
    driver.cable.deliver(tagged)
    #expect((0..<2).map { driver.received($0).status } == [0x63, 0x6B])
    #expect((0..<2).map { driver.received($0).errors } == [0, 0])
  }

  @Test(arguments: [0, 5, 12, 14, 34, 35]) func packetChecksum(start: Int) {
    for frame in [Frame.ip4(payload: Array("odd".utf8)), Frame.ip4(payload: Array(0..<100)), Frame.plain()] {
      let index = Int(driver.read(0x2810))
      driver.write(0x5000, 0x300 | UInt32(start))
      driver.cable.deliver(frame)
      #expect(Int(driver.received(index).checksum) == 0xFFFF ^ Frame.sum(Array(frame[start...])))
    }
  }

  @Test func statistics() {
    driver.cable.deliver(Frame.plain(count: 60))
    driver.cable.deliver(Frame.plain(to: Frame.broadcast, count: 1000))
    driver.cable.deliver(Frame.plain(to: Frame.other, count: 1000))
    driver.write(0x5200 + (0x10 >> 5) * 4, 1 << 0x10)
    driver.cable.deliver(Frame.plain(to: [1, 0, 0x5E, 0, 0, 1], count: 500))
    #expect(driver.read(0x4074) == 3 - 1 + (driver.read(0x407C) == 1 ? 1 : 0))
    #expect(driver.read(0x4078) == 1)
    #expect(driver.read(0x405C) == 1 && driver.read(0x406C) == 1)
    #expect(driver.read(0x40D0) == 4)
    #expect(driver.read(0x40C0) == 64 + 1004 + 1004 + 504)
    #expect(driver.read(0x40C4) == 0 && driver.read(0x40C0) == 0)
  }

  // MARK: Loopback

  @Test(arguments: [false, true]) func loopback(byPHY: Bool) {
    driver.cable.isLinkUp = false
    if byPHY {
      driver.writePHY(0, 0x4140)
      #expect(driver.read(0x08) & 2 != 0)
    } else {
      driver.write(0x100, 0x0400_8042)
    }
    driver.write(0x00, driver.read(0x00) | 1 << 30)
    driver.queueLegacy(Frame.plain(), command: 0x4B00_0000, upper: 77 << 16)
    driver.kick()
    #expect(driver.cable.sent.isEmpty)
    #expect(driver.receivedBytes(0) == Frame.plain())
    #expect(driver.received(0).special == 77)
    // Nothing else comes in.
    driver.cable.deliver(Frame.plain())
    #expect(driver.read(0x2810) == 1)
  }

  @Test func buffersThatAreNoMemory() {
    driver.store(E1000Driver.window + 0x100, at: driver.receiveRing)
    driver.store(UInt64.max - 3, at: driver.receiveRing + 16)
    driver.store(UInt64(0), at: driver.receiveRing + 32)
    for _ in 0..<4 { driver.cable.deliver(Frame.plain()) }
    #expect((0..<4).map { driver.received($0).status } == [7, 7, 7, 7])
    #expect(driver.receivedBytes(3) == Frame.plain())
    #expect(driver.read(0x100) == 0x0400_8002)
    // A ring that is no memory.
    driver.write(0x2804, 0x77)
    driver.cable.deliver(Frame.plain())
    #expect(driver.read(0x2810) == 5)
    driver.write(0x2810, 0xFFFF)
    driver.write(0x2818, 0xFFFF)
    driver.cable.deliver(Frame.plain())
    #expect(driver.read(0x2810) == 1)
  }
}

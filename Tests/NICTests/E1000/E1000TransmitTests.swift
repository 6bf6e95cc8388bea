// SPDX-License-Identifier: GPL-2.0-or-later

import Network
import TestSupport
import Testing

@testable import NIC

@Suite struct E1000TransmitTests {
  let driver: E1000Driver
  init() throws {
    driver = try E1000Driver()
    driver.setUp()
  }

  @Test func sendsLegacyDescriptors() {
    let frame = Frame.plain(to: Frame.other)
    driver.queueLegacy(frame)
    driver.kick()
    #expect(driver.cable.sent == [frame])
    #expect(driver.cable.batches == 1)
    #expect(driver.transmitStatus(0) == 1)
    #expect(driver.read(0x3810) == 1)
    #expect(driver.isInterrupted)
    #expect(driver.read(0xC0) == 0x03)
    #expect(!driver.isInterrupted)
  }

  @Test func gathersDescriptors() {
    let frame = Frame.plain(to: Frame.other, count: 1514)
    driver.queueLegacy(Array(frame[..<20]), command: 0x0200_0000)
    driver.queueLegacy([], command: 0x0A00_0000)
    driver.kick()
    // Without its end it waits.
    #expect(driver.cable.sent.isEmpty && driver.transmitStatus(1) == 0)
    driver.queueLegacy(Array(frame[20..<700]), command: 0x0200_0000)
    driver.queueLegacy(Array(frame[700...]))
    driver.kick()
    #expect(driver.cable.sent == [frame])
    #expect((0..<4).map(driver.transmitStatus) == [0, 1, 0, 1])
    #expect(driver.read(0x3810) == 4)
  }

  @Test func gathersVeryManyDescriptors() {
    driver.setUp(transmitCount: 1024)
    let frame = Frame.plain(to: Frame.other, count: 1500)
    for start in stride(from: 0, to: 1500, by: 5) {
      driver.queueLegacy(
        Array(frame[start..<(start + 5)]), command: start == 1495 ? 0x0B00_0000 : 0x0200_0000)
    }
    driver.kick()
    #expect(driver.cable.sent == [frame])
  }

  @Test func goesRoundTheRing() {
    driver.setUp(transmitCount: 8)
    var frames: [[UInt8]] = []
    for seed in 0..<50 {
      frames.append(Frame.plain(to: Frame.other, count: 60 + seed, seed: UInt8(seed)))
      driver.queueLegacy(frames[seed])
      if seed % 5 == 4 { driver.kick() }
    }
    #expect(driver.cable.sent == frames)
    #expect(driver.read(0x3810) == 2)
  }

  @Test func padsShortFrames() {
    driver.queueLegacy(Frame.plain(to: Frame.other, count: 20))
    driver.kick()
    driver.write(0x400, 2)
    driver.queueLegacy(Frame.plain(to: Frame.other, count: 20))
    driver.kick()
    #expect(driver.cable.sent.map(\.count) == [60, 20])
    #expect(driver.cable.sent[0] == Frame.plain(to: Frame.other, count: 20) + Array(repeating: 0, count: 40))
  }

  @Test func frameCheckSequenceOfTheGuest() {
    let frame = Frame.plain(to: Frame.other)
    let crc = frame.withUnsafeBytes { EthernetCRC.checksum($0) }
    driver.queueLegacy(
      frame + (0..<4).map { UInt8(truncatingIfNeeded: crc >> ($0 * 8)) }, command: 0x0900_0000)
    driver.queueLegacy(frame, command: 0x0900_0000)
    driver.kick()
    #expect(driver.cable.sent == [frame, frame])
  }

  @Test func nothingWithoutEnableMasterOrLink() {
    driver.write(0x400, 0)
    driver.queueLegacy(Frame.plain())
    driver.kick()
    #expect(driver.cable.sent.isEmpty && driver.read(0x3810) == 0)
    driver.write(0x400, 0xA)
    #expect(driver.cable.sent.count == 1)
    driver.board.writeConfiguration(E1000Driver.place, 4, 3)
    driver.queueLegacy(Frame.plain())
    driver.kick()
    #expect(driver.cable.sent.count == 1)
    driver.board.writeConfiguration(E1000Driver.place, 4, 7)
    driver.cable.isLinkUp = false
    // Lost.
    #expect(driver.read(0x3810) == 2)
    #expect(driver.cable.sent.count == 1)
    #expect(driver.read(0x4080) == 1)
  }

  @Test func waitsForThePort() {
    driver.cable.room = 2
    let frames = (0..<5).map { Frame.plain(to: Frame.other, seed: UInt8($0)) }
    for frame in frames { driver.queueLegacy(frame) }
    driver.kick()
    #expect(driver.cable.sent == Array(frames[..<2]))
    #expect((0..<5).map(driver.transmitStatus) == [1, 1, 0, 0, 0])
    #expect(driver.read(0x3810) == 2)
    driver.cable.room = nil
    driver.kick()
    #expect(driver.cable.sent.count == 2)
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == frames)
    #expect(driver.transmitStatus(4) == 1)
  }

  @Test func delayedInterrupts() {
    driver.write(0x3820, 8)
    driver.write(0x382C, 32)
    driver.queueLegacy(Frame.plain(), command: 0x8B00_0000)
    driver.kick()
    #expect(!driver.isInterrupted)
    driver.board.clock.advance(by: 8 * 1024 - 1)
    #expect(!driver.isInterrupted)
    driver.board.clock.advance(by: 1)
    #expect(driver.isInterrupted && driver.read(0xC0) & 1 != 0)
    // Another cause takes it along.
    driver.queueLegacy(Frame.plain(), command: 0x8B00_0000)
    driver.kick()
    driver.write(0xC8, 4)
    #expect(driver.isInterrupted && driver.read(0xC0) == 7)
    driver.board.clock.advance(by: 1_000_000)
    #expect(!driver.isInterrupted)
    // FPD ends the wait.
    driver.queueLegacy(Frame.plain(), command: 0x8B00_0000)
    driver.kick()
    driver.write(0x3820, 0x8000_0008)
    #expect(driver.isInterrupted)
  }

  @Test func legacyChecksum() {
    var frame = Frame.ip4(to: Frame.other, payload: Array("checksum".utf8))
    let good = frame
    // What the driver leaves: the pseudo header's sum.
    let pseudo = Frame.sum(Frame.source4 + Frame.destination4 + [0, 6] + Frame.word(28))
    frame.replaceSubrange(50..<52, with: Frame.word(pseudo))
    driver.queue(driver.place(frame), UInt32(frame.count) | 50 << 16 | 0x0F00_0000, 34 << 8)
    driver.kick()
    #expect(driver.cable.sent == [good])
  }

  @Test(arguments: [false, true]) func checksums(isLeft: Bool) {
    if isLeft { driver.cable.offloads = [.checksum] }
    var frame = Frame.ip4(to: Frame.other, number: 17, payload: (0..<101).map { UInt8($0) })
    let good = frame
    let pseudo = Frame.sum(Frame.source4 + Frame.destination4 + [0, 17] + Frame.word(109))
    frame.replaceSubrange(40..<42, with: Frame.word(pseudo))
    frame.replaceSubrange(24..<26, with: [0, 0])
    driver.queueContext(tcp: (34, 40, 0), command: 0)
    driver.queueData(Array(frame[..<33]), command: 0x0200_0000, upper: 0x300)
    driver.queueData(Array(frame[33..<60]), command: 0x0200_0000)
    driver.queueData(Array(frame[60...]))
    driver.kick()
    var expected = good
    var offload = PacketOffload.none
    if isLeft {
      expected.replaceSubrange(40..<42, with: Frame.word(pseudo))
      offload.needsChecksum = true
      offload.checksumStart = 34
      offload.checksumOffset = 6
    }
    #expect(driver.cable.sent == [expected])
    #expect(driver.cable.sentOffloads == [offload])
    // The context stays for the next packet.
    driver.cable.offloads = []
    driver.queueData(frame, upper: 0x300)
    driver.kick()
    #expect(driver.cable.sent.last == good)
  }

  @Test func tags() {
    let frame = Frame.plain(to: Frame.other)
    driver.queueLegacy(frame, command: 0x4B00_0000, upper: 0x6123 << 16)
    driver.kick()
    driver.write(0x00, driver.read(0x00) | 1 << 30)
    driver.queueLegacy(frame, command: 0x4B00_0000, upper: 0x6123 << 16)
    driver.queueLegacy(Array(frame[..<5]), command: 0x4200_0000, upper: 0x0007 << 16)
    driver.queueLegacy(Array(frame[5...]))
    driver.kick()
    let tagged = { (tag: [UInt8]) in frame[..<12] + [0x81, 0x00] + tag + frame[12...] }
    #expect(driver.cable.sent == [frame, Array(tagged([0x61, 0x23])), Array(tagged([0x00, 0x07]))])
  }

  // MARK: Segments

  /// A long segment as a driver prepares it, and the frames it makes.
  private func segment4(payload: Int, size: Int, flags: UInt8 = 0x19) -> (given: [UInt8], frames: [[UInt8]]) {
    let bytes = (0..<payload).map { UInt8(truncatingIfNeeded: $0 &* 13 ^ $0 >> 7) }
    var given = Frame.ip4(to: Frame.other, payload: bytes, sequence: 0xFFFF_FF00, flags: flags)
    given.replaceSubrange(16..<18, with: [0, 0])
    given.replaceSubrange(24..<26, with: [0, 0])
    given.replaceSubrange(
      50..<52, with: Frame.word(Frame.sum(Frame.source4 + Frame.destination4 + [0, 6])))
    var frames: [[UInt8]] = []
    for (index, start) in stride(from: 0, to: payload, by: size).enumerated() {
      let end = min(start + size, payload)
      frames.append(
        Frame.ip4(
          to: Frame.other, payload: Array(bytes[start..<end]), sequence: 0xFFFF_FF00 &+ UInt32(start),
          flags: end == payload ? flags : flags & ~9, identification: 7 + index))
    }
    return (given, frames)
  }

  private func queueSegment4(_ given: [UInt8], size: Int, pieces: Int = 4096, tag: UInt16? = nil) {
    driver.queueContext(
      payload: given.count - 54, header: 54, size: size, command: 0x0700_0000)
    let vlan: UInt32 = tag == nil ? 0 : 1 << 30
    let upper = 0x300 | UInt32(tag ?? 0) << 16
    driver.queueData(Array(given[..<54]), command: 0x0600_0000 | vlan, upper: upper)
    for start in stride(from: 54, to: given.count, by: pieces) {
      let end = min(start + pieces, given.count)
      driver.queueData(
        Array(given[start..<end]), command: (end == given.count ? 0x0F00_0000 : 0x0600_0000) | vlan,
        upper: upper)
    }
  }

  @Test(arguments: [(10000, 1460, 4096), (1461, 1460, 100), (500, 1460, 64), (4380, 1460, 1), (3000, 999, 7)])
  func segmentsIPv4(payload: Int, size: Int, pieces: Int) {
    driver.setUp(transmitCount: 8192 / 16 * 16)
    let (given, frames) = segment4(payload: payload, size: size)
    queueSegment4(given, size: size, pieces: pieces)
    driver.kick()
    // Short ones are padded.
    #expect(driver.cable.sent == frames.map { $0 + Array(repeating: 0, count: max(60 - $0.count, 0)) })
    #expect(driver.read(0x40F8) == 1)
    #expect(driver.read(0x4080) == UInt32(frames.count))
    #expect(driver.read(0xC0) & 1 != 0)
  }

  @Test func segmentsAreTagged() {
    driver.write(0x00, driver.read(0x00) | 1 << 30)
    let (given, frames) = segment4(payload: 4000, size: 1460)
    queueSegment4(given, size: 1460, tag: 42)
    driver.kick()
    #expect(driver.cable.sent == frames.map { $0[..<12] + [0x81, 0, 0, 42] + $0[12...] })
  }

  @Test func segmentsIPv6() {
    let payload = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 13 ^ $0 >> 7) }
    var given = Frame.ip6(payload: payload)
    given.replaceSubrange(18..<20, with: [0, 0])
    given.replaceSubrange(70..<72, with: Frame.word(Frame.sum(Array(given[22..<54]) + [0, 6])))
    driver.queueContext(
      ip: (14, 24, 0), tcp: (54, 70, 0), payload: 5000, header: 74, size: 1440, command: 0x0500_0000)
    driver.queueData(given, command: 0x0F00_0000, upper: 0x200)
    driver.kick()
    let frames = stride(from: 0, to: 5000, by: 1440).map { start in
      Frame.ip6(
        payload: Array(payload[start..<min(start + 1440, 5000)]), sequence: 1000 + UInt32(start),
        flags: start + 1440 >= 5000 ? 0x18 : 0x10)
    }
    #expect(driver.cable.sent == frames)
  }

  @Test(arguments: [nil, 9] as [UInt16?]) func segmentsAreLeftToThePort(tag: UInt16?) {
    driver.cable.offloads = [.checksum, .tcpSegmentation4, .tcpSegmentation6]
    if tag != nil { driver.write(0x00, driver.read(0x00) | 1 << 30) }
    let (given, frames) = segment4(payload: 30000, size: 1460)
    queueSegment4(given, size: 1460, tag: tag)
    driver.kick()
    var whole = Frame.ip4(
      to: Frame.other, payload: Array(given[54...]), sequence: 0xFFFF_FF00, flags: 0x19)
    whole.replaceSubrange(
      50..<52, with: Frame.word(Frame.sum(Frame.source4 + Frame.destination4 + [0, 6] + Frame.word(30020))))
    let extra: UInt16 = tag == nil ? 0 : 4
    if let tag { whole.insert(contentsOf: [0x81, 0, 0, UInt8(tag)], at: 12) }
    #expect(driver.cable.sent == [whole])
    var offload = PacketOffload()
    offload.needsChecksum = true
    offload.checksumStart = 34 + extra
    offload.checksumOffset = 16
    offload.segmentation = .tcp4
    offload.headerLength = 54 + extra
    offload.segmentSize = 1460
    #expect(driver.cable.sentOffloads == [offload])
    // The guest sees the same numbers.
    #expect(driver.read(0x4080) == UInt32(frames.count))
    #expect(driver.read(0x40C8) == UInt32(frames.reduce(0) { $0 + $1.count + Int(extra) + 4 }))
  }

  @Test func segmentsWaitForThePort() {
    let (given, frames) = segment4(payload: 10000, size: 1460)
    driver.cable.room = 3
    queueSegment4(given, size: 1460)
    driver.queueLegacy(Frame.plain())
    driver.kick()
    #expect(driver.cable.sent == Array(frames[..<3]))
    #expect(driver.read(0x3810) == 1)
    driver.cable.room = nil
    driver.card.packetPortBecameReady()
    #expect(driver.cable.sent == frames + [Frame.plain()])
  }

  @Test func senselessSegments() {
    // A header longer than the packet, none, no size.
    for (header, size) in [(200, 1460), (0, 1460), (54, 0)] {
      driver.queueContext(header: header, size: size, command: 0x0700_0000)
      driver.queueData(Frame.ip4(payload: [1, 2, 3]), command: 0x0F00_0000, upper: 0x300)
    }
    driver.kick()
    #expect(driver.cable.sent.isEmpty)
    #expect(driver.read(0x40FC) == 3)
    #expect(driver.read(0x3810) == 6)
  }

  /// Very many segments are sent a bounded number at a time.
  @Test func muchWorkIsPutOff() {
    let (given, _) = segment4(payload: 20000, size: 1)
    queueSegment4(given, size: 1, pieces: 20000)
    driver.kick()
    let first = driver.cable.sent.count
    #expect(first > 1000 && first < 20000)
    driver.board.clock.advance(by: 1000)
    #expect(driver.cable.sent.count == 20000)
    #expect(driver.cable.sent.enumerated().allSatisfy { $1.count == 60 && $1[54] == given[54 + $0] })
    #expect(driver.read(0x3810) == 3)
  }

  // MARK: Rings of a careless or hostile guest

  @Test func buffersThatAreNoMemory() {
    let memoryEnd = UInt64(driver.board.ram.byteCount)
    driver.store([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], at: Int(memoryEnd) - 16)
    driver.queue(memoryEnd - 16, 100 | 0x0B00_0000)
    driver.queue(E1000Driver.window, 64 | 0x0B00_0000)
    driver.queue(~0 - 20, 9000 | 0x0B00_0000)
    driver.kick()
    #expect(driver.cable.sent.map(\.count) == [100, 64, 9000])
    #expect(driver.cable.sent[0] == (1...16).map { UInt8($0) } + Array(repeating: 0, count: 84))
    #expect(driver.cable.sent[1].allSatisfy { $0 == 0 } && driver.cable.sent[2].allSatisfy { $0 == 0 })
  }

  /// More than a run may send, and a tail that is never reached: round once, in however many parts.
  @Test func muchWorkWithoutAnEnd() {
    driver.setUp(transmitCount: 64)
    let bytes = [UInt8](repeating: 0, count: 60_000)
    let place = driver.place(bytes)
    let header: UInt32 = 54
    for _ in 0..<32 {
      driver.queueContext(payload: 60_000 - Int(header), header: Int(header), size: 100, command: 0x2700_0000)
      driver.queue(place, 60_000 | 1 << 20 | 1 << 29 | 0x0D00_0000, 0)
    }
    driver.write(0x3818, 0xFFFF)
    driver.board.clock.advance(by: 1_000_000_000)
    let sent = driver.cable.sent.count
    #expect(sent > 0)
    driver.board.clock.advance(by: 1_000_000_000)
    #expect(driver.cable.sent.count == sent)
  }

  @Test func ringsThatHaveNoEnd() {
    // A tail that is never reached, full of frames: once around.
    for _ in 0..<64 { driver.queueLegacy(Frame.plain()) }
    driver.write(0x3818, 0xFFFF)
    #expect(driver.cable.sent.count == 64)
    // No end of a packet in it.
    for _ in 0..<64 { driver.queueLegacy(Frame.plain(), command: 0x0200_0000) }
    driver.write(0x3818, 0xFFFE)
    #expect(driver.cable.sent.count == 64)
    // A ring that is no memory, and none.
    driver.write(0x3804, 0x1234)
    driver.write(0x3810, 0xFFFF)
    driver.write(0x3818, 3)
    driver.write(0x3808, 0)
    driver.write(0x3818, 5)
    #expect(driver.cable.sent.count == 64)
  }

  @Test func framesThatAreTooLong() {
    for _ in 0..<3 { driver.queueLegacy([UInt8](repeating: 1, count: 60000), command: 0x0200_0000) }
    driver.queueLegacy(Frame.plain())
    driver.queueLegacy([UInt8](repeating: 1, count: 16385))
    driver.queueLegacy([])
    driver.queueLegacy(Frame.plain())
    driver.kick()
    #expect(driver.cable.sent == [Frame.plain()])
    #expect(driver.transmitStatus(3) == 1 && driver.read(0x3810) == 7)
  }

  @Test func statistics() {
    driver.queueLegacy(Frame.plain(to: Frame.broadcast, count: 60))
    driver.queueLegacy(Frame.plain(to: [1, 0, 0x5E, 0, 0, 1], count: 300))
    driver.queueLegacy(Frame.plain(to: Frame.other, count: 1514))
    driver.kick()
    #expect(driver.read(0x40D8) == 1 && driver.read(0x40E4) == 1 && driver.read(0x40EC) == 1)
    #expect(driver.read(0x40F0) == 1 && driver.read(0x40F4) == 1)
    #expect(driver.read(0x40D4) == 3)
    #expect(driver.read(0x4090) == 1886 && driver.read(0x4090) == 1886)
    #expect(driver.read(0x4094) == 0 && driver.read(0x4090) == 0)
    #expect(driver.read(0x40D8) == 0)
  }
}

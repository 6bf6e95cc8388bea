// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI
import TestSupport
import Testing

@testable import NIC

@Suite struct PCnetTests {
  private static let place = PCIAddress(3, 0)
  private static let ports: UInt16 = 0xC000
  private static let line = PCIBus.line(device: 3, pin: 1)
  private static let block = 0x8000
  private static let receiveRing = 0x10000
  private static let transmitRing = 0x20000
  private static let receiveBuffers = 0x100000
  private static let transmitBuffers = 0x200000

  let board: TestBoard
  let cable = PacketRecorder()
  let card: PCnet

  init() throws {
    board = try TestBoard()
    card = Self.plug(into: board, cable)
  }

  private static func plug(into board: TestBoard, _ cable: PacketRecorder) -> PCnet {
    let card = PCnet(
      memory: board.memory.memory, port: cable, address: E1000Driver.address, clock: board.clock,
      optionROM: nil)
    board.pci.plug(card, at: place)
    board.writeConfiguration(place, 0x10, UInt32(ports))
    board.writeConfiguration(place, 0x14, 0xF000_0000)
    board.writeConfiguration(place, 0x04, 0x7)
    return card
  }

  private func readCSR(_ index: UInt16) -> UInt16 {
    board.outw(Self.ports + 0x12, index)
    return board.inw(Self.ports + 0x10)
  }
  private func writeCSR(_ index: UInt16, _ value: UInt16) {
    board.outw(Self.ports + 0x12, index)
    board.outw(Self.ports + 0x10, value)
  }
  private func readBCR(_ index: UInt16) -> UInt16 {
    board.outw(Self.ports + 0x12, index)
    return board.inw(Self.ports + 0x16)
  }
  private func writeBCR(_ index: UInt16, _ value: UInt16) {
    board.outw(Self.ports + 0x12, index)
    board.outw(Self.ports + 0x16, value)
  }
  private func store<Value: FixedWidthInteger>(_ value: Value, _ address: Int) {
    board.memory.memory.store(value, at: GuestAddress(UInt64(address)))
  }
  private func load<Value: FixedWidthInteger>(_ address: Int) -> Value {
    board.memory.memory.load(GuestAddress(UInt64(address))) ?? 0
  }
  private func bytes(_ address: Int, _ count: Int) -> [UInt8] { (0..<count).map { load(address + $0) } }

  /// As Linux's pcnet32 does: software style 2, eight descriptors each, everything on.
  private func setUp(style: UInt16 = 2, mode: UInt16 = 0, size: Int = 1536) {
    _ = board.inw(Self.ports + 0x14)
    writeBCR(20, style)
    store(mode, Self.block)
    let is32Bit = style != 0
    for index in 0..<6 {
      store(E1000Driver.address[index], Self.block + (is32Bit ? 4 : 2) + index)
    }
    store(UInt64(0), Self.block + (is32Bit ? 12 : 8))
    if is32Bit {
      store(UInt16(0x3030), Self.block + 2)
      store(UInt32(Self.receiveRing), Self.block + 20)
      store(UInt32(Self.transmitRing), Self.block + 24)
    } else {
      store(UInt32(Self.receiveRing) | 3 << 29, Self.block + 16)
      store(UInt32(Self.transmitRing) | 3 << 29, Self.block + 20)
    }
    for index in 0..<8 {
      give(index, style: style, size: size)
      for offset in 0..<4 { store(UInt32(0), transmitDescriptor(index, style) + offset * (is32Bit ? 4 : 2)) }
    }
    writeCSR(1, UInt16(Self.block))
    writeCSR(2, 0)
    writeCSR(4, 0x0915)
    writeCSR(0, 1)
    #expect(readCSR(0) & 0x100 != 0)
    writeCSR(0, 0x142)
  }

  private func transmitDescriptor(_ index: Int, _ style: UInt16 = 2) -> Int {
    Self.transmitRing + index * (style == 0 ? 8 : 16)
  }
  private func receiveDescriptor(_ index: Int, _ style: UInt16 = 2) -> Int {
    Self.receiveRing + index * (style == 0 ? 8 : 16)
  }

  /// Gives a receive buffer to the card.
  private func give(_ index: Int, style: UInt16 = 2, size: Int = 1536) {
    let address = receiveDescriptor(index, style)
    let buffer = UInt32(Self.receiveBuffers + index * 2048)
    let count = UInt32(truncatingIfNeeded: -size) & 0xFFFF
    switch style {
    case 0:
      store(buffer | 0x8000_0000, address)
      store(count, address + 4)
    case 3:
      store(UInt32(0), address)
      store(buffer, address + 8)
      store(0x8000_0000 | count, address + 4)
    default:
      store(buffer, address)
      store(UInt32(0), address + 8)
      store(0x8000_0000 | count, address + 4)
    }
  }

  /// Puts a piece of a frame into the ring.
  private func queue(_ frame: [UInt8], _ index: Int, style: UInt16 = 2, flags: UInt32 = 0x8300_0000) {
    let buffer = Self.transmitBuffers + index * 4096
    for (offset, byte) in frame.enumerated() { store(byte, buffer + offset) }
    let count = UInt32(truncatingIfNeeded: -frame.count) & 0xFFFF
    let address = transmitDescriptor(index, style)
    switch style {
    case 0:
      store(count, address + 4)
      store(UInt32(buffer) | flags, address)
    default:
      store(UInt32(buffer), address + (style == 3 ? 8 : 0))
      store(flags | count, address + 4)
    }
  }

  private static func withFCS(_ frame: [UInt8]) -> [UInt8] {
    let padded = frame + Array(repeating: 0, count: max(60 - frame.count, 0))
    let crc = padded.withUnsafeBytes { EthernetCRC.checksum($0) }
    return padded + (0..<4).map { UInt8(truncatingIfNeeded: crc >> ($0 * 8)) }
  }

  // MARK: Registers

  @Test func identity() {
    #expect(board.readConfiguration(Self.place, 0) == 0x2000_1022)
    #expect((0..<6).map { board.inb(Self.ports + $0) } == E1000Driver.address.bytes)
    #expect(board.inw(Self.ports + 14) == 0x5757)
    // pcnet32's way to find the chip.
    #expect(board.inw(Self.ports + 0x14) == 0)
    #expect(readCSR(0) == 4)
    board.outw(Self.ports + 0x12, 88)
    #expect(board.inw(Self.ports + 0x12) == 88)
    #expect(readCSR(88) == 0x1003 && readCSR(89) == 0x0262)
    #expect(readBCR(4) == 0x80C0)
    cable.isLinkUp = false
    #expect(readBCR(4) == 0x00C0)
  }

  @Test func doubleWordMode() {
    board.outl(Self.ports + 0x10, 0)
    board.outl(Self.ports + 0x14, 88)
    #expect(board.inl(Self.ports + 0x14) == 88)
    #expect(board.inl(Self.ports + 0x10) == 0x1003)
    board.outl(Self.ports + 0x14, 18)
    #expect(board.inl(Self.ports + 0x1C) & 0x80 != 0)
    #expect(board.memory.read(GuestAddress(UInt64(0xF000_0014)), .dword) == 18)
    #expect(board.inl(Self.ports + 0x18) == 0)
    board.outl(Self.ports + 0x14, 0)
    #expect(board.inl(Self.ports + 0x10) == 4)
  }

  @Test func initialization() {
    setUp(mode: 0x8000)
    #expect(readCSR(0) & 0x37 == 0x33)
    #expect(readCSR(15) == 0x8000 && readCSR(12) == 0x5452)
    #expect(readCSR(24) == 0 && readCSR(25) == 1 && readCSR(30) == 0 && readCSR(31) == 2)
    #expect(readCSR(76) == 0xFFF8 && readCSR(78) == 0xFFF8)
    #expect(card.receiveFilter.isPromiscuous && card.receiveFilter.address == E1000Driver.address)
    writeCSR(0, 4)
    #expect(readCSR(0) == 4)
    // Not in memory.
    writeCSR(1, 0)
    writeCSR(2, 0xFFFF)
    writeCSR(0, 1)
    #expect(readCSR(0) & 0x8900 == 0x8800)
  }

  // MARK: Frames

  @Test(arguments: [0, 2, 3] as [UInt16]) func sends(style: UInt16) {
    setUp(style: style)
    let frame = Frame.plain(to: Frame.other, count: 1000)
    queue(Array(frame[..<300]), 0, style: style, flags: 0x8200_0000)
    writeCSR(0, 0x48)
    #expect(cable.sent.isEmpty)
    queue(Array(frame[300...]), 1, style: style, flags: 0x8100_0000)
    queue(Frame.plain(to: Frame.other, count: 30), 2, style: style)
    writeCSR(0, 0x48)
    // Short ones are padded, as CSR4 has it.
    #expect(cable.sent == [frame, Frame.plain(to: Frame.other, count: 30) + Array(repeating: 0, count: 30)])
    for index in 0..<3 {
      let flags: UInt8 = load(transmitDescriptor(index, style) + (style == 0 ? 3 : 7))
      #expect(flags & 0x80 == 0)
    }
    #expect(board.pciInterrupts.isRaised(Self.line))
    #expect(readCSR(0) & 0x280 == 0x280)
    writeCSR(0, 0x240)
    #expect(!board.pciInterrupts.isRaised(Self.line))
  }

  @Test func sendsByPolling() {
    setUp()
    queue(Frame.plain(), 0)
    board.clock.advance(by: 2_000_000)
    #expect(cable.sent == [Frame.plain()])
    // Not once the driver has shown that it tells.
    writeCSR(0, 0x48)
    board.clock.advance(by: 2_000_000)
    queue(Frame.plain(), 1)
    board.clock.advance(by: 10_000_000)
    #expect(cable.sent.count == 1)
    #expect(board.clock.nextDeadline == nil)
  }

  /// As Linux changes the group filter.
  @Test func goesOnInTheRingsAfterBeingSuspended() {
    setUp()
    for index in 0..<2 { queue(Frame.plain(seed: UInt8(index)), index) }
    writeCSR(0, 0x48)
    cable.deliver(Frame.plain(to: Frame.broadcast))
    writeCSR(5, 1)
    for index in 8..<12 { writeCSR(UInt16(index), 0x8000) }
    writeCSR(15, readCSR(15))
    writeCSR(5, 0)
    queue(Frame.plain(seed: 2), 2)
    writeCSR(0, 0x48)
    #expect(cable.sent == (0..<3).map { Frame.plain(seed: $0) })
    cable.deliver(Frame.plain(to: Frame.broadcast))
    let second: UInt8 = load(receiveDescriptor(1) + 7)
    #expect(second & 0x80 == 0)
  }

  @Test func waitsForThePort() {
    setUp()
    cable.room = 1
    for index in 0..<3 { queue(Frame.plain(seed: UInt8(index)), index) }
    writeCSR(0, 0x48)
    #expect(cable.sent.count == 1)
    cable.room = nil
    card.packetPortBecameReady()
    #expect(cable.sent == (0..<3).map { Frame.plain(seed: $0) })
  }

  @Test(arguments: [0, 2, 3] as [UInt16]) func receives(style: UInt16) {
    setUp(style: style, size: 256)
    for frame in [Frame.plain(), Frame.plain(to: Frame.broadcast, count: 20), Frame.plain(count: 600)] {
      cable.deliver(frame)
    }
    let message = style == 0 ? 6 : style == 3 ? 0 : 8
    let expected = [Frame.plain(), Frame.plain(to: Frame.broadcast, count: 20), Frame.plain(count: 600)].map(
      Self.withFCS)
    for (frame, first, count) in [(expected[0], 0, 1), (expected[1], 1, 1), (expected[2], 2, 3)] {
      let length: UInt16 = load(receiveDescriptor(first + count - 1, style) + message)
      #expect(Int(length) & 0xFFF == frame.count)
      var stored: [UInt8] = []
      for index in first..<(first + count) {
        stored += bytes(Self.receiveBuffers + index * 2048, min(256, frame.count - stored.count))
        let flags: UInt8 = load(receiveDescriptor(index, style) + (style == 0 ? 3 : 7))
        #expect(flags == (index == first ? 2 : 0) | (index == first + count - 1 ? 1 : 0))
      }
      #expect(stored == frame)
    }
    #expect(readCSR(0) & 0x480 == 0x480)
    let match: UInt8 = load(receiveDescriptor(1) + 6)
    if style == 2 { #expect(match == 0x10) }
  }

  @Test func waitsForBuffers() {
    setUp()
    for seed in 0..<10 { cable.deliver(Frame.plain(seed: UInt8(seed))) }
    #expect(cable.waiting.count == 2)
    give(0)
    board.clock.advance(by: 2_000_000)
    #expect(cable.waiting.count == 1)
    give(1)
    writeCSR(0, 0x0440)
    #expect(cable.waiting.isEmpty)
    #expect(bytes(Self.receiveBuffers + 2048, 104) == Self.withFCS(Frame.plain(seed: 9)))
  }

  @Test func filters() {
    setUp()
    let group: [UInt8] = [0x01, 0x00, 0x5E, 0x00, 0x00, 0x01]
    func isLetIn(_ frame: [UInt8]) -> Bool {
      writeCSR(0, 0x0440)
      cable.deliver(frame)
      let isLetIn = readCSR(0) & 0x400 != 0
      for index in 0..<8 { give(index) }
      return isLetIn
    }
    #expect(isLetIn(Frame.plain()) && isLetIn(Frame.plain(to: Frame.broadcast)))
    #expect(!isLetIn(Frame.plain(to: Frame.other)) && !isLetIn(Frame.plain(to: group)))
    // ether_crc_le(6, 01:00:5e:00:00:01) >> 26 is 0x1F by the Linux driver's sum.
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in group {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    writeCSR(5, 1)
    writeCSR(8 + UInt16(crc >> 30), 1 << UInt16(crc >> 26 & 15))
    writeCSR(5, 0)
    #expect(isLetIn(Frame.plain(to: group)) && !isLetIn(Frame.plain(to: [3, 0, 0, 0, 0, 9])))
    writeCSR(5, 1)
    writeCSR(15, 0xC000)
    writeCSR(5, 0)
    #expect(isLetIn(Frame.plain(to: Frame.other)))
  }

  @Test func loopback() {
    setUp(mode: 4)
    queue(Frame.plain(), 0)
    writeCSR(0, 0x48)
    #expect(cable.sent.isEmpty)
    #expect(bytes(Self.receiveBuffers, 104) == Self.withFCS(Frame.plain()))
  }

  // MARK: Robustness

  @Test func hostileRings() {
    setUp()
    // Never an end.
    for index in 0..<8 { queue(Frame.plain(), index, flags: index == 0 ? 0x8200_0000 : 0x8000_0000) }
    writeCSR(0, 0x48)
    #expect(cable.sent.isEmpty)
    // Nowhere.
    writeCSR(5, 1)
    writeCSR(30, 0)
    writeCSR(31, 0xFFF0)
    writeCSR(24, 0)
    writeCSR(25, 0xFFF0)
    writeCSR(78, 0)
    writeCSR(5, 0)
    writeCSR(0, 0x48)
    cable.deliver(Frame.plain())
    #expect(cable.waiting.count == 1)
  }

  @Test func stateRoundTrip() throws {
    setUp()
    for seed in 0..<3 { cable.deliver(Frame.plain(seed: UInt8(seed))) }
    queue(Frame.plain(to: Frame.other), 0)
    writeCSR(0, 0x48)
    queue(Frame.plain(to: Frame.broadcast), 1)
    card.pause()
    let other = try TestBoard()
    let otherCable = PacketRecorder()
    let otherCard = Self.plug(into: other, otherCable)
    try transplant(from: card, to: otherCard)
    #expect(otherCard.save() == card.save())
    other.ram.allBytes.copyMemory(from: UnsafeRawBufferPointer(board.ram.allBytes))
    otherCard.run()
    #expect(otherCable.sent == [Frame.plain(to: Frame.broadcast)])
    otherCable.deliver(Frame.plain(seed: 3))
    var received = [UInt8](repeating: 0, count: 104)
    received.withUnsafeMutableBytes {
      _ = other.memory.memory.read(GuestAddress(UInt64(Self.receiveBuffers + 3 * 2048)), into: $0)
    }
    #expect(received == Self.withFCS(Frame.plain(seed: 3)))
    var bad = card.save()
    bad.transmitIndex = -1
    #expect(throws: RestoreError.self) { try otherCard.restore(bad) }
    bad = card.save()
    bad.controlRegisters = []
    #expect(throws: RestoreError.self) { try otherCard.restore(bad) }
  }

  @Test(arguments: [1, 0x79C970, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    cable.room = 50
    for round in 0..<2000 {
      if round % 200 == 0 {
        cable.clear()
        board.writeConfiguration(Self.place, 0x04, 0x7)
        card.reset()
        board.writeConfiguration(Self.place, 0x10, UInt32(Self.ports))
        board.writeConfiguration(Self.place, 0x04, 0x7)
        setUp(style: [0, 2, 3].randomElement(using: &random) ?? 2)
      }
      let value = UInt16(truncatingIfNeeded: random.next())
      switch UInt8.random(in: 0..<10, using: &random) {
      case 0...1:
        let address = (Bool.random(using: &random) ? Self.transmitRing : Self.receiveRing) + Int(value & 0x7C)
        store(UInt32(truncatingIfNeeded: random.next()) | 0x8000_0000, address)
      case 2:
        if cable.waiting.count < 4 {
          cable.deliver(Frame.plain(to: Frame.broadcast, count: 14 + Int(value & 0xFFF)))
        }
      case 3: board.clock.advance(by: UInt64(value) << 6)
      case 4:
        cable.room = Int(value & 15)
        card.packetPortBecameReady()
      case 5: writeCSR(0, value & 0x7F4B)
      case 6: writeCSR(UInt16.random(in: 0..<128, using: &random), value)
      case 7: writeBCR(UInt16.random(in: 0..<32, using: &random), value)
      case 8:
        board.ports.write(
          Self.ports + (value & 31), random.next(), [.byte, .word, .dword][Int(value >> 8) % 3])
      default: _ = board.ports.read(Self.ports + (value & 31), [.byte, .word, .dword][Int(value >> 8) % 3])
      }
    }
    _ = card.receiveFilter
  }
}

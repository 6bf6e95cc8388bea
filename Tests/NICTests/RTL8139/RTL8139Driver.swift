// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI
import TestSupport

@testable import NIC

/// A card on a board, driven as Linux's 8139too (C mode) and 8139cp (C+ mode) do.
final class RTL8139Driver {
  static let place = PCIAddress(3, 0)
  static let line = PCIBus.line(device: 3, pin: 1)
  static let base: UInt16 = 0xC000
  static let window: UInt64 = 0xF000_0000

  let board: TestBoard
  let cable = PacketRecorder()
  let card: RTL8139
  let ring = 0x10000
  private(set) var ringByteCount = 32768
  private var readOffset = 0
  private var transmitIndex = 0

  let transmitRing = 0x40000
  let highRing = 0x41000
  let receiveRing = 0x42000
  let receiveBuffers = 0x100000
  private(set) var receiveCount = 64
  private(set) var bufferByteCount = 1536
  private var buffer = 0x200000
  var tail = 0
  var receiveHead = 0

  init(chip: RTL8139.Chip = .cPlus, port: (any PacketPort)? = nil) throws {
    board = try TestBoard(ramByteCount: 8 << 20)
    card = RTL8139(
      chip: chip, memory: board.memory.memory, port: port ?? cable, address: SampleFrame.own,
      clock: board.clock, optionROM: nil)
    board.pci.plug(card, at: Self.place)
    board.writeConfiguration(Self.place, 0x10, UInt32(Self.base))
    board.writeConfiguration(Self.place, 0x14, UInt32(Self.window))
    board.writeConfiguration(Self.place, 0x04, 0x7)
  }

  var isInterrupted: Bool { board.pciInterrupts.isRaised(Self.line) }
  func read8(_ register: UInt16) -> UInt8 { board.inb(Self.base + register) }
  func read16(_ register: UInt16) -> UInt16 { board.inw(Self.base + register) }
  func read32(_ register: UInt16) -> UInt32 { board.inl(Self.base + register) }
  func write8(_ register: UInt16, _ value: UInt8) { board.outb(Self.base + register, value) }
  func write16(_ register: UInt16, _ value: UInt16) { board.outw(Self.base + register, value) }
  func write32(_ register: UInt16, _ value: UInt32) { board.outl(Self.base + register, value) }
  var interruptStatus: UInt16 { read16(0x3E) }
  func acknowledge() { write16(0x3E, 0xFFFF) }

  func store(_ bytes: [UInt8], at address: Int) {
    bytes.withUnsafeBytes { _ = board.memory.memory.write(GuestAddress(UInt64(address)), from: $0) }
  }
  func memory(_ address: Int, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { _ = board.memory.memory.read(GuestAddress(UInt64(address)), into: $0) }
    return bytes
  }
  func load<Value: FixedWidthInteger>(_ address: Int, as type: Value.Type = Value.self) -> Value {
    board.memory.memory.load(GuestAddress(UInt64(address)), as: type) ?? 0
  }
  func store<Value: FixedWidthInteger>(_ value: Value, at address: Int) {
    board.memory.memory.store(value, at: GuestAddress(UInt64(address)))
  }
  /// Puts bytes into memory that is not used yet.
  func place(_ bytes: [UInt8]) -> Int {
    if buffer > 0x600000 { buffer = 0x200000 }
    defer { buffer += (bytes.count + 15) & ~15 }
    store(bytes, at: buffer)
    return buffer
  }

  // MARK: C mode

  /// Own address and broadcasts, a ring of 32 KiB that frames may reach beyond.
  func setUp(rcr: UInt32 = 0xF78A, imr: UInt16 = 0xC07F) {
    write8(0x37, 0x10)
    write8(0x37, 0x0C)
    write32(0x30, UInt32(ring))
    write32(0x44, rcr)
    write32(0x40, 0x0300_0600)
    for index in 0..<4 { write32(UInt16(0x20 + index * 4), UInt32(0x80000 + index * 2048)) }
    write16(0x3C, imr)
    ringByteCount = 8192 << Int(rcr >> 11 & 3)
    readOffset = 0
    transmitIndex = 0
  }

  func send(_ frame: [UInt8]) {
    store(frame, at: 0x80000 + transmitIndex * 2048)
    write32(UInt16(0x10 + transmitIndex * 4), UInt32(frame.count) | 0x30000)
    transmitIndex = (transmitIndex + 1) & 3
  }

  struct Received: Equatable {
    var status: UInt16
    /// With the frame check sequence.
    var bytes: [UInt8]
  }

  /// Takes the next frame out of the ring; nil if there is none. `wraps` says how frames lie at its end.
  func takeFrame(wraps: Bool = false) -> Received? {
    guard read8(0x37) & 1 == 0 else { return nil }
    let header = load(ring + readOffset, as: UInt32.self)
    let count = Int(header >> 16)
    let start = readOffset + 4
    let bytes =
      wraps
      ? (0..<count).map { load(ring + (start + $0) % ringByteCount, as: UInt8.self) }
      : memory(ring + start, count)
    readOffset = (readOffset + count + 4 + 3) & ~3 % ringByteCount
    readOffset %= ringByteCount
    write16(0x38, UInt16(truncatingIfNeeded: readOffset &- 16))
    return Received(status: UInt16(header & 0xFFFF), bytes: bytes)
  }

  // MARK: C+ mode

  func setUpPlus(
    cpcr: UInt16 = 0x2B, rcr: UInt32 = 0xE70A, imr: UInt16 = 0x81BD, receiveCount: Int = 64,
    bufferByteCount: Int = 1536
  ) {
    write8(0x37, 0x10)
    self.receiveCount = receiveCount
    self.bufferByteCount = bufferByteCount
    for index in 0..<64 {
      store(index == 63 ? 0x4000_0000 : 0 as UInt32, at: transmitRing + index * 16)
      store(index == 63 ? 0x4000_0000 : 0 as UInt32, at: highRing + index * 16)
    }
    for index in 0..<receiveCount { give(index) }
    tail = 0
    receiveHead = 0
    write16(0xE0, cpcr)
    write32(0xE4, UInt32(receiveRing))
    write32(0xE8, 0)
    write32(0x20, UInt32(transmitRing))
    write32(0x24, 0)
    write32(0x28, UInt32(highRing))
    write32(0x2C, 0)
    write8(0x37, 0x0C)
    write8(0xEC, 6)
    write32(0x44, rcr)
    write32(0x40, 0x0300_0600)
    write16(0x3C, imr)
  }

  /// Gives a receive descriptor to the card, with its buffer.
  func give(_ index: Int) {
    let end: UInt32 = index == receiveCount - 1 ? 0x4000_0000 : 0
    let address = receiveRing + index * 16
    store(UInt32(0), at: address + 4)
    store(UInt64(receiveBuffers + index * 8192), at: address + 8)
    store(0x8000_0000 | end | UInt32(bufferByteCount), at: address)
  }

  /// Queues a packet in as many descriptors as pieces.
  func queue(_ pieces: [[UInt8]], flags: UInt32 = 0, tag: UInt16? = nil, high: Bool = false) {
    let ring = high ? highRing : transmitRing
    for (number, piece) in pieces.enumerated() {
      let address = ring + tail * 16
      var command = 0x8000_0000 | flags | UInt32(piece.count)
      if number == 0 { command |= 0x2000_0000 }
      if number == pieces.count - 1 { command |= 0x1000_0000 }
      if tail == 63 { command |= 0x4000_0000 }
      store(tag.map { 0x2_0000 | UInt32($0.byteSwapped) } ?? 0, at: address + 4)
      store(UInt64(place(piece)), at: address + 8)
      store(command, at: address)
      tail = (tail + 1) % 64
    }
  }

  func poll(high: Bool = false) { write8(0xD9, high ? 0x80 : 0x40) }
  func transmitCommand(_ index: Int) -> UInt32 { load(transmitRing + index * 16) }

  struct PlusReceived: Equatable {
    var status: UInt32
    var tag: UInt32
    var bytes: [UInt8]
  }

  /// Takes what the next descriptor holds; nil if the card has it.
  func takeDescriptor() -> PlusReceived? {
    let command = load(receiveRing + receiveHead * 16, as: UInt32.self)
    guard command & 0x8000_0000 == 0 else { return nil }
    let tag = load(receiveRing + receiveHead * 16 + 4, as: UInt32.self)
    let bytes = memory(receiveBuffers + receiveHead * 8192, min(Int(command & 0x1FFF), bufferByteCount))
    give(receiveHead)
    receiveHead = (receiveHead + 1) % receiveCount
    return PlusReceived(status: command, tag: tag, bytes: bytes)
  }
}

/// Packets for checksums and large sends.
enum SamplePacket {
  /// The one's-complement sum of big-endian words.
  static func sum(_ bytes: some Collection<UInt8>, _ start: UInt32 = 0) -> UInt16 {
    var sum = start
    for (index, byte) in bytes.enumerated() { sum += UInt32(byte) << (index & 1 == 0 ? 8 : 0) }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return UInt16(sum)
  }

  static func word(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }

  static let addresses: [UInt8] = [10, 0, 2, 15, 10, 0, 2, 2]

  /// A frame with IPv4 and a TCP or UDP packet in it, its checksums zero.
  static func make(isTCP: Bool, payload: [UInt8], flags: UInt8 = 0x18) -> [UInt8] {
    let transport =
      isTCP
      ? word(1234) + word(80) + [0x11, 0x22, 0xFF, 0x00] + [0, 0, 0, 1, 0x50, flags] + word(0x4000)
        + [0, 0, 0, 0]
      : word(53) + word(53) + word(8 + payload.count) + [0, 0]
    let total = 20 + transport.count + payload.count
    return SampleFrame.other.bytes + SampleFrame.own.bytes + [8, 0] + [0x45, 0] + word(total) + word(0x1000)
      + [0x40, 0, 64, isTCP ? 6 : 17, 0, 0] + addresses + transport + payload
  }

  /// The frame with its checksums filled in.
  static func completed(_ frame: [UInt8]) -> [UInt8] {
    var frame = frame
    let isTCP = frame[23] == 6
    frame.replaceSubrange(24..<26, with: [0, 0])
    frame.replaceSubrange(24..<26, with: word(Int(~sum(frame[14..<34]))))
    let field = 34 + (isTCP ? 16 : 6)
    frame.replaceSubrange(field..<(field + 2), with: [0, 0])
    let pseudo = UInt32(frame[23]) + UInt32(frame.count - 34)
    frame.replaceSubrange(
      field..<(field + 2), with: word(Int(~sum(addresses + Array(frame[34...]), pseudo))))
    return frame
  }
}

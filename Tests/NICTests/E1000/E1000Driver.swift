// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI
import TestSupport

@testable import NIC

/// A card on a board, driven as a driver does: rings in memory, registers through BAR 0.
final class E1000Driver {
  let board: TestBoard
  let cable = PacketRecorder()
  let card: E1000
  static let place = PCIAddress(3, 0)
  static let line = PCIBus.line(device: 3, pin: 1)
  static let window: UInt64 = 0xF000_0000
  static let ports: UInt16 = 0xC000
  static let address = MACAddress(bits: 0x5254_0012_3456)

  let transmitRing = 0x10000
  let receiveRing = 0x20000
  let receiveBuffers = 0x200000
  private(set) var transmitCount = 64
  private(set) var receiveCount = 64
  var tail = 0
  private var buffer = 0x100000

  init(board: TestBoard? = nil) throws {
    self.board = try board ?? TestBoard()
    card = E1000(
      memory: self.board.memory.memory, port: cable, address: Self.address, clock: self.board.clock,
      optionROM: nil)
    self.board.pci.plug(card, at: Self.place)
    self.board.writeConfiguration(Self.place, 0x10, UInt32(Self.window))
    self.board.writeConfiguration(Self.place, 0x14, UInt32(Self.ports))
    self.board.writeConfiguration(Self.place, 0x04, 0x7)
  }

  func read(_ register: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: board.memory.read(GuestAddress(Self.window + UInt64(register)), .dword))
  }
  func write(_ register: Int, _ value: UInt32) {
    board.memory.write(GuestAddress(Self.window + UInt64(register)), UInt64(value), .dword)
  }
  var isInterrupted: Bool { board.pciInterrupts.isRaised(Self.line) }
  var interruptCount: Int { board.pciInterrupts.edges[Self.line] ?? 0 }

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

  func readPHY(_ index: Int) -> UInt16 {
    write(0x20, UInt32(index) << 16 | 1 << 21 | 2 << 26)
    let value = read(0x20)
    return value & 0x1000_0000 != 0 && value & 0x4000_0000 == 0 ? UInt16(value & 0xFFFF) : 0xDEAD
  }
  func writePHY(_ index: Int, _ value: UInt16) {
    write(0x20, UInt32(value) | UInt32(index) << 16 | 1 << 21 | 1 << 26)
  }

  /// Rings and engines as Linux sets them up: RCTL with 2 KiB buffers and broadcasts, SECRC added.
  func setUp(
    transmitCount: Int = 64, receiveCount: Int = 64, rctl: UInt32 = 0x0400_8002, interrupts: UInt32 = 0x9D
  ) {
    self.transmitCount = transmitCount
    self.receiveCount = receiveCount
    tail = 0
    write(0x3800, UInt32(transmitRing))
    write(0x3804, 0)
    write(0x3808, UInt32(transmitCount * 16))
    write(0x3810, 0)
    write(0x3818, 0)
    write(0x400, 0x0004_010A)
    for index in 0..<receiveCount {
      store(UInt64(receiveBuffers + index * 2048), at: receiveRing + index * 16)
      store(UInt64(0), at: receiveRing + index * 16 + 8)
    }
    write(0x2800, UInt32(receiveRing))
    write(0x2804, 0)
    write(0x2808, UInt32(receiveCount * 16))
    write(0x2810, 0)
    write(0x2818, UInt32(receiveCount - 1))
    write(0x5000, 0x300)
    write(0x100, rctl)
    write(0xD0, interrupts)
    _ = read(0xC0)
  }

  /// Puts a descriptor at the ring's tail.
  func queue(_ first: UInt64, _ lower: UInt32, _ upper: UInt32 = 0) {
    store(first, at: transmitRing + tail * 16)
    store(lower, at: transmitRing + tail * 16 + 8)
    store(upper, at: transmitRing + tail * 16 + 12)
    tail = (tail + 1) % transmitCount
  }

  /// Puts bytes somewhere in memory.
  func place(_ bytes: [UInt8]) -> UInt64 {
    if buffer + bytes.count > 0x1F0000 { buffer = 0x100000 }
    store(bytes, at: buffer)
    defer { buffer += (bytes.count + 15) & ~15 }
    return UInt64(buffer)
  }

  /// A legacy descriptor: EOP, IFCS, RS unless told otherwise.
  func queueLegacy(_ bytes: [UInt8], command: UInt32 = 0x0B00_0000, upper: UInt32 = 0) {
    queue(place(bytes), UInt32(bytes.count) | command, upper)
  }

  func queueData(_ bytes: [UInt8], command: UInt32 = 0x0B00_0000, upper: UInt32 = 0) {
    queue(place(bytes), UInt32(bytes.count) | 1 << 20 | 1 << 29 | command, upper)
  }

  func queueContext(
    ip: (start: Int, offset: Int, end: Int) = (14, 24, 33),
    tcp: (start: Int, offset: Int, end: Int) = (34, 50, 0),
    payload: Int = 0, header: Int = 0, size: Int = 0, command: UInt32
  ) {
    let first =
      UInt64(ip.start) | UInt64(ip.offset) << 8 | UInt64(ip.end) << 16 | UInt64(tcp.start) << 32
      | UInt64(tcp.offset) << 40 | UInt64(tcp.end) << 48
    queue(first, UInt32(payload) | 1 << 29 | command, UInt32(header) << 8 | UInt32(size) << 16)
  }

  func kick() { write(0x3818, UInt32(tail)) }

  func transmitStatus(_ index: Int) -> UInt8 { load(transmitRing + index * 16 + 12) }

  struct Received: Equatable {
    var length: Int
    var checksum: UInt16
    var status: UInt8
    var errors: UInt8
    var special: UInt16
  }
  func received(_ index: Int) -> Received {
    let word: UInt64 = load(receiveRing + index * 16 + 8)
    return Received(
      length: Int(word & 0xFFFF), checksum: UInt16(truncatingIfNeeded: word >> 16),
      status: UInt8(truncatingIfNeeded: word >> 32), errors: UInt8(truncatingIfNeeded: word >> 40),
      special: UInt16(truncatingIfNeeded: word >> 48))
  }
  func receivedBytes(_ index: Int, size: Int = 2048) -> [UInt8] {
    memory(receiveBuffers + index * size, received(index).length)
  }
}

/// Frames for tests.
enum Frame {
  static let broadcast: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
  static let own = E1000Driver.address.bytes
  static let other: [UInt8] = [0x52, 0x54, 0x00, 0xAA, 0xBB, 0xCC]

  /// An Ethernet frame with a payload that can be told apart.
  static func plain(to destination: [UInt8] = own, type: UInt16 = 0x88B5, count: Int = 100, seed: UInt8 = 1)
    -> [UInt8]
  {
    destination + other + [UInt8(type >> 8), UInt8(type & 0xFF)]
      + (0..<(count - 14)).map { UInt8(truncatingIfNeeded: $0 &* 7) &+ seed }
  }

  static func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }

  static func sum(_ bytes: [UInt8]) -> Int {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
    return sum
  }

  static let source4: [UInt8] = [10, 0, 2, 15]
  static let destination4: [UInt8] = [10, 0, 2, 2]

  /// A TCP (6) or UDP (17) packet over IPv4 with right checksums.
  static func ip4(
    to destination: [UInt8] = own, number: UInt8 = 6, payload: [UInt8], sequence: UInt32 = 1000,
    flags: UInt8 = 0x18, identification: Int = 7
  ) -> [UInt8] {
    var upper: [UInt8]
    if number == 6 {
      upper = [0x12, 0x34, 0x00, 0x50] + (0..<4).map { UInt8(truncatingIfNeeded: sequence >> (24 - $0 * 8)) }
      upper += [0, 0, 0, 9, 0x50, flags, 0x20, 0x00, 0, 0, 0, 0]
    } else {
      upper = [0x12, 0x34, 0x00, 0x35] + word(8 + payload.count) + [0, 0]
    }
    upper += payload
    let pseudo = source4 + destination4 + [0, number] + word(upper.count)
    var check = 0xFFFF ^ sum(pseudo + upper)
    if check == 0 { check = 0xFFFF }
    upper.replaceSubrange(number == 6 ? 16..<18 : 6..<8, with: word(check))
    var header: [UInt8] =
      [0x45, 0] + word(20 + upper.count) + word(identification) + [0x40, 0, 64, number, 0, 0]
    header += source4 + destination4
    header.replaceSubrange(10..<12, with: word(0xFFFF ^ sum(header)))
    return destination + other + [0x08, 0x00] + header + upper
  }

  /// A TCP packet over IPv6 with its right checksum.
  static func ip6(payload: [UInt8], sequence: UInt32 = 1000, flags: UInt8 = 0x18) -> [UInt8] {
    let addresses = (0..<32).map { UInt8($0 * 3 + 1) }
    var upper: [UInt8] =
      [0x12, 0x34, 0x00, 0x50] + (0..<4).map { UInt8(truncatingIfNeeded: sequence >> (24 - $0 * 8)) }
    upper += [0, 0, 0, 9, 0x50, flags, 0x20, 0x00, 0, 0, 0, 0] + payload
    let check = 0xFFFF ^ sum(addresses + [0, 0] + word(upper.count) + [0, 0, 0, 6] + upper)
    upper.replaceSubrange(16..<18, with: word(check))
    return own + other + [0x86, 0xDD, 0x60, 0, 0, 0] + word(upper.count) + [6, 64] + addresses + upper
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Network
import PCI
import TestSupport

@testable import NIC

/// A card on a board, driven as Linux's ne2k-pci does.
final class NE2000Driver {
  static let place = PCIAddress(3, 0)
  static let line = PCIBus.line(device: 3, pin: 1)
  static let base: UInt16 = 0xC000
  static let transmitPage: UInt8 = 0x40
  static let firstPage: UInt8 = 0x4C
  static let lastPage: UInt8 = 0x80

  let board: TestBoard
  let cable = PacketRecorder()
  let card: NE2000PCI
  /// The page of the next frame.
  private var next = firstPage + 1

  init(port: (any PacketPort)? = nil) throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    card = NE2000PCI(port: port ?? cable, address: SampleFrame.own, clock: board.clock, optionROM: nil)
    board.pci.plug(card, at: Self.place)
    board.writeConfiguration(Self.place, 0x10, UInt32(Self.base))
    board.writeConfiguration(Self.place, 0x04, 0x1)
  }

  var isInterrupted: Bool { board.pciInterrupts.isRaised(Self.line) }
  func read(_ register: UInt16) -> UInt8 { board.inb(Self.base + register) }
  func write(_ register: UInt16, _ value: UInt8) { board.outb(Self.base + register, value) }

  func readPage1(_ register: UInt16) -> UInt8 {
    write(0, 0x62)
    defer { write(0, 0x22) }
    return read(register)
  }

  func startRemote(_ address: Int, _ count: Int, command: UInt8) {
    write(0x00, 0x22)
    write(0x0A, UInt8(count & 0xFF))
    write(0x0B, UInt8(count >> 8))
    write(0x08, UInt8(address & 0xFF))
    write(0x09, UInt8(address >> 8))
    write(0x00, command)
  }

  func readMemory(_ address: Int, _ count: Int) -> [UInt8] {
    startRemote(address, count, command: 0x0A)
    var bytes: [UInt8] = []
    while bytes.count < count {
      let word = board.inw(Self.base + 0x10)
      bytes += [UInt8(word & 0xFF), UInt8(word >> 8)]
    }
    write(0x07, 0x40)
    return Array(bytes.prefix(count))
  }

  func writeMemory(_ address: Int, _ bytes: [UInt8]) {
    startRemote(address, bytes.count, command: 0x12)
    for index in stride(from: 0, to: bytes.count, by: 4) {
      var value: UInt32 = 0
      for byte in 0..<4 where index + byte < bytes.count {
        value |= UInt32(bytes[index + byte]) << UInt32(byte * 8)
      }
      board.outl(Self.base + 0x10, value)
    }
    write(0x07, 0x40)
  }

  /// Starts the chip: words, no loopback, its own address and broadcasts.
  func setUp(rcr: UInt8 = 0x04, imr: UInt8 = 0x3F) {
    write(0x00, 0x21)
    write(0x0E, 0x49)
    write(0x0A, 0)
    write(0x0B, 0)
    write(0x0C, 0x20)
    write(0x0D, 0x02)
    write(0x04, Self.transmitPage)
    write(0x01, Self.firstPage)
    write(0x03, Self.firstPage)
    write(0x02, Self.lastPage)
    write(0x07, 0xFF)
    write(0x0F, 0)
    write(0x00, 0x61)
    for (index, byte) in SampleFrame.own.bytes.enumerated() { write(UInt16(1 + index), byte) }
    next = Self.firstPage + 1
    write(0x07, next)
    write(0x00, 0x21)
    write(0x07, 0xFF)
    write(0x0F, imr)
    write(0x00, 0x22)
    write(0x0D, 0)
    write(0x0C, rcr)
  }

  func setGroups(_ bits: Set<Int>) {
    write(0, 0x62)
    for index in 0..<8 {
      let byte = (0..<8).reduce(UInt8(0)) { $0 | (bits.contains(index * 8 + $1) ? 1 << UInt8($1) : 0) }
      write(UInt16(8 + index), byte)
    }
    write(0, 0x22)
  }

  func load(_ frame: [UInt8]) {
    writeMemory(Int(Self.transmitPage) << 8, frame)
    write(0x04, Self.transmitPage)
    write(0x05, UInt8(frame.count & 0xFF))
    write(0x06, UInt8(frame.count >> 8))
  }

  func send(_ frame: [UInt8]) {
    load(frame)
    write(0x00, 0x26)
  }

  struct Received: Equatable {
    var status: UInt8
    /// With the frame check sequence.
    var bytes: [UInt8]
  }

  /// Takes the next frame out of the ring; nil if there is none.
  func takeFrame() -> Received? {
    guard readPage1(7) != next else { return nil }
    let header = readMemory(Int(next) << 8, 4)
    let count = Int(header[2]) | Int(header[3]) << 8
    let start = Int(next) << 8 + 4
    let bytes = readMemory(start, count)
    next = header[1]
    write(0x03, next == Self.firstPage ? Self.lastPage - 1 : next - 1)
    return Received(status: header[0], bytes: bytes)
  }
}

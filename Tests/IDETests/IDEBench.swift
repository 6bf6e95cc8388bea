// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import GuestMemory
import PCI
import TestSupport

@testable import IDE

/// A board with an IDE controller, driven as a driver does.
final class IDEBench {
  let board: TestBoard
  let ide: PIIX3IDEController
  let disk = MemoryDisk.numbered()
  let disc = MemoryDisk.numbered()
  let drives: [[Drive?]]
  let busMaster: UInt16 = 0xC000
  let lines: [InterruptLine]

  /// What is plugged into a place.
  enum Kind {
    case disk
    case cdrom
  }

  /// A disk as primary master and a CD-ROM as secondary master (or primary slave).
  convenience init(cdromAsSlave: Bool = false, policy: ErrorPolicy = .report) throws {
    try self.init(cdromAsSlave ? [[.disk, .cdrom], []] : [[.disk], [.cdrom]], policy: policy)
  }

  /// The places in use: all disks show the same medium, and all CD-ROMs another.
  init(_ places: [[Kind?]], policy: ErrorPolicy = .report) throws {
    board = try TestBoard()
    disc.isReadOnly = true
    let (disk, disc) = (disk, disc)
    drives = places.map { channel in
      channel.map { kind in
        switch kind {
        case nil: nil
        case .disk?:
          Drive(
            name: "hd", kind: .disk, serial: "SERIAL1", medium: disk, writeErrorPolicy: policy,
            readErrorPolicy: policy)
        case .cdrom?: Drive(name: "cd", kind: .cdrom, serial: "SERIAL2", medium: disc)
        }
      }
    }
    lines = [InterruptLine(board.interrupts, 14), InterruptLine(board.interrupts, 15)]
    ide = PIIX3IDEController(memory: board.memory.memory, drives: drives, interrupts: lines)
    ide.map(in: board.ports)
    board.pci.plug(ide, at: PCIAddress(1, 1))
    ide.reset()
    board.writeConfiguration(PCIAddress(1, 1), 0x20, UInt32(busMaster) | 1)
    board.writeConfiguration(PCIAddress(1, 1), 0x04, 5)
  }

  func base(_ channel: Int) -> UInt16 { channel == 0 ? 0x1F0 : 0x170 }
  func status(_ channel: Int = 0) -> UInt8 { board.inb(base(channel) + 7) }
  func alternateStatus(_ channel: Int = 0) -> UInt8 { board.inb(channel == 0 ? 0x3F6 : 0x376) }
  func isInterrupting(_ channel: Int = 0) -> Bool { board.interrupts.isRaised(14 + channel) }

  /// Writes the task file (28-bit) and the command.
  func command(
    _ command: UInt8, channel: Int = 0, unit: UInt8 = 0, lba: UInt32 = 0, count: UInt8 = 0,
    features: UInt8 = 0
  ) {
    let port = base(channel)
    board.outb(port + 6, 0xE0 | unit << 4 | UInt8(lba >> 24 & 15))
    board.outb(port + 1, features)
    board.outb(port + 2, count)
    board.outb(port + 3, UInt8(lba & 0xFF))
    board.outb(port + 4, UInt8(lba >> 8 & 0xFF))
    board.outb(port + 5, UInt8(lba >> 16 & 0xFF))
    board.outb(port + 7, command)
  }

  /// Writes the task file (48-bit) and the command.
  func command48(_ command: UInt8, lba: UInt64 = 0, count: UInt16 = 0, features: UInt16 = 0) {
    board.outb(0x1F6, 0xE0)
    for shift in [8, 0] as [UInt64] {
      board.outb(0x1F1, UInt8(features >> UInt16(shift) & 0xFF))
      board.outb(0x1F2, UInt8(count >> UInt16(shift) & 0xFF))
      for byte in 0..<3 as Range<UInt64> {
        board.outb(0x1F3 + UInt16(byte), UInt8(lba >> (byte * 8 + shift * 3) & 0xFF))
      }
    }
    board.outb(0x1F7, command)
  }

  /// Reads `count` bytes of the data port by words.
  func readData(_ count: Int, channel: Int = 0) -> [UInt8] {
    (0..<count / 2).flatMap { _ in
      let word = board.inw(base(channel))
      return [UInt8(word & 0xFF), UInt8(word >> 8)]
    }
  }

  func writeData(_ bytes: [UInt8], channel: Int = 0) {
    for index in stride(from: 0, to: bytes.count, by: 2) {
      board.outw(base(channel), UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8)
    }
  }

  /// Puts a PRD table at 0x1000.
  func setTable(_ regions: [(address: UInt32, count: UInt32)], isTerminated: Bool = true) {
    for (index, region) in regions.enumerated() {
      let flags: UInt32 = isTerminated && index == regions.count - 1 ? 0x8000_0000 : 0
      board.memory.memory.store(region.address, at: GuestAddress(UInt64(0x1000 + index * 8)))
      board.memory.memory.store(region.count & 0xFFFF | flags, at: GuestAddress(UInt64(0x1004 + index * 8)))
    }
  }

  /// Starts the bus master on the table at 0x1000.
  func startBusMaster(toMemory: Bool, channel: Int = 0) {
    let port = busMaster + UInt16(channel * 8)
    board.outb(port, toMemory ? 8 : 0)
    board.outb(port + 2, 6)
    board.outl(port + 4, 0x1000)
    board.outb(port, toMemory ? 9 : 1)
  }

  func busMasterStatus(_ channel: Int = 0) -> UInt8 { board.inb(busMaster + UInt16(channel * 8) + 2) & 7 }

  func setMemory(_ address: Int, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { _ = board.memory.memory.write(GuestAddress(UInt64(address)), from: $0) }
  }

  func memory(_ address: Int, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { _ = board.memory.memory.read(GuestAddress(UInt64(address)), into: $0) }
    return bytes
  }

  /// Sends a packet and returns what came back by PIO.
  func packet(_ bytes: [UInt8], channel: Int = 1, limit: UInt16 = 0xFFFE) -> [UInt8] {
    let port = base(channel)
    board.outb(port + 6, 0xA0)
    board.outb(port + 1, 0)
    board.outb(port + 4, UInt8(limit & 0xFF))
    board.outb(port + 5, UInt8(limit >> 8))
    board.outb(port + 7, 0xA0)
    writeData(bytes + [UInt8](repeating: 0, count: 12 - bytes.count), channel: channel)
    var answer: [UInt8] = []
    while status(channel) & 0x08 != 0 {
      let count = Int(board.inb(port + 4)) | Int(board.inb(port + 5)) << 8
      answer += readData((count + 1) & ~1, channel: channel).prefix(count)
    }
    return answer
  }
}

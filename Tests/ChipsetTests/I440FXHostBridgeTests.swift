// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import Testing

@testable import Chipset

/// A bridge with its RAM and BIOS on a bus of its own. The RAM's bytes are 0x11, those of the BIOS 0x22.
private struct Bridge {
  let memory = MemorySpace()
  let ports = PortSpace()
  let bus: PCIBus
  let ram: RAMBlock
  let bios: RAMBlock
  let bridge: I440FXHostBridge

  init(ramByteCount: Int = 8 << 20, biosByteCount: Int = 256 << 10) throws {
    ram = try RAMBlock(name: "ram", byteCount: ramByteCount)
    bios = try RAMBlock(name: "bios", byteCount: biosByteCount)
    for index in 0xA0000..<0x100000 { ram.allBytes[index] = 0x11 }
    for index in 0..<biosByteCount { bios.allBytes[index] = 0x22 }
    bus = PCIBus(ports: ports, memory: memory)
    bridge = I440FXHostBridge(memory: memory, ram: ram, bios: bios)
    bus.plug(bridge, at: PCIAddress(0))
    bridge.reset()
  }

  func write(_ register: Int, _ value: UInt8) {
    bus.writeConfiguration(PCIAddress(0), register, UInt32(value), .byte)
  }
  func configuration(_ register: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: bus.readConfiguration(PCIAddress(0), register, .byte))
  }
  subscript(address: UInt64) -> UInt8 {
    get { UInt8(truncatingIfNeeded: memory.read(GuestAddress(address), .byte)) }
    nonmutating set { memory.write(GuestAddress(address), UInt64(newValue), .byte) }
  }
}

@Suite struct GuestMemoryLayoutTests {
  @Test(
    arguments: [
      (1 << 20, 1 << 20, 0), (0xDFFF_F000, 0xDFFF_F000, 0), (0xE000_0000, 0xC000_0000, 0x2000_0000),
      (4 << 30, 3 << 30, 1 << 30), (64 << 30, 3 << 30, 61 << 30),
    ] as [(UInt64, UInt64, UInt64)])
  func ramIsSplitAroundThePCIHole(total: UInt64, below: UInt64, above: UInt64) {
    let layout = GuestMemoryLayout(byteCount: total)
    #expect(layout.below4GiB == below)
    #expect(layout.above4GiB == above)
  }
}

@Suite struct I440FXHostBridgeTests {
  @Test func itIsAn82441FX() throws {
    let board = try Bridge()
    #expect(board.bus.readConfiguration(PCIAddress(0), 0, .dword) == 0x1237_8086)
    #expect(board.bus.readConfiguration(PCIAddress(0), 4, .dword) == 0x0280_0006)
    #expect(board.bus.readConfiguration(PCIAddress(0), 8, .dword) == 0x0600_0002)
    #expect(board.bus.readConfiguration(PCIAddress(0), 0x2C, .dword) == 0x1100_1AF4)
    #expect(board.configuration(I440FXRegister.smram) == 2)
    #expect(board.configuration(I440FXRegister.dramRowBoundary + 7) == 1)
    board.bus.writeConfiguration(PCIAddress(0), 4, 0, .word)
    #expect(board.bus.readConfiguration(PCIAddress(0), 4, .word) == 6)
  }

  @Test func theResetVectorAndTheBIOSAreThere() throws {
    let board = try Bridge()
    board.bios.allBytes[(256 << 10) - 16] = 0xEA
    #expect(board[0xFFFF_FFF0] == 0xEA)
    #expect(board[0xFFFF0] == 0xEA)
    #expect(board[0xFFFC_0000] == 0x22 && board[0xFFFB_FFFF] == 0xFF)
    #expect(board[0xE0000] == 0x22 && board[0xDFFFF] == 0xFF)
    board[0xFFFF0] = 0
    #expect(board[0xFFFF0] == 0xEA)
  }

  @Test func aSmallBIOSShadowsOnlyItself() throws {
    let board = try Bridge(biosByteCount: 64 << 10)
    #expect(board[0xF0000] == 0x22 && board[0xEFFFF] == 0xFF)
    board.write(I440FXRegister.pam + 6, 0x20)
    board[0xEFFFF] = 0x33
    #expect(board[0xEFFFF] == 0xFF && board.ram.allBytes[0xEFFFF] == 0x33)
  }

  @Test func ramEndsWhereItEnds() throws {
    let board = try Bridge(ramByteCount: 1 << 20)
    board[0x9FFFF] = 1
    #expect(board[0x9FFFF] == 1 && board[0xA0000] == 0xFF && board[0x100000] == 0xFF)
    let larger = try Bridge(ramByteCount: 2 << 20)
    larger[0x100000] = 7
    #expect(larger.ram.allBytes[0x100000] == 7 && larger[0x200000] == 0xFF)
  }

  @Test func ramAbove4GiBFollowsThePartBelow() throws {
    let board = try Bridge(ramByteCount: 0xE000_0000 + 4096)
    board[0xBFFF_FFFF] = 1
    board[0x1_0000_0000] = 2
    board[0x1_2000_0FFF] = 3
    #expect(board[0xC000_0000] == 0xFF)
    #expect(board.ram.allBytes[0xBFFF_FFFF] == 1 && board.ram.allBytes[0xC000_0000] == 2)
    #expect(board[0x1_2000_0FFF] == 3 && board[0x1_2000_1000] == 0xFF)
  }

  /// A segment: where it starts, and the register and shift of its field.
  struct Segment: Sendable {
    let base: UInt64
    let register: Int
    let shift: UInt8
  }
  static let segments: [Segment] =
    (0..<12).map { (index: Int) -> Segment in
      Segment(
        base: UInt64(0xC0000 + index * 0x4000), register: 0x5A + index / 2, shift: UInt8(index % 2 * 4))
    } + [Segment(base: 0xF0000, register: 0x59, shift: 4)]

  @Test(arguments: segments)
  func eachSegmentHasFourStates(segment: Segment) throws {
    let board = try Bridge()
    let base = segment.base
    let last: UInt64 = base == 0xF0000 ? 0xFFFFF : base + 0x3FFF
    let rom: UInt8 = base >= 0xE0000 ? 0x22 : 0xFF
    for address in [base, last] {
      // Neither.
      board.write(segment.register, 0)
      #expect(board[address] == rom)
      board[address] = 0x44
      #expect(board[address] == rom && board.ram.allBytes[Int(address)] == 0x11)
      // Read: the RAM is write-protected.
      board.write(segment.register, 1 << segment.shift)
      #expect(board[address] == 0x11)
      board[address] = 0x44
      #expect(board[address] == 0x11)
      // Write: the way to copy ROM to the RAM below it.
      board.write(segment.register, 2 << segment.shift)
      #expect(board[address] == rom)
      board[address] = 0x55
      #expect(board[address] == rom && board.ram.allBytes[Int(address)] == 0x55)
      // Both.
      board.write(segment.register, 3 << segment.shift)
      #expect(board[address] == 0x55)
      board[address] = 0x66
      #expect(board[address] == 0x66)
    }
    // The neighbours are as they were.
    #expect(board[base - 1] == (base - 1 >= 0xE0000 ? 0x22 : 0xFF))
    board.bridge.reset()
    #expect(board[base] == rom)
  }

  @Test func writesThroughToRAMAreWholeAndDirty() throws {
    let board = try Bridge()
    board.write(I440FXRegister.pam, 0x20)
    board.memory.setDirtyTracking(of: board.ram, true)
    board.ram.dirty.drain { _, _ in }
    board.memory.write(GuestAddress(UInt64(0xF0FFE)), 0x1122_3344_5566_7788, .qword)
    #expect(board.ram.allBytes[0xF0FFE] == 0x88 && board.ram.allBytes[0xF1005] == 0x11)
    #expect(board.ram.dirty.isDirty(page: 0xF0) && board.ram.dirty.isDirty(page: 0xF1))
    #expect(!board.ram.dirty.isDirty(page: 0xF2))
  }

  @Test func aWordWriteSwitchesTwoRegisters() throws {
    let board = try Bridge()
    board.bus.writeConfiguration(PCIAddress(0), 0x5A, 0x3333, .word)
    for index in 0..<4 as Range<UInt64> { #expect(board[0xC0000 + index * 0x4000] == 0x11) }
    #expect(board[0xD0000] == 0xFF)
    // Reserved bits do not stay.
    board.write(0x5A, 0xFF)
    board.write(0x59, 0xFF)
    #expect(board.configuration(0x5A) == 0x33 && board.configuration(0x59) == 0x30)
  }

  @Test func smramIsHiddenUnlessOpen() throws {
    let board = try Bridge()
    #expect(board[0xA0000] == 0xFF)
    board.write(I440FXRegister.smram, 0x40)
    #expect(board[0xA0000] == 0xFF)
    board.write(I440FXRegister.smram, 0x4A)
    #expect(board[0xA0000] == 0x11 && board[0xBFFFF] == 0x11)
    board[0xA0000] = 0x77
    board.write(I440FXRegister.smram, 0x0A)
    #expect(board[0xA0000] == 0xFF && board.ram.allBytes[0xA0000] == 0x77)
  }

  @Test func theLockHoldsUntilReset() throws {
    let board = try Bridge()
    board.write(I440FXRegister.smram, 0x4A)
    board.write(I440FXRegister.smram, 0x5A)
    #expect(board.configuration(I440FXRegister.smram) == 0x1A)
    #expect(board[0xA0000] == 0xFF)
    for value in [0x4A, 0x6A, 0x02, 0xFF] as [UInt8] {
      board.write(I440FXRegister.smram, value)
      #expect(board.configuration(I440FXRegister.smram) & 0x50 == 0x10)
      #expect(board[0xA0000] == 0xFF)
    }
    board.bridge.reset()
    board.write(I440FXRegister.smram, 0x4A)
    #expect(board[0xA0000] == 0x11)
  }

  @Test func aBARMovedOverRAMDoesNotHideIt() throws {
    let board = try Bridge()
    let function = PCIFunction(
      name: "other", identity: PCIIdentity(vendor: 0x1234, device: 1, classCode: 0x030000))
    let other = try RAMBlock(name: "other", byteCount: 1 << 20)
    function.addMemoryBAR(
      0,
      region: MemoryRegion(
        name: "other", base: GuestAddress(UInt64(0)), count: 1 << 20, backing: .ram(other, offset: 0),
        priority: 1))
    board.bus.plug(function, at: PCIAddress(2))
    board.bus.writeConfiguration(PCIAddress(2), 4, 2, .word)
    board.bus.writeConfiguration(PCIAddress(2), 0x10, 0x0010_0000, .dword)
    board[0x10_0000] = 0x42
    #expect(board.ram.allBytes[0x10_0000] == 0x42 && other.allBytes[0] == 0)
    board.bus.writeConfiguration(PCIAddress(2), 0x10, 0x0080_0000, .dword)
    board[0x80_0000] = 0x43
    #expect(other.allBytes[0] == 0x43)
  }

  @Test func stateCarriesTheMap() throws {
    let (source, target) = (try Bridge(), try Bridge())
    source.write(0x59, 0x10)
    source.write(0x5A, 0x31)
    source.write(I440FXRegister.smram, 0x1A)
    try transplant(from: source.bridge, to: target.bridge)
    #expect(target.bridge.save() == source.bridge.save())
    #expect(target.memory.flatRanges.map(\.base) == source.memory.flatRanges.map(\.base))
    #expect(target.memory.flatRanges.map(\.access) == source.memory.flatRanges.map(\.access))
    target.write(I440FXRegister.smram, 0x4A)
    #expect(target[0xA0000] == 0xFF)
    var forged = source.bridge.save()
    forged.configuration.configuration[I440FXRegister.smram] = 0xFF
    try target.bridge.restore(forged)
    #expect(target[0xA0000] == 0xFF)
  }

  @Test(arguments: [11, 12] as [UInt64])
  func randomWritesNeitherTrapNorHang(seed: UInt64) throws {
    print("seed \(seed)")
    let board = try Bridge(ramByteCount: 1 << 20)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<1500 {
      let random = generator.next()
      let register = Int(random & 0xFF)
      let address = GuestAddress(0xA0000 + (random >> 16 & 0x7FFFF))
      switch random >> 8 & 3 {
      case 0: board.write(register, UInt8(truncatingIfNeeded: random >> 16))
      case 1: board.write(0x59 + register % 7, UInt8(truncatingIfNeeded: random >> 16))
      case 2: board.memory.write(address, random, .qword)
      default: _ = board.memory.read(address, .dword)
      }
    }
    board.bridge.reset()
    #expect(board[0xFFFF0] == 0x22)
  }
}

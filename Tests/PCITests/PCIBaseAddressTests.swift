// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import TestSupport
import Testing

@testable import PCI

/// Base address registers: sizing, moving, hiding (PCI 3.0, section 6.2.5).
@Suite struct PCIBaseAddressTests {
  let board: TestBoard
  let function = TestFunction.make()
  let portRegisters = Registers()
  let memoryRegisters = Registers()
  let wideRegisters = Registers()
  let address = PCIAddress(3)

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    function.addPortBAR(0, window: portRegisters.window(count: 16))
    function.addMemoryBAR(1, region: memoryRegisters.region(count: 0x1000))
    function.addMemoryBAR(
      2, region: wideRegisters.region(count: 0x10000), isPrefetchable: true, is64Bit: true)
    let rom = try RAMBlock(name: "rom", byteCount: 4096)
    rom.allBytes[0] = 0x55
    rom.allBytes[1] = 0xAA
    function.addROM(
      region: MemoryRegion(
        name: "rom", base: GuestAddress(UInt64(0)), count: 4096, backing: .rom(rom, offset: 0)))
    board.pci.plug(function, at: address)
  }

  private func readByte(_ at: UInt64) -> UInt64 { board.memory.read(GuestAddress(at), .byte) }

  @Test func sizingShowsSizeAndKind() {
    for (register, ones, zeros) in [
      (0x10, 0xFFFF_FFF1, 1), (0x14, 0xFFFF_F000, 0), (0x18, 0xFFFF_000C, 0xC), (0x1C, 0xFFFF_FFFF, 0),
      (0x20, 0, 0), (0x24, 0, 0), (0x30, 0xFFFF_F001, 0),
    ] as [(Int, UInt32, UInt32)] {
      board.writeConfiguration(address, register, 0xFFFF_FFFF)
      #expect(board.readConfiguration(address, register) == ones, "register \(hex(register))")
      board.writeConfiguration(address, register, 0)
      #expect(board.readConfiguration(address, register) == zeros, "register \(hex(register))")
    }
  }

  @Test func nothingAnswersWhileSizing() {
    board.enable(address, [.ioSpace, .memorySpace])
    for register in stride(from: 0x10, through: 0x30, by: 4) {
      board.writeConfiguration(address, register, 0xFFFF_FFFF)
    }
    #expect(readByte(0xFFFF_F000) == 0xFF)
    #expect(board.inb(0xFFF0) == 0xFF)
    #expect(board.memory.regions.allSatisfy { $0.name == "ram" || !$0.isEnabled })
  }

  @Test func portsAnswerWhereAndWhileTheyAreMapped() {
    board.writeConfiguration(address, 0x10, 0xC000)
    #expect(board.inb(0xC005) == 0xFF)
    board.enable(address, .ioSpace)
    #expect(board.inb(0xC005) == 0x85)
    // Moved while it is enabled.
    board.writeConfiguration(address, 0x10, 0xD000)
    #expect(board.inb(0xC005) == 0xFF)
    #expect(board.inb(0xD005) == 0x85)
    board.outb(0xD00F, 3)
    #expect(portRegisters.writes.map(\.offset) == [15])
    board.enable(address, [])
    #expect(board.inb(0xD005) == 0xFF)
    // Above 64 KiB there are no ports.
    board.writeConfiguration(address, 0x10, 0x1_C000)
    board.enable(address, .ioSpace)
    #expect(board.inb(0xC005) == 0xFF)
  }

  @Test func memoryAnswersWhereAndWhileItIsMapped() {
    board.writeConfiguration(address, 0x14, 0xE000_0000)
    #expect(readByte(0xE000_0003) == 0xFF)
    board.enable(address, .memorySpace)
    #expect(readByte(0xE000_0003) == 0x83)
    board.writeConfiguration(address, 0x14, 0xE123_4FFF)
    #expect(readByte(0xE000_0003) == 0xFF)
    #expect(readByte(0xE123_4003) == 0x83)
    // Byte writes of the register move it as well.
    board.select(address, 0x14)
    board.outb(0xCFF, 0xE2)
    #expect(readByte(0xE223_4003) == 0x83)
    board.writeConfiguration(address, 0x14, 0)
    #expect(readByte(0xE223_4003) == 0xFF)
  }

  @Test func sixtyFourBitRegistersReachAboveFourGiB() {
    board.enable(address, .memorySpace)
    board.writeConfiguration(address, 0x1C, 0x12)
    board.writeConfiguration(address, 0x18, 0x3400_0000)
    #expect(readByte(0x12_3400_0001) == 0x81)
    #expect(readByte(0x3400_0001) == 0xFF)
    board.writeConfiguration(address, 0x1C, 0)
    #expect(readByte(0x3400_0001) == 0x81)
    // Beyond 52 bits there are no addresses.
    board.writeConfiguration(address, 0x1C, 0x8000_0000)
    #expect(readByte(0x3400_0001) == 0xFF)
    #expect(readByte(0x8000_0000_3400_0001) == 0xFF)
  }

  @Test func theROMNeedsBothEnables() {
    board.writeConfiguration(address, 0x30, 0xE000_0000)
    board.enable(address, .memorySpace)
    #expect(board.memory.read(GuestAddress(UInt64(0xE000_0000)), .word) == 0xFFFF)
    board.writeConfiguration(address, 0x30, 0xE000_0001)
    #expect(board.memory.read(GuestAddress(UInt64(0xE000_0000)), .word) == 0xAA55)
    board.memory.write(GuestAddress(UInt64(0xE000_0000)), 0, .word)
    #expect(board.memory.read(GuestAddress(UInt64(0xE000_0000)), .word) == 0xAA55)
    board.enable(address, [])
    #expect(board.memory.read(GuestAddress(UInt64(0xE000_0000)), .word) == 0xFFFF)
  }

  @Test func ofOverlappingWindowsOneAnswersAndTheOtherIsBackAfterwards() {
    let other = TestFunction.make(device: 0x4321)
    let registers = Registers()
    other.addMemoryBAR(0, region: registers.region(count: 0x1000))
    board.pci.plug(other, at: PCIAddress(4))
    for (place, register) in [(address, 0x14), (PCIAddress(4), 0x10)] {
      board.writeConfiguration(place, register, 0xE000_0000)
      board.enable(place, .memorySpace)
    }
    board.memory.write(GuestAddress(UInt64(0xE000_0010)), 1, .byte)
    #expect(registers.writes.count == 1 && memoryRegisters.writes.isEmpty)
    board.writeConfiguration(PCIAddress(4), 0x10, 0xF000_0000)
    board.memory.write(GuestAddress(UInt64(0xE000_0010)), 1, .byte)
    #expect(registers.writes.count == 1 && memoryRegisters.writes.count == 1)
  }

  @Test func resetHidesEverything() {
    board.writeConfiguration(address, 0x10, 0xC000)
    board.writeConfiguration(address, 0x14, 0xE000_0000)
    board.enable(address, [.ioSpace, .memorySpace])
    function.reset()
    #expect(board.readConfiguration(address, 4) & 0xFFFF == 0)
    #expect(board.readConfiguration(address, 0x10) == 1)
    #expect(board.inb(0xC005) == 0xFF)
    #expect(readByte(0xE000_0003) == 0xFF)
  }

  @Test func movingARegionTellsTheEngineOnce() {
    final class Listener: MemoryMapListener {
      var changes = 0
      func memoryMapChanged(removed: [FlatRange], added: [FlatRange]) { changes += 1 }
      func dirtyTrackingChanged(of block: RAMBlock) {}
      func collectDirtyPages(of block: RAMBlock) {}
    }
    let listener = Listener()
    board.memory.addListener(listener)
    board.writeConfiguration(address, 0x14, 0xE000_0000)
    board.writeConfiguration(address, 0x18, 0xE100_0000)
    #expect(listener.changes == 1)
    board.enable(address, .memorySpace)
    #expect(listener.changes == 2)
    board.enable(address, [.memorySpace, .busMaster])
    #expect(listener.changes == 2)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import PCI

@Suite struct PCIConfigurationMechanismTests {
  let board: TestBoard
  let function = TestFunction.make()

  init() throws {
    board = try TestBoard()
    board.pci.plug(function, at: PCIAddress(3))
  }

  @Test func dwordsWordsAndBytesReadTheSameRegister() {
    #expect(board.readConfiguration(PCIAddress(3), 0) == 0x1234_8086)
    #expect(board.readConfiguration(PCIAddress(3), 8) == 0x0203_0107)
    board.select(PCIAddress(3), 0)
    #expect(board.inw(0xCFC) == 0x8086)
    #expect(board.inw(0xCFE) == 0x1234)
    #expect((0..<4).map { board.inb(0xCFC + UInt16($0)) } == [0x86, 0x80, 0x34, 0x12])
    // A word across the middle.
    #expect(board.inw(0xCFD) == 0x3480)
  }

  @Test func anAccessPastTheDataPortsIsNotTheNextRegisters() {
    board.select(PCIAddress(3), 8)
    // 0xCFE and 0xCFF are the class code; 0xD00 is nobody's.
    #expect(board.inl(0xCFE) == 0xFFFF_0203)
  }

  @Test func narrowWritesTouchOnlyTheirBytes() {
    board.select(PCIAddress(3), 0x3C)
    board.outb(0xCFC, 0x5A)
    #expect(board.readConfiguration(PCIAddress(3), 0x3C) == 0x0000_015A)
    board.outb(0xCFD, 0x77)
    #expect(board.readConfiguration(PCIAddress(3), 0x3C) == 0x0000_015A)
    board.select(PCIAddress(3), 0x0C)
    board.outw(0xCFC, 0x4020)
    #expect(board.readConfiguration(PCIAddress(3), 0x0C) == 0x0000_4020)
  }

  @Test func absentFunctionsBusesAndTheDisabledMechanismReadAllOnes() {
    #expect(board.readConfiguration(PCIAddress(4), 0) == 0xFFFF_FFFF)
    #expect(board.readConfiguration(PCIAddress(3, 1), 0) == 0xFFFF_FFFF)
    board.outl(0xCF8, 0x8001_1800)
    #expect(board.inl(0xCFC) == 0xFFFF_FFFF)
    board.outl(0xCF8, 0x0000_1800)
    #expect(board.inl(0xCFC) == 0xFFFF_FFFF)
    #expect(board.inb(0xCFD) == 0xFF)
    board.writeConfiguration(PCIAddress(4), 0x3C, 1)
  }

  @Test func reservedBitsOfTheAddressReadAsZero() {
    board.outl(0xCF8, 0xFFFF_FFFF)
    #expect(board.inl(0xCF8) == 0x80FF_FFFC)
  }

  /// As programs written against QEMU count on it.
  @Test func narrowAccessesHeedTheReservedBits() {
    board.outl(0xCF8, 0x8000_1802)
    #expect(board.inw(0xCFC) == 0x1234)
    #expect(board.inb(0xCFC) == 0x34)
    #expect(board.inb(0xCFD) == 0x12)
    #expect(board.inw(0xCFE) == 0x1234)
    #expect(board.inl(0xCFC) == 0x1234_8086)
    board.outl(0xCF8, 0x8000_1803)
    // It would end in the next register.
    #expect(board.inw(0xCFC) == 0x8086)
    board.outl(0xCF8, 0x8000_180D)
    board.outb(0xCFC, 0x40)
    #expect(board.readConfiguration(PCIAddress(3), 0x0C) == 0x0000_4000)
  }

  @Test func onlyADwordReachesTheAddress() {
    board.outl(0xCF8, 0x8000_1800)
    board.outb(0xCF9, 0xFF)
    board.outw(0xCF8, 0xFFFF)
    #expect(board.inl(0xCF8) == 0x8000_1800)
    #expect(board.inb(0xCF9) == 0xFF)
  }

  @Test func narrowAccessesToTheAddressGoToWhoeverOwnsThem() {
    let registers = Registers()
    board.pciMechanism.narrowAccess = registers.window(count: 4)
    #expect(board.inb(0xCF9) == 0x81)
    #expect(board.inw(0xCF9) == 0x8281)
    board.outw(0xCF8, 0x0605)
    #expect(registers.writes.map(\.offset) == [0, 1])
    #expect(registers.writes.map(\.value) == [5, 6])
    #expect(board.inl(0xCF8) == 0)
  }

  @Test func theAddressIsSavedAndReset() throws {
    board.outl(0xCF8, 0x8000_1808)
    let other = try TestBoard()
    other.pci.plug(TestFunction.make(), at: PCIAddress(3))
    try transplant(from: board.pciMechanism, to: other.pciMechanism)
    #expect(other.inl(0xCFC) == 0x0203_0107)
    other.pciMechanism.reset()
    #expect(other.inl(0xCF8) == 0)
  }

  @Test func configurationAccessesAllocateNothing() {
    board.select(PCIAddress(3), 0x3C)
    func accesses() {
      for value in 0..<1000 {
        board.outb(0xCFC, UInt8(truncatingIfNeeded: value))
        _ = board.inl(0xCFC)
      }
    }
    // The first round builds what the language runtime builds once.
    accesses()
    #expect(countingAllocations(accesses) == 0)
  }
}

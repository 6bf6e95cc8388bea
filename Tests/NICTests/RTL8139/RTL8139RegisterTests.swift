// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import TestSupport
import Testing

@testable import NIC

@Suite struct RTL8139RegisterTests {
  let driver: RTL8139Driver
  init() throws { driver = try RTL8139Driver() }

  @Test func configurationSpace() {
    let board = driver.board
    #expect(board.readConfiguration(RTL8139Driver.place, 0x00) == 0x8139_10EC)
    #expect(board.readConfiguration(RTL8139Driver.place, 0x08) == 0x0200_0020)
    #expect(board.readConfiguration(RTL8139Driver.place, 0x2C) == 0x1100_1AF4)
    #expect(board.readConfiguration(RTL8139Driver.place, 0x3C) == 0x0000_0100)
    board.writeConfiguration(RTL8139Driver.place, 0x10, 0xFFFF_FFFF)
    board.writeConfiguration(RTL8139Driver.place, 0x14, 0xFFFF_FFFF)
    #expect(board.readConfiguration(RTL8139Driver.place, 0x10) == 0xFFFF_FF01)
    #expect(board.readConfiguration(RTL8139Driver.place, 0x14) == 0xFFFF_FF00)
  }

  @Test func afterPowerOn() {
    #expect((0..<6).map { driver.read8($0) } == SampleFrame.own.bytes)
    #expect(driver.read32(0x40) == 0x7480_0000)
    #expect(driver.read8(0x37) == 0x01)
    #expect((0..<4).map { driver.read32(0x10 + $0 * 4) } == [0x2000, 0x2000, 0x2000, 0x2000])
    #expect(driver.read16(0x38) == 0xFFF0 && driver.read16(0x3A) == 0)
    #expect(driver.read8(0x58) == 0xD0 && driver.read8(0x5E) == 0x10)
    #expect(driver.read16(0x62) == 0x3100 && driver.read16(0x64) == 0x782D)
    #expect(driver.read16(0x68) == 0x05E1 && driver.read16(0x60) == 0x000F)
    #expect(driver.read8(0x52) == 0x0C)
    let memory = driver.board.memory
    #expect(memory.read(GuestAddress(RTL8139Driver.window + 0x40), .dword) == 0x7480_0000)
    // A dword from the middle of two.
    #expect(driver.read32(0x3A) == 0)
    #expect(driver.read32(0x02) == 0x5634_1200)
    memory.write(GuestAddress(RTL8139Driver.window + 0x82), 0xAB, .byte)
    memory.write(GuestAddress(RTL8139Driver.window + 0x87), 0x1234, .word)
    #expect(driver.read32(0x84) == 0x3400_0000 && driver.read8(0x88) == 0x12)
  }

  /// What Linux's 8139too looks at, and that the registers of C+ mode are none.
  @Test func anRTL8139C() throws {
    let driver = try RTL8139Driver(chip: .c)
    #expect(driver.board.readConfiguration(RTL8139Driver.place, 0x08) == 0x0200_0010)
    #expect(driver.read32(0x40) == 0x7400_0000)
    driver.write16(0xE0, 0x0003)
    driver.write32(0xE4, 0x0004_2000)
    driver.write32(0xE8, 1)
    #expect((0..<4).allSatisfy { driver.read32(0xE0 + $0 * 4) == 0 })
    // A state of an RTL8139C+ does not make one of it.
    let other = try RTL8139Driver()
    other.write16(0xE0, 0x0003)
    #expect(other.read16(0xE0) == 3)
    try driver.card.restore(other.card.save())
    #expect(driver.read16(0xE0) == 0)
  }

  @Test func softwareReset() {
    driver.setUp()
    driver.write32(0x08, 0x1234_5678)
    driver.write32(0x00, 0x0302_0100)
    driver.write8(0x37, 0x1C)
    #expect(driver.read8(0x37) == 1)
    #expect(driver.read16(0x3C) == 0 && driver.read32(0x44) == 0 && driver.read32(0x30) == 0)
    #expect(driver.read32(0x08) == 0x1234_5678 && driver.read32(0x00) == 0x0302_0100)
    // The EEPROM has the address still.
    driver.write8(0x50, 0x40)
    #expect((0..<6).map { driver.read8($0) } == SampleFrame.own.bytes && driver.read8(0x50) & 0xC0 == 0)
    driver.write32(0x00, 0)
    driver.card.reset()
    #expect(driver.card.receiveFilter.address == SampleFrame.own)
  }

  /// A word of the EEPROM bit by bit.
  private func readEEPROM(_ word: UInt32, addressBits: UInt32) -> UInt16 {
    func pins(_ value: UInt8) {
      driver.write8(0x50, value)
      _ = driver.read32(0x50)
    }
    pins(0x80)
    pins(0x88)
    let command = 6 << addressBits | word
    for bit in (0...(2 + addressBits)).reversed() {
      let data: UInt8 = command >> bit & 1 != 0 ? 2 : 0
      pins(0x88 | data)
      pins(0x88 | data | 4)
    }
    pins(0x88)
    var value: UInt16 = 0
    for _ in 0..<16 {
      pins(0x8C)
      value = value << 1 | UInt16(driver.read8(0x50) & 1)
      pins(0x88)
    }
    pins(0)
    return value
  }

  @Test func eeprom() {
    // Linux first asks as if addresses had eight bits.
    #expect(readEEPROM(0, addressBits: 8) != 0x8129)
    #expect(readEEPROM(0, addressBits: 6) == 0x8129)
    #expect((1...4).map { readEEPROM($0, addressBits: 6) } == [0x10EC, 0x8139, 0x1AF4, 0x1100])
    #expect((7...9).map { readEEPROM($0, addressBits: 6) } == [0x5452, 0x1200, 0x5634])
  }

  @Test func configurationIsLocked() {
    driver.write8(0x52, 0xFF)
    driver.write8(0x59, 0xFF)
    driver.write16(0x62, 0)
    #expect(driver.read8(0x52) == 0x0C && driver.read8(0x59) == 0x01 && driver.read16(0x62) == 0x3100)
    driver.write8(0x50, 0xC0)
    driver.write8(0x52, 0xFF)
    driver.write8(0x59, 0xFF)
    driver.write16(0x62, 0)
    #expect(driver.read8(0x52) == 0xFF && driver.read8(0x59) == 0x71 && driver.read16(0x62) == 0)
    #expect(driver.read8(0x58) == 0xD8)
    driver.write16(0x62, 0x8000)
    #expect(driver.read16(0x62) == 0x3100)
    driver.write8(0x50, 0)
    driver.write8(0x52, 0)
    #expect(driver.read8(0x52) == 0xFF)
    // CONFIG5 is not.
    driver.write8(0xD8, 0xFF)
    #expect(driver.read8(0xD8) == 0x7F)
  }

  @Test func link() {
    driver.setUp()
    #expect(driver.read8(0x58) & 4 == 0)
    driver.cable.isLinkUp = false
    #expect(driver.isInterrupted && driver.interruptStatus == 0x20)
    #expect(driver.read8(0x58) & 4 != 0 && driver.read16(0x64) & 0x24 == 0 && driver.read16(0x68) == 0)
    #expect(driver.read16(0x74) & 0x0C00 == 0x0800)
    #expect(driver.read16(0x74) & 0x0800 == 0)
    driver.cable.isLinkUp = true
    #expect(driver.read16(0x74) & 0x0C00 == 0x0C00)
  }

  /// TCTR counts at 33 MHz, and interrupts when it reaches TimerInt.
  @Test func timer() {
    driver.setUp()
    let clock = driver.board.clock
    driver.write32(0x48, 12345)
    #expect(driver.read32(0x48) == 0)
    clock.advance(by: 3000)
    #expect(driver.read32(0x48) == 100)
    clock.advance(by: 200_000_000_000)
    #expect(driver.interruptStatus == 0)
    driver.write32(0x54, 1000)
    driver.write32(0x48, 0)
    clock.advance(by: 29_990)
    #expect(driver.interruptStatus == 0)
    clock.advance(by: 10)
    #expect(driver.interruptStatus == 0x4000 && driver.isInterrupted)
    driver.acknowledge()
    #expect(!driver.isInterrupted)
    // Again after it has gone round.
    clock.advance(by: (1 << 32) * 30 - 10)
    #expect(driver.interruptStatus == 0)
    clock.advance(by: 10)
    #expect(driver.interruptStatus == 0x4000)
    driver.acknowledge()
    driver.write32(0x54, 0)
    clock.advance(by: (1 << 32) * 30)
    #expect(driver.interruptStatus == 0)
    driver.write8(0xD9, 1)
    #expect(driver.interruptStatus == 0x100 && !driver.isInterrupted)
  }
}

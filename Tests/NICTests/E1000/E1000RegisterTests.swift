// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Network
import PCI
import TestSupport
import Testing

@testable import NIC

@Suite struct E1000RegisterTests {
  let driver: E1000Driver
  init() throws { driver = try E1000Driver() }

  @Test func configurationSpace() {
    let board = driver.board
    #expect(board.readConfiguration(E1000Driver.place, 0x00) == 0x100E_8086)
    #expect(board.readConfiguration(E1000Driver.place, 0x08) == 0x0200_0003)
    #expect(board.readConfiguration(E1000Driver.place, 0x2C) == 0x1100_1AF4)
    #expect(board.readConfiguration(E1000Driver.place, 0x3C) == 0x0000_0100)
    board.writeConfiguration(E1000Driver.place, 0x10, 0xFFFF_FFFF)
    board.writeConfiguration(E1000Driver.place, 0x14, 0xFFFF_FFFF)
    #expect(board.readConfiguration(E1000Driver.place, 0x10) == 0xFFFE_0000)
    #expect(board.readConfiguration(E1000Driver.place, 0x14) == 0xFFFF_FFC1)
  }

  @Test func afterPowerOn() {
    #expect(driver.read(0x00) == 0x0014_0240)
    #expect(driver.read(0x08) == 0x0000_0683)
    #expect(driver.read(0x38) == 0x8100)
    #expect(driver.read(0x1000) == 0x30)
    #expect(driver.read(0x5400) == 0x1200_5452)
    #expect(driver.read(0x5404) == 0x8000_5634)
    #expect(driver.read(0x100) == 0)
    #expect(driver.read(0xC0) == 0)
    #expect(driver.card.receiveFilter.address == E1000Driver.address)
  }

  @Test func portsReachTheRegisters() {
    driver.board.outl(0xC000, 0x5400)
    #expect(driver.board.inl(0xC004) == 0x1200_5452)
    driver.board.outl(0xC000, 0x38)
    #expect(driver.board.inl(0xC000) == 0x38)
    driver.board.outl(0xC004, 0x88A8)
    #expect(driver.read(0x38) == 0x88A8)
    // The reset that Linux does this way.
    driver.write(0x28, 0x1234)
    driver.board.outl(0xC000, 0)
    driver.board.outl(0xC004, driver.board.inl(0xC004) | 1 << 26)
    #expect(driver.read(0x28) == 0)
    #expect(driver.read(0x00) == 0x0014_0240)
    // Beyond the registers.
    driver.board.outl(0xC000, 0xF_FFFC)
    #expect(driver.board.inl(0xC004) == 0)
    driver.board.outl(0xC004, 1)
    #expect(driver.board.inl(0xC020) == 0)
  }

  @Test func narrowAccesses() {
    driver.write(0x28, 0x4433_2211)
    let base = E1000Driver.window
    #expect(driver.board.memory.read(GuestAddress(base + 0x29), .byte) == 0x22)
    #expect(driver.board.memory.read(GuestAddress(base + 0x2A), .word) == 0x4433)
    driver.board.memory.write(GuestAddress(base + 0x29), 0xAB, .byte)
    #expect(driver.read(0x28) == 0x4433_AB11)
    driver.board.memory.write(GuestAddress(base + 0x28), 0x0000_8808_00C2_8001, .qword)
    #expect(driver.read(0x28) == 0x00C2_8001)
    #expect(driver.read(0x2C) == 0x8808)
  }

  /// What the register test of Linux's `ethtool -t` writes and reads back.
  @Test(
    arguments: [
      (0x28, 0xFFFF_FFFF), (0x2C, 0xFFFF), (0x30, 0xFFFF), (0x38, 0xFFFF), (0x2820, 0xFFFF),
      (0x2804, 0xFFFF_FFFF), (0x2808, 0x000F_FF80), (0x2810, 0xFFFF), (0x2818, 0xFFFF), (0x2168, 0xFFF8),
      (0x170, 0xFFFF), (0x410, 0x3FFF_FFFF), (0x3804, 0xFFFF_FFFF), (0x3808, 0x000F_FF80),
      (0x100, 0x06CF_B3FE), (0x400, 0xFFFF_FFFB & 0x0FFF_FFFA), (0x2800, 0xFFFF_FFF0),
      (0x3800, 0xFFFF_FFF0), (0x3820, 0xFFFF), (0x5200, 0xFFFF_FFFF), (0x53FC, 0xFFFF_FFFF),
      (0x5408, 0xFFFF_FFFF), (0x540C, 0x8003_FFFF), (0x57FC, 0xFFFF_FFFF),
    ] as [(Int, UInt32)])
  func registersKeepTheirBits(offset: Int, mask: UInt32) {
    driver.board.writeConfiguration(E1000Driver.place, 0x04, 0x3)
    for pattern in [0x5A5A_5A5A, 0xA5A5_A5A5, 0, 0xFFFF_FFFF] as [UInt32] {
      driver.write(offset, pattern & mask)
      #expect(driver.read(offset) == pattern & mask)
    }
    driver.write(offset, 0)
  }

  @Test func eepromByItsRegister() {
    var sum: UInt16 = 0
    var words: [UInt16] = []
    for index in 0..<64 {
      driver.write(0x14, UInt32(index) << 8 | 1)
      let value = driver.read(0x14)
      #expect(value & 0x10 != 0)
      words.append(UInt16(value >> 16))
      sum &+= UInt16(value >> 16)
    }
    #expect(sum == 0xBABA)
    #expect(words[..<3] == [0x5452, 0x1200, 0x5634])
    #expect(words[0x0D] == 0x100E)
    driver.write(0x14, 0)
    #expect(driver.read(0x14) & 0x10 == 0)
  }

  // Pins.
  private func clockIn(_ value: UInt32, bits: Int) {
    for bit in (0..<bits).reversed() {
      let pins: UInt32 = 0x42 | (value >> UInt32(bit) & 1) << 2
      driver.write(0x10, pins)
      driver.write(0x10, pins | 1)
      driver.write(0x10, pins)
    }
  }
  private func clockOut() -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<16 {
      driver.write(0x10, 0x43)
      value = value << 1 | UInt16(driver.read(0x10) >> 3 & 1)
      driver.write(0x10, 0x42)
    }
    return value
  }
  private func standby() {
    driver.write(0x10, 0x40)
    driver.write(0x10, 0x42)
  }

  @Test func eepromByItsPins() {
    #expect(driver.read(0x10) & 0x380 == 0x100)
    driver.write(0x10, 0x40)
    #expect(driver.read(0x10) & 0xC0 == 0xC0)
    standby()
    clockIn(0b110, bits: 3)
    clockIn(1, bits: 6)
    #expect(driver.read(0x10) & 8 == 0)
    #expect(clockOut() == 0x1200)
    // It goes on with the next word.
    #expect(clockOut() == 0x5634)
    standby()
    clockIn(0b110, bits: 3)
    clockIn(0x3F, bits: 6)
    let checksum = clockOut()
    driver.write(0x14, 0x3F01)
    #expect(UInt16(driver.read(0x14) >> 16) == checksum)
  }

  @Test func eepromIsWritten() {
    func program(_ index: UInt32, _ value: UInt32) {
      standby()
      clockIn(0b101, bits: 3)
      clockIn(index, bits: 6)
      clockIn(value, bits: 16)
      standby()
    }
    program(5, 0xCAFE)
    driver.write(0x14, 0x0501)
    #expect(driver.read(0x14) >> 16 == 0)
    standby()
    clockIn(0b10011, bits: 5)
    clockIn(0, bits: 4)
    program(5, 0xCAFE)
    // Ready.
    #expect(driver.read(0x10) & 8 != 0)
    program(2, 0x9988)
    standby()
    clockIn(0b10000, bits: 5)
    clockIn(0, bits: 4)
    program(5, 0x1111)
    driver.write(0x14, 0x0501)
    #expect(driver.read(0x14) >> 16 == 0xCAFE)
    // The address is taken over at the next reset.
    driver.write(0x00, 1 << 26)
    #expect(driver.read(0x5404) == 0x8000_9988)
  }

  @Test func phy() {
    #expect(driver.readPHY(0) == 0x1140)
    #expect(driver.readPHY(1) == 0x796D)
    #expect([driver.readPHY(2), driver.readPHY(3)] == [0x0141, 0x0C20])
    #expect(driver.readPHY(17) & 0xEC00 == 0xAC00)
    #expect(driver.readPHY(10) & 0x3800 == 0x3800)
    // No PHY at another address.
    driver.write(0x20, 1 << 16 | 2 << 21 | 2 << 26)
    #expect(driver.read(0x20) & 0x5000_0000 == 0x5000_0000)
    driver.write(0xD0, 0x200)
    driver.write(0x20, 1 << 16 | 1 << 21 | 2 << 26 | 1 << 29)
    #expect(driver.isInterrupted && driver.read(0xC0) == 0x200)
  }

  @Test func negotiation() {
    driver.write(0xD0, 4)
    driver.writePHY(0, 0x9140)
    #expect(driver.readPHY(0) == 0x1140)
    #expect(driver.read(0x08) & 2 == 0)
    #expect(driver.readPHY(1) & 0x24 == 0)
    #expect(driver.read(0xC0) == 4)
    driver.board.clock.advance(by: 3_000_000_000)
    #expect(driver.isInterrupted)
    #expect(driver.read(0xC0) == 4)
    #expect(driver.read(0x08) == 0x683)
    // The loss is told once.
    #expect(driver.readPHY(1) & 0x24 == 0x20)
    #expect(driver.readPHY(1) & 0x24 == 0x24)

    // Only 100BASE-TX full duplex is offered.
    driver.writePHY(4, 0x0101)
    driver.writePHY(9, 0)
    driver.writePHY(0, 0x1200)
    driver.board.clock.advance(by: 3_000_000_000)
    #expect(driver.read(0x08) == 0x543)
    #expect(driver.readPHY(17) & 0xEC00 == 0x6C00)
    // Forced to 10 half.
    driver.writePHY(0, 0)
    #expect(driver.read(0x08) & 0xC3 == 0x02)
    // Without SLU the MAC does not see it.
    driver.write(0x00, 0)
    #expect(driver.read(0x08) & 2 == 0)
  }

  @Test func cable() {
    driver.write(0xD0, 4)
    driver.cable.isLinkUp = false
    #expect(driver.isInterrupted && driver.read(0xC0) == 4)
    #expect(driver.read(0x08) & 2 == 0)
    #expect(driver.readPHY(1) & 0x24 == 0)
    driver.cable.isLinkUp = true
    #expect(driver.read(0x08) & 2 == 0)
    driver.board.clock.advance(by: 3_000_000_000)
    #expect(driver.isInterrupted && driver.read(0xC0) == 4)
    #expect(driver.read(0x08) & 2 != 0)
  }

  @Test func interruptRegisters() {
    driver.write(0xC8, 0x9D)
    #expect(!driver.isInterrupted)
    driver.write(0xD0, 0x80)
    #expect(driver.isInterrupted && driver.read(0xD0) == 0x80)
    driver.write(0xC0, 0x80)
    #expect(!driver.isInterrupted)
    driver.write(0xD0, 0x1D)
    #expect(driver.isInterrupted)
    driver.write(0xD8, 0xFFFF_FFFF)
    #expect(!driver.isInterrupted && driver.read(0xD0) == 0)
    #expect(driver.read(0xC0) == 0x1D)
    #expect(driver.read(0xC0) == 0)
  }

  @Test func throttling() {
    driver.write(0xD0, 1)
    driver.write(0xC4, 1000)
    driver.write(0xC8, 1)
    #expect(driver.isInterrupted)
    #expect(driver.read(0xC0) == 1 && !driver.isInterrupted)
    driver.board.clock.advance(by: 100_000)
    driver.write(0xC8, 1)
    #expect(!driver.isInterrupted)
    driver.board.clock.advance(by: 155_999)
    #expect(!driver.isInterrupted)
    driver.board.clock.advance(by: 1)
    #expect(driver.isInterrupted && driver.interruptCount == 2)
    #expect(driver.read(0xC0) == 1)
    // Shortened while it runs.
    driver.write(0xC8, 1)
    #expect(!driver.isInterrupted)
    driver.write(0xC4, 0)
    #expect(driver.isInterrupted)
  }

  @Test func resetLetsGo() {
    driver.setUp()
    driver.write(0xC8, 4)
    #expect(driver.isInterrupted)
    driver.card.reset()
    #expect(!driver.isInterrupted)
    #expect(driver.board.readConfiguration(E1000Driver.place, 0x04) & 0xFFFF == 0)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import PCI
import TestSupport
import Testing

@testable import Chipset

@Suite struct PIIX4PowerManagementTests {
  let board: TestBoard
  let power: PIIX4PowerManagement
  private let place = PCIAddress(1, 3)
  private let base: UInt16 = 0x600
  private let smbus: UInt16 = 0x700

  init() throws {
    (board, power) = try Self.makeBoard()
    Self.setUp(board)
  }

  private static func makeBoard() throws -> (TestBoard, PIIX4PowerManagement) {
    let board = try TestBoard(ramByteCount: 4096)
    let power = PIIX4PowerManagement(
      clock: board.clock, ports: board.ports, sci: InterruptLine(board.interrupts, 9), control: board.control)
    board.pci.plug(power, at: PCIAddress(1, 3))
    power.map()
    power.reset()
    return (board, power)
  }

  /// What SeaBIOS does.
  private static func setUp(_ board: TestBoard) {
    board.writeConfiguration(PCIAddress(1, 3), 0x40, 0x601)
    board.writeConfiguration(PCIAddress(1, 3), 0x80, 1)
    board.writeConfiguration(PCIAddress(1, 3), 0x90, 0x701)
    board.writeConfiguration(PCIAddress(1, 3), 0xD0, 0x0009_0000)
  }

  private func enableACPI() { board.outb(0xB2, 0xF1) }
  private var isSCIRaised: Bool { board.interrupts.isRaised(9) }
  private var status: UInt16 { board.inw(base) }
  /// Half a period of the timer's 24 bits, rounded up.
  private let halfPeriod: UInt64 = 2_343_484_438

  @Test func itIsThePIIX4sFunction3() throws {
    let (board, _) = try Self.makeBoard()
    #expect(board.readConfiguration(place, 0) == 0x7113_8086)
    #expect(board.readConfiguration(place, 4) == 0x0280_0000)
    #expect(board.readConfiguration(place, 8) == 0x0680_0003)
    #expect(board.readConfiguration(place, 0x3C) == 0x0000_0100)
    #expect(board.readConfiguration(place, 0x40) == 1)
    #expect(board.inl(0x608) == 0xFFFF_FFFF)
  }

  @Test func itsPortsMove() {
    #expect(power.powerManagementBase == 0x600)
    board.outw(0x602, 0x0100)
    board.writeConfiguration(place, 0x40, 0xFFFF_FFFF)
    #expect(board.readConfiguration(place, 0x40) == 0x0000_FFC1)
    #expect(board.inw(0x602) == 0xFFFF && board.inw(0xFFC2) == 0x0100)
    board.writeConfiguration(place, 0x40, 0xB000)
    #expect(board.inw(0xB002) == 0x0100)
    board.writeConfiguration(place, 0x80, 0)
    #expect(board.inw(0xB002) == 0xFFFF && power.powerManagementBase == nil)
    board.writeConfiguration(place, 0x90, 0x801)
    #expect(board.inb(0x700) == 0xFF && board.inb(0x800) == 0)
    board.writeConfiguration(place, 0xD0, 0)
    #expect(board.inb(0x800) == 0xFF)
  }

  // MARK: PM timer

  @Test func theTimerRunsAt3579545Hertz() {
    #expect(board.inl(base + 8) == 0)
    board.clock.advance(by: 1_000_000_000)
    #expect(board.inl(base + 8) == 3_579_545)
    #expect(board.inw(base + 8) == 0x9E99 && board.inb(base + 10) == 0x36 && board.inb(base + 11) == 0)
    // 24 bits.
    board.clock.advance(by: 9_000_000_000)
    #expect(board.inl(base + 8) == 35_795_450 & 0xFF_FFFF)
    board.outl(base + 8, 0)
    #expect(board.inl(base + 8) == 35_795_450 & 0xFF_FFFF)
  }

  @Test func carriesSetTheStatus() {
    board.clock.advance(by: halfPeriod - 1)
    #expect(status & 1 == 0)
    board.clock.advance(by: 1)
    #expect(status & 1 == 1)
    board.outw(base, 1)
    #expect(status & 1 == 0)
    board.clock.advance(by: halfPeriod)
    #expect(status & 1 == 1)
    #expect(board.clock.nextDeadline == nil)
  }

  @Test func carriesInterruptWhenEnabled() {
    enableACPI()
    board.outw(base + 2, 1)
    #expect(board.clock.nextDeadline == halfPeriod)
    board.clock.advance(by: halfPeriod - 1)
    #expect(!isSCIRaised)
    board.clock.advance(by: 1)
    #expect(isSCIRaised)
    // Until it is taken back nothing needs watching.
    #expect(board.clock.nextDeadline == nil)
    board.outw(base, 1)
    #expect(!isSCIRaised)
    board.clock.advance(by: halfPeriod)
    #expect(isSCIRaised)
    board.outw(base + 2, 0)
    #expect(!isSCIRaised && board.clock.nextDeadline == nil)
  }

  // MARK: PM1 and ACPI

  @Test func acpiIsSwitchedByTheAPMPort() {
    #expect(board.inw(base + 4) & 1 == 0)
    board.outb(0xB2, 0xF1)
    #expect(board.inw(base + 4) & 1 == 1 && board.inb(0xB2) == 0xF1)
    board.outb(0xB2, 0xF0)
    #expect(board.inw(base + 4) & 1 == 0)
    board.outb(0xB3, 0x5A)
    #expect(board.inb(0xB3) == 0x5A && board.inw(0xB2) == 0x5AF0)
  }

  @Test func theFirmwareNeedNotSetUpSMM() {
    #expect(board.readConfiguration(place, 0x58) & 1 << 25 != 0)
  }

  @Test func thePowerButtonInterrupts() {
    power.pressPowerButton()
    #expect(status == 0x0100 && !isSCIRaised)
    board.outw(base + 2, 0x0100)
    #expect(!isSCIRaised)
    enableACPI()
    #expect(isSCIRaised)
    board.outw(base, 0x0001)
    #expect(isSCIRaised)
    board.outb(base + 1, 0x01)
    #expect(!isSCIRaised && status == 0)
    power.pressPowerButton()
    #expect(isSCIRaised && board.interrupts.edges[9] == 2)
    board.outb(0xB2, 0xF0)
    #expect(!isSCIRaised)
  }

  @Test func onlyEventsThatExistCanBeEnabled() {
    board.outw(base + 2, 0xFFFF)
    #expect(board.inw(base + 2) == 0x0521)
    board.outb(base + 3, 0)
    #expect(board.inw(base + 2) == 0x0021)
    // Status and enable as one dword.
    power.pressPowerButton()
    board.outl(base, 0x0100_0100)
    #expect(board.inl(base) == 0x0100_0000)
  }

  @Test func softOffEndsTheMachine() {
    board.outw(base + 4, 0x2001)
    #expect(board.control.shutdowns == [.guestPowerOff])
    // SLP_EN reads as zero.
    #expect(board.inw(base + 4) == 0x0001)
    board.outb(base + 5, 0x20)
    #expect(board.control.shutdowns.count == 2)
    // Type first, enable afterwards, as ACPICA does; suspend to disk is soft-off as well.
    board.outw(base + 4, 0x0801)
    board.outw(base + 4, 0x2801)
    #expect(board.control.shutdowns.count == 3)
  }

  @Test func unsupportedSleepIsIgnored() {
    for type in [1, 3, 4, 5, 6, 7] as [UInt16] { board.outw(base + 4, 0x2001 | type << 10) }
    #expect(board.control.shutdowns.isEmpty)
    #expect(board.inw(base + 4) == 0x1C01)
  }

  @Test func generalPurposeEventsHaveStatusAndEnable() {
    board.outw(0xAFE2, 0xFFFF)
    #expect(board.inl(0xAFE0) == 0xFFFF_0000)
    board.outb(0xAFE3, 0x12)
    #expect(board.inl(0xAFE0) == 0x12FF_0000)
    board.outw(0xAFE0, 0xFFFF)
    #expect(board.inw(0xAFE0) == 0)
  }

  // MARK: SMBus

  @Test func nobodyAnswersOnTheSMBus() {
    #expect(board.inb(smbus) == 0)
    board.outb(smbus + 4, 0xA1)
    board.outb(smbus + 3, 0x10)
    board.outb(smbus + 2, 0x48)
    #expect(board.inb(smbus) == 0x04)
    // START reads as zero; the address stays.
    #expect(board.inb(smbus + 2) == 0x08 && board.inb(smbus + 4) == 0xA1)
    board.outb(smbus, 0x04)
    #expect(board.inb(smbus) == 0)
    // KILL ends with "failed".
    board.outb(smbus + 2, 0x02)
    #expect(board.inb(smbus) == 0x10 && board.inb(smbus + 2) == 0)
    for offset in 0..<16 as Range<UInt16> {
      board.outb(smbus + offset, 0xFF)
      _ = board.inb(smbus + offset)
    }
  }

  // MARK: Life

  @Test func resetReturnsToPowerOn() {
    enableACPI()
    board.outw(base + 2, 0x0101)
    power.pressPowerButton()
    power.reset()
    #expect(!isSCIRaised && power.powerManagementBase == nil && board.clock.nextDeadline == nil)
    #expect(board.inw(base) == 0xFFFF && board.inb(0xB2) == 0)
    Self.setUp(board)
    #expect(board.inl(base) == 0 && board.inw(base + 4) == 0)
  }

  @Test func stateGoesOnWhereItWas() throws {
    enableACPI()
    board.outw(base + 2, 0x0001)
    board.outb(smbus + 4, 0x33)
    let (other, target) = try Self.makeBoard()
    try transplant(from: power, to: target)
    #expect(target.save() == power.save())
    for board in [board, other] {
      board.clock.advance(by: halfPeriod)
      #expect(board.interrupts.isRaised(9) && board.inw(base) == 1 && board.inb(smbus + 4) == 0x33)
    }
    // With the event pending.
    let (third, late) = try Self.makeBoard()
    try transplant(from: power, to: late)
    #expect(third.interrupts.isRaised(9))
    var state = power.save()
    state.apm = []
    #expect(throws: RestoreError.self) { try late.restore(state) }
    state = power.save()
    (state.pm1Status, state.pm1Enable, state.pm1Control) = (0xFFFF, 0xFFFF, 0xFFFF)
    try late.restore(state)
    #expect(late.save().pm1Control == 0x1C03 && third.control.shutdowns.isEmpty)
  }

  @Test func readingTheTimerAllocatesNothing() {
    func accesses() {
      for _ in 0..<1000 {
        _ = board.inl(base + 8)
        board.outw(base, 1)
      }
    }
    // The first round builds what the language runtime builds once.
    accesses()
    #expect(countingAllocations(accesses) == 0)
  }

  @Test(arguments: [31, 32] as [UInt64])
  func randomAccessesNeitherTrapNorHang(seed: UInt64) {
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      let random = generator.next()
      let value = UInt32(truncatingIfNeeded: random >> 32)
      let port = [base, smbus, 0xB2, 0xAFE0, 0xFFC0][Int((random >> 8) % 5)] &+ UInt16(random & 63)
      switch random >> 16 & 7 {
      case 0: board.outb(port, UInt8(truncatingIfNeeded: value))
      case 1: board.outw(port, UInt16(truncatingIfNeeded: value))
      case 2: board.outl(port, value)
      case 3: _ = board.inl(port)
      case 4: board.writeConfiguration(place, Int(random & 0xFF), value)
      case 5: board.clock.advance(by: UInt64(value) * 4)
      case 6: power.pressPowerButton()
      default: Self.setUp(board)
      }
    }
    power.reset()
    #expect(!isSCIRaised)
  }

  @Test func theTimerNeverOverflows() {
    for time in [0, 1, 1 << 40, 1 << 63, .max] as [UInt64] {
      _ = PMTimer.value(at: time)
      #expect(PMTimer.nextChange(after: time).count == PMTimer.ticks(at: time) >> 23)
    }
    // The moment named is the first at which the bit has changed.
    let change = PMTimer.nextChange(after: 5_000_000_000)
    #expect(PMTimer.ticks(at: change.time) >> 23 == change.count + 1)
    #expect(PMTimer.ticks(at: change.time - 1) >> 23 == change.count)
  }
}

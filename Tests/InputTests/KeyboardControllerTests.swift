// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Input

@Suite struct KeyboardControllerTests {
  let driver: KeyboardDriver
  init() throws { driver = try KeyboardDriver() }

  @Test func selfTestSetsTheSystemFlag() {
    #expect(driver.status == 0x18)
    driver.command(0xAA)
    #expect(driver.status == 0x1D)
    #expect(driver.board.inb(0x60) == 0x55)
    #expect(driver.status == 0x1C)
    driver.command(0x20)
    #expect(driver.received() == [0x07])
  }

  @Test(arguments: [(0xA4, 0xF1), (0xA9, 0x00), (0xAB, 0x00), (0xC0, 0x80)] as [(UInt8, UInt8)])
  func answersTests(_ command: UInt8, _ answer: UInt8) {
    driver.command(command)
    #expect(driver.received() == [answer])
  }

  @Test func commandByteReadsBack() {
    driver.command(0x60, 0x65)
    #expect(driver.status & 0x0C == 0x04)
    driver.command(0x20)
    #expect(driver.received() == [0x65])
    driver.command(0xA8)
    driver.command(0xAD)
    driver.command(0x20)
    #expect(driver.received() == [0x55])
    driver.command(0xA7)
    driver.command(0xAE)
    driver.command(0x20)
    #expect(driver.received() == [0x65])
  }

  @Test func statusTellsWhichPortWasWritten() {
    driver.command(0xAE)
    #expect(driver.status & 0x08 != 0)
    driver.toKeyboard(0xEE)
    #expect(driver.status & 0x08 == 0)
  }

  @Test func outputPortGatesA20() {
    driver.command(0xD0)
    #expect(driver.received() == [0xCF])
    driver.command(0xD1, 0x01)
    #expect(!driver.board.control.isA20Enabled)
    driver.command(0xDF)
    #expect(driver.board.control.isA20Enabled)
    driver.command(0xDD)
    #expect(!driver.board.control.isA20Enabled)
    driver.controller.reset()
    #expect(driver.board.control.isA20Enabled)
    #expect(driver.board.control.resets.isEmpty)
  }

  @Test func outputPortShowsFullBuffers() {
    driver.command(0xD2, 0x55)
    driver.command(0xD0)
    #expect(driver.received() == [0x55, 0xDF])
    driver.command(0xD3, 0x55)
    driver.command(0xD0)
    #expect(driver.received() == [0x55, 0xEF])
  }

  @Test func bitZeroLowResets() {
    driver.command(0xFF)
    driver.command(0xF1)
    #expect(driver.board.control.resets.isEmpty)
    driver.command(0xFE)
    driver.command(0xF0)
    driver.command(0xD1, 0x02)
    #expect(driver.board.control.resets == [.guest, .guest, .guest])
  }

  @Test func interruptsFollowTheBuffer() {
    driver.translate()
    driver.press(0x1E)
    #expect(driver.board.interrupts.isRaised(1))
    #expect(driver.board.inb(0x60) == 0x1E)
    #expect(!driver.board.interrupts.isRaised(1))
    driver.command(0xD3, 0xA5)
    #expect(driver.board.interrupts.isRaised(12))
    #expect(driver.status & 0x21 == 0x21)
    #expect(driver.received() == [0xA5])
    #expect(!driver.board.interrupts.isRaised(12))
    #expect(driver.status & 0x21 == 0)
    driver.command(0x60, 0x44)
    driver.press(0x1E)
    driver.command(0xD3, 0xA5)
    #expect(!driver.board.interrupts.isRaised(1) && !driver.board.interrupts.isRaised(12))
  }

  @Test func everyByteIsAnEdge() {
    driver.toKeyboard(0xF2)
    #expect(driver.received() == [0xFA, 0xAB, 0x83])
    #expect(driver.board.interrupts.edges[1] == 3)
  }

  @Test func answersDoNotPushOutWhatIsBeingRead() {
    driver.translate()
    driver.press(0x1E, 0x30)
    driver.command(0x20)
    #expect(driver.received() == [0x1E, 0x47, 0x30])
  }

  @Test func disabledInterfacesHoldTheirDevices() {
    driver.translate()
    driver.command(0xAD)
    driver.press(0x1E)
    #expect(driver.received() == [])
    driver.command(0xAE)
    #expect(driver.received() == [0x1E])
    driver.command(0xA7)
    driver.command(0xAD)
    // A byte for a device enables its interface.
    driver.toMouse(0xF4)
    driver.toKeyboard(0xF4)
    #expect(driver.received() == [0xFA, 0xFA])
    driver.command(0x20)
    #expect(driver.received() == [0x47])
  }

  @Test func stateRoundTrip() throws {
    driver.translate()
    driver.toMouse(0xF4)
    _ = driver.received()
    driver.press(0xD2, 0x1E)
    driver.mouse.move(dx: 500, dy: 3, wheel: 0, buttons: .left)
    driver.command(0x20)
    driver.command(0xDD)
    #expect(driver.board.inb(0x60) == 0xE0)
    driver.toMouse(0xF3)
    driver.command(0xD4)

    let other = try KeyboardDriver()
    try transplant(from: driver.controller, to: other.controller)
    #expect(other.controller.save() == driver.controller.save())
    #expect(!other.board.control.isA20Enabled)
    for each in [driver, other] {
      each.board.outb(0x60, 80)
      each.release(0x1E)
      #expect(
        each.received() == [0x47, 0x52, 0x1E, 0x9E, 0xFA, 0xFA, 0x29, 0xFF, 0xFD, 0x09, 0xF5, 0x00])
      each.toMouse(0xE9)
      #expect(each.received() == [0xFA, 0x24, 0x02, 80])
    }
  }

  @Test func refusesImpossibleStates() throws {
    var state = driver.controller.save()
    state.keyboard.scanCodeSet = 9
    #expect(throws: RestoreError.self) { try driver.controller.restore(state) }
    state = driver.controller.save()
    state.mouse.dx = .max
    #expect(throws: RestoreError.self) { try driver.controller.restore(state) }
    state = driver.controller.save()
    state.mouse.previousRates = []
    #expect(throws: RestoreError.self) { try driver.controller.restore(state) }
  }

  @Test func readingAllocatesNothing() {
    // No interrupts: the recorder of this board allocates when it counts them.
    driver.command(0x60, 0x40)
    driver.toMouse(0xF4)
    _ = driver.received()
    driver.mouse.move(dx: 2000, dy: 2000, wheel: 0, buttons: [])
    let board = driver.board
    let count = countingAllocations {
      for _ in 0..<1000 {
        _ = board.inb(0x64)
        _ = board.inb(0x60)
      }
    }
    #expect(count == 0)
  }
}

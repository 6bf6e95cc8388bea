// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import TestSupport
import Testing

@testable import Input

@Suite struct PS2MouseTests {
  let driver: KeyboardDriver
  init() throws { driver = try KeyboardDriver() }

  private func enable() {
    driver.toMouse(0xF4)
    _ = driver.received()
  }
  private func move(_ dx: Int, _ dy: Int, wheel: Int = 0, _ buttons: PointerButtons = []) {
    driver.mouse.move(dx: dx, dy: dy, wheel: wheel, buttons: buttons)
  }

  @Test func silentUntilEnabled() {
    move(1, 1, .left)
    #expect(driver.received() == [])
    enable()
    move(5, -3, .left)
    #expect(driver.status & 0x21 == 0x21)
    #expect(driver.board.interrupts.isRaised(12))
    #expect(driver.received() == [0x09, 5, 3])
    move(0, 0, .left)
    #expect(driver.received() == [])
    move(-1, 1, [.right, .middle])
    #expect(driver.received() == [0x3E, 0xFF, 0xFF])
    driver.toMouse(0xF5)
    move(9, 9)
    #expect(driver.received() == [0xFA])
  }

  @Test func largeMovementsTakeSeveralPackets() {
    enable()
    move(600, 0)
    #expect(driver.received() == [0x08, 255, 0, 0x08, 255, 0, 0x08, 90, 0])
    move(-300, 0)
    #expect(driver.received() == [0x18, 0x01, 0, 0x18, UInt8(truncatingIfNeeded: -45), 0])
  }

  @Test func movementAddsUpWhileTheGuestIsSlow() {
    enable()
    for _ in 0..<10_000 { move(1, 0) }
    let bytes = driver.received()
    let sum = stride(from: 1, to: bytes.count, by: 3).reduce(0) { $0 + Int(bytes[$1]) }
    #expect(sum > 1000 && sum <= 2255)
    move(.max, .min, wheel: .max)
    move(.min, .max, wheel: .min)
    #expect(driver.received().count < 100)
  }

  @Test func aClickBetweenPacketsIsNotLost() {
    enable()
    move(1, 0)
    move(0, 0, .left)
    move(0, 0)
    #expect(driver.received() == [0x08, 1, 0, 0x09, 0, 0, 0x08, 0, 0])
  }

  @Test func knocksMakeItAnIntelliMouseAndAnExplorer() {
    driver.toMouse(0xF2)
    #expect(driver.received() == [0xFA, 0])
    driver.knock(200, 100, 80)
    driver.toMouse(0xF2)
    #expect(driver.received() == [0xFA, 3])
    enable()
    move(1, 0, wheel: -1, [.side])
    #expect(driver.received() == [0x08, 1, 0, 0xFF])
    driver.knock(200, 200, 80)
    driver.toMouse(0xF2)
    #expect(driver.received().suffix(2) == [0xFA, 4])
    move(0, 0, wheel: 9, [.side, .extra])
    #expect(driver.received() == [0x08, 0, 0, 0x37, 0x08, 0, 0, 0x32])
    driver.toMouse(0xF6)
    driver.toMouse(0xF2)
    #expect(driver.received() == [0xFA, 0xFA, 4])
    driver.toMouse(0xFF)
    #expect(driver.received() == [0xFA, 0xAA, 0x00])
    driver.toMouse(0xF2)
    #expect(driver.received() == [0xFA, 0])
  }

  @Test func statusRequest() {
    driver.toMouse(0xE9)
    #expect(driver.received() == [0xFA, 0x00, 2, 100])
    driver.toMouse(0xE8, 3, 0xF3, 40, 0xE7, 0xF4)
    _ = driver.received()
    move(0, 0, [.left, .middle])
    driver.toMouse(0xE9)
    #expect(driver.received().suffix(7) == [0xFA, 0x36, 3, 40, 0x0D, 0, 0])
  }

  @Test func scaling() {
    driver.toMouse(0xE7)
    enable()
    for (movement, reported) in [(1, 1), (2, 1), (3, 3), (4, 6), (5, 9), (6, 12)] as [(Int, UInt8)] {
      move(movement, 0)
      #expect(driver.received() == [0x08, reported, 0])
    }
    move(-5, 0)
    #expect(driver.received() == [0x18, UInt8(truncatingIfNeeded: -9), 0])
    driver.toMouse(0xE6)
    _ = driver.received()
    move(4, 0)
    #expect(driver.received() == [0x08, 4, 0])
  }

  @Test func remoteModeSpeaksWhenAsked() {
    driver.toMouse(0xF0)
    _ = driver.received()
    move(4, 0, .right)
    #expect(driver.received() == [])
    driver.toMouse(0xEB)
    #expect(driver.received() == [0xFA, 0x0A, 4, 0])
    driver.toMouse(0xEB)
    #expect(driver.received() == [0xFA, 0x0A, 0, 0])
    driver.toMouse(0xEA)
    #expect(driver.received() == [0xFA])
  }

  @Test func wrapModeEchoes() {
    driver.toMouse(0xEE)
    #expect(driver.received() == [0xFA])
    driver.toMouse(0xF4, 0xF2, 0x12)
    #expect(driver.received() == [0xF4, 0xF2, 0x12])
    driver.toMouse(0xEC)
    driver.toMouse(0xF2)
    #expect(driver.received() == [0xFA, 0xFA, 0x00])
  }

  @Test func aCommandEndsThePacketUnderWay() {
    enable()
    move(5, 5, .left)
    #expect(driver.board.inb(0x60) == 0x29)
    driver.toMouse(0xE6)
    // A byte already in the controller, the answer, and the button again in a whole packet.
    #expect(driver.received() == [5, 0xFA, 0x09, 0, 0])
  }

  @Test func unknownCommandsAreRefused() {
    driver.toMouse(0x12)
    #expect(driver.received() == [0xFE])
    driver.toMouse(0xFE)
    #expect(driver.received() == [0xFE])
  }

  @Test func positionsMeanNothingToIt() {
    enable()
    #expect(!driver.mouse.isAbsolute)
    driver.mouse.move(toX: 5, y: 5, wheel: 1, buttons: .left)
    #expect(driver.received() == [])
  }
}

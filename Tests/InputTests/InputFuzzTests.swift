// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import TestSupport
import Testing

@testable import Input

@Suite struct InputFuzzTests {
  /// Random accesses, keys and movements: nothing traps, and the controller can always be emptied.
  @Test(arguments: [1, 0xC0FFEE, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) throws {
    let driver = try KeyboardDriver()
    let board = driver.board
    var random = SeededGenerator(seed: seed)
    for round in 0..<20_000 {
      let value = UInt64.random(in: 0...0xFFFF_FFFF, using: &random)
      switch UInt8.random(in: 0..<10, using: &random) {
      case 0...2: board.outb(0x60, UInt8(truncatingIfNeeded: value))
      case 3...4: board.outb(0x64, UInt8(truncatingIfNeeded: value))
      case 5: driver.toMouse(UInt8(truncatingIfNeeded: value | 0xE0))
      case 6: _ = board.inb(value & 1 == 0 ? 0x60 : 0x64)
      case 7:
        driver.keyboard.key(KeyCode(rawValue: UInt8(truncatingIfNeeded: value)), isDown: value & 0x100 != 0)
      case 8:
        driver.mouse.move(
          dx: Int.random(in: .min ... .max, using: &random) >> Int(value & 63), dy: Int(value) - 0x8000_0000,
          wheel: Int(value & 7) - 4, buttons: PointerButtons(rawValue: UInt8(truncatingIfNeeded: value)))
      default: board.outl(0x60, UInt32(truncatingIfNeeded: value))
      }
      if round % 1000 == 999 {
        #expect(driver.received().count < 1000, "seed \(seed)")
        let other = try KeyboardDriver()
        try transplant(from: driver.controller, to: other.controller)
        #expect(other.controller.save() == driver.controller.save(), "seed \(seed)")
      }
    }
  }
}

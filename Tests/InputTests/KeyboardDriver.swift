// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Display
import TestSupport

@testable import Input

/// A controller on a board, and what a driver does with it.
struct KeyboardDriver {
  let board: TestBoard
  let controller: KeyboardController8042

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    controller = KeyboardController8042(
      keyboardInterrupt: InterruptLine(board.interrupts, 1),
      mouseInterrupt: InterruptLine(board.interrupts, 12), control: board.control)
    controller.map(in: board.ports)
    controller.reset()
  }

  var keyboard: PS2Keyboard { controller.keyboard }
  var mouse: PS2Mouse { controller.mouse }
  var status: UInt8 { board.inb(0x64) }

  /// A command to the controller.
  func command(_ byte: UInt8) { board.outb(0x64, byte) }
  /// A command with a parameter.
  func command(_ byte: UInt8, _ parameter: UInt8) {
    board.outb(0x64, byte)
    board.outb(0x60, parameter)
  }
  /// Bytes to the keyboard.
  func toKeyboard(_ bytes: UInt8...) { for byte in bytes { board.outb(0x60, byte) } }
  /// Bytes to the mouse.
  func toMouse(_ bytes: UInt8...) { for byte in bytes { command(0xD4, byte) } }

  /// What the output buffer gives until it is empty, at most 1000 bytes.
  func received() -> [UInt8] {
    var bytes: [UInt8] = []
    while status & 1 != 0, bytes.count < 1000 { bytes.append(board.inb(0x60)) }
    return bytes
  }

  /// Translation on and both interrupts, as firmware leaves it.
  func translate() { command(0x60, 0x47) }

  func press(_ codes: UInt8...) { for code in codes { keyboard.key(KeyCode(rawValue: code), isDown: true) } }
  func release(_ codes: UInt8...) {
    for code in codes { keyboard.key(KeyCode(rawValue: code), isDown: false) }
  }

  /// Makes the mouse an IntelliMouse, or an Explorer.
  func knock(_ rates: UInt8...) {
    for rate in rates { toMouse(0xF3, rate) }
    _ = received()
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport

@testable import Serial

/// A UART at 0x3F8 with IRQ 4, and what a driver does with it.
struct UARTDriver {
  let board: TestBoard
  let port = SlowPort()
  let uart: UART16550A

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    uart = UART16550A(
      name: "com1", clock: board.clock, interrupt: InterruptLine(board.interrupts, 4), port: port)
    uart.map(in: board.ports, at: 0x3F8)
    uart.reset()
  }

  func read(_ offset: UInt16) -> UInt8 { board.inb(0x3F8 + offset) }
  func write(_ offset: UInt16, _ value: UInt8) { board.outb(0x3F8 + offset, value) }
  var isInterrupting: Bool { board.interrupts.isRaised(4) }
  var edges: Int { board.interrupts.edges[4] ?? 0 }

  /// 115,200 baud, 8N1.
  func setUp(fifo: UInt8 = 0x01, interrupts: UInt8 = 0) {
    write(3, 0x83)
    write(0, 1)
    write(1, 0)
    write(3, 0x03)
    write(2, fifo)
    write(1, interrupts)
  }

  /// What the receiver gives until it is empty.
  func received() -> [UInt8] {
    var bytes: [UInt8] = []
    while read(5) & 1 != 0, bytes.count < 100 { bytes.append(read(0)) }
    return bytes
  }
}

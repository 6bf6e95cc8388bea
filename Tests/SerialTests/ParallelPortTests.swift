// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Serial

@Suite struct ParallelPortTests {
  let board: TestBoard
  let host = SlowPort()
  let printer: ParallelPort

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    printer = ParallelPort(name: "lpt1", interrupt: InterruptLine(board.interrupts, 7), port: host)
    printer.map(in: board.ports, at: 0x378)
    printer.reset()
  }

  private func print(_ byte: UInt8, control: UInt8 = 0x0C) {
    board.outb(0x378, byte)
    board.outb(0x37A, control | 1)
    board.outb(0x37A, control)
  }

  @Test func printsOnTheStrobe() {
    #expect(board.inb(0x379) == 0xD8 && board.inb(0x37A) == 0xCC)
    print(0x41)
    board.outb(0x37A, 0x0D)
    board.outb(0x37A, 0x0D)
    #expect(host.written == [0x41, 0x41])
    #expect(board.interrupts.edges[7] == nil)
  }

  @Test func acknowledgesByInterrupt() {
    print(0x41, control: 0x1C)
    #expect(board.interrupts.edges[7] == 1 && !board.interrupts.isRaised(7))
  }

  @Test func isBusyWhileTheHostTakesNothing() {
    host.room = 0
    print(0x41, control: 0x1C)
    #expect(board.inb(0x379) == 0x58)
    print(0x42, control: 0x1C)
    #expect(board.interrupts.edges[7] == nil)
    host.makeRoom(5)
    #expect(host.written == [0x41] && board.inb(0x379) == 0xD8)
    #expect(board.interrupts.edges[7] == 1)
    host.room = 0
    print(0x43)
    // INIT# clears the printer's buffer.
    board.outb(0x37A, 0x08)
    #expect(board.inb(0x379) == 0xD8)
    host.makeRoom(5)
    #expect(host.written == [0x41])
  }

  @Test func dataReadsBackUnlessItIsInput() {
    board.outb(0x378, 0x5A)
    #expect(board.inb(0x378) == 0x5A)
    board.outb(0x37A, 0x2C)
    #expect(board.inb(0x378) == 0xFF)
    host.send([1, 2, 3])
    #expect(host.waiting == [])
  }

  @Test func stateRoundTrip() throws {
    host.room = 0
    print(0x41, control: 0x1C)
    let other = try ParallelPortTests()
    try transplant(from: printer, to: other.printer)
    #expect(other.host.written == [0x41])
    #expect(other.board.inb(0x378) == 0x41 && other.board.inb(0x37A) == 0xDC)
    #expect(other.board.inb(0x379) == 0xD8)
  }

  @Test(arguments: [3, UInt64.random(in: .min ... .max)] as [UInt64])
  func randomAccesses(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<10_000 {
      let value = UInt32(truncatingIfNeeded: random.next())
      let register = 0x376 + UInt16.random(in: 0...6, using: &random)
      host.room = Int(value & 1)
      if value & 2 != 0 { board.outl(register, value) } else { _ = board.inl(register) }
      if value & 0x1C == 0 { printer.characterPortBecameWritable() }
      #expect(board.inb(0x379) & 0x78 == 0x58, "seed \(seed)")
    }
  }
}

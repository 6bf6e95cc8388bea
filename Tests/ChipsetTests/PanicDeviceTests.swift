// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Chipset

@Suite struct PanicDeviceTests {
  @Test func eventsAreReported() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    PanicDevice(control: board.control).map(in: board.ports, at: 0x505)
    #expect(board.inb(0x505) == 3)
    #expect(board.inb(0x506) == 0xFF)
    board.outb(0x505, 0)
    board.outb(0x505, 0xFC)
    #expect(board.control.crashes.isEmpty)
    board.outb(0x505, 1)
    board.outb(0x505, 2)
    board.outw(0x505, 0x0303)
    #expect(board.control.crashes == [.panicked, .crashLoaded, .panicked, .crashLoaded])
    #expect(board.control.shutdowns.isEmpty)
  }

  @Test func onlySomeEventsAreOffered() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    PanicDevice(events: .panicked, control: board.control).map(in: board.ports, at: 0x5050)
    #expect(board.inb(0x5050) == 1)
  }

  @Test func anythingMayBeWritten() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    PanicDevice(control: board.control).map(in: board.ports, at: 0x505)
    let seed = UInt64.random(in: 0...UInt64.max)
    print("pvpanic: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      let port = UInt16(0x503 + Int.random(in: 0..<4, using: &random))
      switch Int.random(in: 0..<4, using: &random) {
      case 0: board.outb(port, .random(in: 0...0xFF, using: &random))
      case 1: board.outw(port, .random(in: 0...0xFFFF, using: &random))
      case 2: board.outl(port, .random(in: 0...0xFFFF_FFFF, using: &random))
      default: _ = board.inl(port)
      }
    }
    #expect(board.inb(0x505) == 3)
  }

  @Test func theStateIsEmpty() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    try transplant(from: PanicDevice(control: board.control), to: PanicDevice(control: board.control))
  }
}

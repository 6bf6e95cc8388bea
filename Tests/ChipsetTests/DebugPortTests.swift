// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import TestSupport
import Testing

@testable import Chipset

@Suite struct DebugPortTests {
  /// Remembers what it takes, up to a limit.
  final class Host: CharacterPort {
    var receiver: (any CharacterReceiver)?
    var written: [UInt8] = []
    var room = Int.max
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(room, bytes.count)
      written += bytes.prefix(count)
      room -= count
      return count
    }
    func receiverBecameReady() {}
  }

  @Test func consoleTakesBytes() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    let host = Host()
    DebugConsole(name: "debugcon0", port: host).map(in: board.ports, at: 0xE9)
    #expect(board.inb(0xE9) == 0xE9)
    board.outb(0xE9, 0x41)
    board.outl(0xE9, 0x44434242)
    #expect(host.written == [0x41, 0x42])
    host.room = 0
    board.outb(0xE9, 0x43)
    #expect(host.written == [0x41, 0x42])
    DebugConsole(name: "debugcon1", port: host, readback: 0x5A).map(in: board.ports, at: 0x402)
    #expect(board.inb(0x402) == 0x5A)
  }

  @Test(arguments: [1, 2, 4]) func exitStatus(count: Int) throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    DebugExit(control: board.control).map(in: board.ports, at: 0x501, count: count)
    #expect(board.inb(0x501) == 0)
    #expect(board.control.shutdowns.isEmpty)
    board.outb(0x501, 0x10)
    if count > 1 { board.outw(0x501, 0x110) }
    if count > 2 { board.outl(0x501, 0xFFFF_FFFF) }
    let expected = [33, 545, -1].prefix(count == 4 ? 3 : count) as ArraySlice<Int32>
    #expect(board.control.shutdowns == expected.map { .guestExit(status: $0) })
  }

  @Test func statesAreEmpty() throws {
    let board = try TestBoard(ramByteCount: 1 << 20)
    try transplant(from: DebugExit(control: board.control), to: DebugExit(control: board.control))
    try transplant(
      from: DebugConsole(name: "a", port: Host()), to: DebugConsole(name: "a", port: Host()))
  }
}

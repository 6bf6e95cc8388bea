// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import TestSupport
import Testing

@testable import Chipset

@Suite struct Port61Tests {
  /// A counter whose output the test sets.
  final class Gate: SpeakerGate {
    var isGateOpen = false
    var output = false
  }

  let board: TestBoard
  let gate = Gate()
  let port: Port61

  init() throws {
    board = try TestBoard(ramByteCount: 1 << 20)
    port = Port61(clock: board.clock, gate: gate)
    port.map(in: board.ports)
    port.reset()
  }

  @Test func gateAndSpeaker() {
    #expect(board.inb(0x61) & 0xEF == 0)
    board.outb(0x61, 0x01)
    #expect(gate.isGateOpen)
    gate.output = true
    #expect(board.inb(0x61) & 0xEF == 0x21)
    board.outb(0x61, 0xFE)
    #expect(!gate.isGateOpen)
    #expect(board.inb(0x61) & 0xEF == 0x2E)
  }

  @Test func refreshToggles() {
    var changes = 0
    var last = board.inb(0x61) & 0x10
    for _ in 0..<1000 {
      board.clock.advance(by: 1000)
      let now = board.inb(0x61) & 0x10
      if now != last { changes += 1 }
      last = now
    }
    // 66.3 kHz.
    #expect(changes == 66)
  }

  @Test func resetClosesTheGate() {
    board.outb(0x61, 0x03)
    port.reset()
    #expect(!gate.isGateOpen && board.inb(0x61) & 0xEF == 0)
  }

  @Test func stateRoundTrip() throws {
    board.outb(0x61, 0x03)
    let other = try Port61Tests()
    try transplant(from: port, to: other.port)
    #expect(other.gate.isGateOpen && other.board.inb(0x61) & 0xEF == 0x03)
    try other.port.restore(Port61.State(register: 0xFF))
    #expect(other.port.save().register == 0x0F)
  }
}

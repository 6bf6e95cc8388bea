// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Testing

@testable import GuestSupport

/// The same bare-metal guests on every engine, with the same result.
@Suite(.serialized)
struct SharedGuestTests {

  @Test(arguments: GuestEngine.there)
  func haltIsWokenByTheTimer(_ engine: GuestEngine) throws {
    let board = try GuestBoard("timer", on: engine)
    try board.run()
    #expect(board.verdict == 0)
    #expect(board.word(0x1000) == 10)
  }

  @Test(arguments: GuestEngine.there)
  func aTripleFaultShutsDown(_ engine: GuestEngine) throws {
    let board = try GuestBoard("triple-fault", on: engine)
    guard case .shutdown = try board.run() else {
      Issue.record("the guest did not shut down")
      return
    }
    #expect(board.verdict == nil)
  }

  @Test(arguments: GuestEngine.there)
  func codeThatChangesItself(_ engine: GuestEngine) throws {
    let board = try GuestBoard("self-modifying", on: engine)
    try board.run()
    #expect(board.verdict == 0)
    #expect(board.byte(0x1000) == 0x42)
    #expect(board.word(0x1002) == 1 + 2 + 3 + 4 + 5)
    #expect(board.word(0x1004) == 1 && board.word(0x1006) == 2)
    #expect(board.dword(0x1008) == 0x0706_0504 && board.dword(0x100C) == 0x0716_0504)
  }

  @Test(arguments: GuestEngine.there, [2, 4])
  func theOthersAreStartedByTheFirst(_ engine: GuestEngine, count: Int) throws {
    let board = try GuestBoard("smp", on: engine, topology: CPUTopology(cores: count))
    board.ram.allBytes[0x500] = UInt8(count)
    for index in 1..<count { #expect(try board.cpus[index].registers().activity == .waitingForInit) }
    try board.run()
    #expect(board.verdict == 0)
    #expect(board.byte(0x1000) == count)
    #expect(Set(board.notes.values) == Set((1..<UInt64(count))))
    #expect(board.byte(0x1100) == 0)
  }

  @Test(arguments: GuestEngine.there)
  func anNMIReachesTheGuest(_ engine: GuestEngine) throws {
    let board = try GuestBoard("count", on: engine)
    try board.resume()
    try board.wait { board.dword(0x1000) > 0 }
    for expected in 1...3 {
      board.pause()
      try board.cpus[0].injectNMI()
      try board.resume()
      try board.wait { board.word(0xF00) == expected }
    }
    board.pause()
    #expect(board.exits.isEmpty)
  }

  @Test(arguments: GuestEngine.there)
  func portsOfEveryWidthAndStrings(_ engine: GuestEngine) throws {
    let board = try GuestBoard("ports", on: engine)
    try board.run()
    #expect(board.verdict == 0)
    #expect(board.notes.values.prefix(3) == [0x11, 0x2222, 0x4444_4444])
    #expect(board.notes.written.prefix(3).map(\.width) == [1, 2, 4])
    // The reads: three single ones, five words, five bytes downwards, three dwords.
    #expect(board.byte(0x1000) == 1)
    #expect(board.word(0x1002) == 0x0202)
    #expect(board.dword(0x1004) == 0x0303_0303)
    #expect((0..<5).map { board.word(0x1100 + $0 * 2) } == [0x0404, 0x0505, 0x0606, 0x0707, 0x0808])
    #expect(board.word(0x1010) == 0x110A)
    #expect((0..<5).map { board.byte(0x1204 - $0) } == [9, 10, 11, 12, 13])
    #expect((0..<3).map { board.dword(0x1FFC + $0 * 4) } == [0x0E0E_0E0E, 0x0F0F_0F0F, 0x1010_1010])
    #expect(
      board.notes.readWidths == [1, 2, 4] + Array(repeating: 2, count: 5) + Array(repeating: 1, count: 5) + [
        4, 4, 4,
      ])
    // "abcd" upwards, then "gh", "ef" downwards.
    #expect(board.notes.values.dropFirst(3) == [0x61, 0x62, 0x63, 0x64, 0x6867, 0x6665])
  }

  @Test(arguments: GuestEngine.there)
  func registersInMemoryOfEveryWidth(_ engine: GuestEngine) throws {
    let board = try GuestBoard("mmio", on: engine)
    try board.run()
    #expect(board.verdict == 0)
    let written = board.registers.written
    #expect(written.prefix(3) == [.init(0x10, 0x11, 1), .init(0x20, 0x2233, 2), .init(0x30, 0x4455_6677, 4)])
    #expect(written.dropFirst(3).first == .init(0x41, 0x8899, 2))
    #expect(board.byte(0x1000) == 1)
    #expect(board.word(0x1002) == 0x0202)
    #expect(board.dword(0x1004) == 0x0303_0303)
    // The dword over RAM's edge: one byte into RAM, three into the registers.
    #expect(board.byte(0xCFFFF) == 0xDD)
    // How the three are split, and so how often is read, is the engine's own.
    let split: [NoteWindow.Note] =
      engine == .kvm
      ? [.init(0, 0xBBCC, 2), .init(2, 0xAA, 1)] : [.init(0, 0xCC, 1), .init(1, 0xBB, 1), .init(2, 0xAA, 1)]
    #expect(Array(written.dropFirst(4).prefix(split.count)) == split)
    #expect(board.dword(0x1008) == (engine == .kvm ? 0x0504_04DD : 0x0605_04DD))
    // A write to ROM is dropped.
    #expect(board.byte(0x100C) == 0)
    // Eight bytes at once.
    #expect(written.last == .init(0x50, 0x1122_3344_5566_7788, 8))
    #expect(board.qword(0x1010) == (engine == .kvm ? 0x0606_0606_0606_0606 : 0x0707_0707_0707_0707))
  }
}

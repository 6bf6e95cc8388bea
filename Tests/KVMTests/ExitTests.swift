// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Testing

@testable import GuestSupport
@testable import KVM

/// Every reason for which a vCPU leaves the guest.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct ExitTests {
  @Test func portsOfEveryWidthAndStrings() throws {
    let board = try GuestBoard("ports")
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

  @Test func registersInMemoryOfEveryWidth() throws {
    let board = try GuestBoard("mmio")
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
    #expect(written.dropFirst(4).prefix(2) == [.init(0, 0xBBCC, 2), .init(2, 0xAA, 1)])
    #expect(board.dword(0x1008) == 0x0504_04DD)
    // A write to ROM is dropped.
    #expect(board.byte(0x100C) == 0)
    // Eight bytes at once.
    #expect(written.last == .init(0x50, 0x1122_3344_5566_7788, 8))
    #expect(board.qword(0x1010) == 0x0606_0606_0606_0606)
  }

  @Test func haltIsWokenByTheTimer() throws {
    let board = try GuestBoard("timer")
    try board.run()
    #expect(board.verdict == 0)
    #expect(board.word(0x1000) == 10)
  }

  @Test func tripleFaultShutsDown() throws {
    let board = try GuestBoard("triple-fault")
    let exit = try board.run()
    guard case .shutdown = exit else {
      Issue.record("\(exit)")
      return
    }
  }

  @Test func aFailureIsToldForPeople() throws {
    let board = try GuestBoard("nowhere")
    let exit = try board.run()
    guard case .failed(let failure) = exit else {
      Issue.record("\(exit)")
      return
    }
    #expect(failure.reason.contains("CPU 0"))
    #expect(failure.reason.contains("emulate"))
    #expect(failure.registers.contains("EAX=12345678"))
    #expect(failure.registers.contains("EIP=00000100"))
    #expect(failure.registers.contains("CS =d000 000d0000"))
  }

  @Test func queuedWritesComeInOrder() throws {
    let board = try GuestBoard("coalesced")
    let ports = NoteWindow(name: "queued ports", count: 1, mayCoalesceWrites: true)
    board.bus.ports.map(ports, at: 0x540)
    board.kvm?.coalescePortWrites()
    // When the guest's unqueued note comes, all it queued before is there.
    var seen: (memory: Int, ports: Int)?
    board.notes.onWrite = { seen = (board.queued.written.count, ports.written.count) }
    try board.run()
    #expect(board.verdict == 0)
    #expect(seen?.memory == 3)
    #expect(seen?.ports == 1)
    board.lock.withLock { board.engine.drainCoalescedWrites() }
    #expect(
      board.queued.written == [
        .init(0, 0x1111, 2), .init(2, 0x22, 1), .init(4, 0x3333_3333, 4), .init(8, 0x55, 1),
      ])
    #expect(ports.values == [0x66])
    #expect(board.notes.values == [0x44])
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory
import Testing

@testable import GuestSupport
@testable import KVM

/// Every reason for which a vCPU leaves the guest.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct ExitTests {

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
    let ports = NoteWindow(name: "queued ports", count: 1, lateWrites: [0..<1])
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

  @Test func aPartOfAWindowIsQueued() throws {
    let board = try GuestBoard("coalesced-part")
    let window = NoteWindow(name: "queued part", count: 0x10, lateWrites: [4..<8])
    board.lock.withLock {
      board.bus.memory.add(MemoryRegion(window: window, base: GuestAddress(UInt64(0xD4000)), priority: 2))
    }
    try board.resume()
    try board.wait { board.byte(0x1000) == 1 }
    board.lock.withLock {
      #expect(window.values == [0x11])
      board.engine.drainCoalescedWrites()
      #expect(window.values == [0x11, 0x22])
      board.ram.allBytes[0x1001] = 1
    }
    try board.wait { board.verdict != nil }
    board.pause()
    #expect(window.values == [0x11, 0x22, 0x33, 0x44])
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Glibc
import TestSupport
import Testing

@testable import GuestSupport
@testable import KVM

/// The way from an exit to a device and back: no heap allocation.
@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct AllocationTests {
  @Test(arguments: ["port-exits", "mmio-exits"]) func accessesAllocateNothing(guest: String) throws {
    let board = try GuestBoard(guest)
    let window: NoteWindow = guest == "port-exits" ? board.notes : board.registers
    board.notes.keepsNotes = false
    board.registers.keepsNotes = false
    window.stop(after: 1000, board.cpus[0])
    // Once before, so that what is made only once is made.
    _ = board.cpus[0].run()
    #expect(window.readCount == 1000)
    window.stop(after: 2000, board.cpus[0])
    let count = countingAllocations { _ = board.cpus[0].run() }
    #expect(window.readCount == 2000)
    #expect(count == 0, "\(count) heap allocations in 1000 accesses")
  }

  @Test func anAllocationIsCounted() {
    #expect(
      countingAllocations { UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8).deallocate() } == 1
    )
    final class Something {}
    #expect(countingAllocations { withExtendedLifetime(Something()) {} } == 1)
    #expect(countingAllocations {} == 0)
  }

  /// The test above would see a device that allocates.
  @Test func anAllocatingDeviceIsCaught() throws {
    let board = try GuestBoard("port-exits")
    board.notes.stop(after: 1000, board.cpus[0])
    board.notes.keepsNotes = true
    #expect(countingAllocations { _ = board.cpus[0].run() } > 0)
  }
}

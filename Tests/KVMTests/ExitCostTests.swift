// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Foundation
import Testing

@testable import GuestSupport
@testable import KVM

/// Prints what an exit costs through the real dispatch path, to compare with `Fixtures/bench/exit-loop.c`: a
/// measurement, made only when asked for with MARTLET_BENCH=1.
@Suite(
  .serialized,
  .enabled(if: KVMAvailability.isThere && ProcessInfo.processInfo.environment["MARTLET_BENCH"] != nil))
struct ExitCostTests {
  @Test(arguments: ["port-exits", "mmio-exits"]) func cost(guest: String) throws {
    let board = try GuestBoard(guest)
    board.notes.keepsNotes = false
    board.registers.keepsNotes = false
    try board.resume()
    try board.wait { board.notes.readCount + board.registers.readCount > 0 }
    let (start, first) = board.lock.withLock {
      (DispatchTime.now().uptimeNanoseconds, board.notes.readCount + board.registers.readCount)
    }
    while board.lock.withLock({ board.verdict }) == nil { usleep(20_000) }
    let (end, last) = (
      DispatchTime.now().uptimeNanoseconds, board.notes.readCount + board.registers.readCount
    )
    board.pause()
    print("\(guest): \(last - first) exits, \((end - start) / (last - first)) ns each")
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CAllocationCounter

/// The number of heap allocations the calling thread makes in `body`.
public func countingAllocations(_ body: () throws -> Void) rethrows -> Int {
  martlet_allocation_count_start()
  defer { _ = martlet_allocation_count_stop() }
  try body()
  return Int(martlet_allocation_count_stop())
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

extension UnsafeMutablePointer where Pointee: FixedWidthInteger {
  /// Memory for `capacity` integers, all zero. Of a large piece the pages that are never touched cost nothing, unlike
  /// those that `initialize(repeating:)` writes. Given back with `free`.
  public static func allocateZeroed(capacity: Int) -> UnsafeMutablePointer {
    guard let memory = calloc(max(capacity, 1), MemoryLayout<Pointee>.stride) else {
      // As any allocation of Swift's ends the process: sizes that come from a guest are bounded by who asks
      // (`DisplaySurface.maximumExtent`), so only a host without memory gets here.
      fatalError("the host has no memory for \(capacity) integers")
    }
    return memory.bindMemory(to: Pointee.self, capacity: capacity)
  }
}

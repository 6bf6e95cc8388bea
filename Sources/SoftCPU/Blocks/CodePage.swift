// SPDX-License-Identifier: GPL-2.0-or-later

/// Where the code decoded from a page is found: one for each page of a ``RAMBlock``.
typealias CodePageSlot = UnsafeMutablePointer<UnsafeMutablePointer<CodePage>?>

/// The blocks decoded from one 4 KiB page of host memory.
struct CodePage {
  static let bucketCount = 64

  /// The page.
  let host: UnsafeMutableRawPointer
  /// Bit n: some block has bytes among the page's 64 bytes from 64 n on.
  var occupied: UInt64 = 0
  /// Blocks that start on the page, by their offset's low bits.
  var buckets = InlineArray<64, UnsafeMutablePointer<Block>?>(repeating: nil)
  /// Where the pointer to this page is kept.
  let slot: CodePageSlot
  /// The page from which a block reaches into this one, if one does.
  var reachedFrom: CodePageSlot?
  /// The place in the machine's list of pages.
  var index: Int

  init(host: UnsafeMutableRawPointer, slot: CodePageSlot, index: Int) {
    (self.host, self.slot, self.index) = (host, slot, index)
  }

  @inline(__always)
  static func bucket(_ offset: UInt64) -> Int { Int(truncatingIfNeeded: (offset ^ offset &>> 6) & 63) }

  /// The bits of ``occupied`` for some bytes.
  static func mask(offset: Int, count: Int) -> UInt64 {
    guard count > 0 else { return 0 }
    let first = offset >> 6
    let last = min(63, (offset + count - 1) >> 6)
    return (~0 as UInt64) >> UInt64(63 - last) & (~0 as UInt64) << UInt64(first)
  }
}

/// Memory for decoded blocks: handed out one after the other, and taken back all at once.
struct BlockArena {
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private var used = 0

  /// Room for `byteCount` bytes of blocks, which the host gives when it is touched.
  init(byteCount: Int) {
    self.byteCount = byteCount
    base = .allocate(byteCount: byteCount, alignment: 64)
  }

  func deallocate() { base.deallocate() }

  /// Memory for a header and `count` operations; nil if there is none left.
  mutating func allocate(operationCount count: Int) -> UnsafeMutablePointer<Block>? {
    let size = MemoryLayout<Block>.stride + count * MemoryLayout<Operation>.stride
    guard byteCount - used >= size else { return nil }
    defer { used += (size + 15) & ~15 }
    return (base + used).bindMemory(to: Block.self, capacity: 1)
  }

  mutating func reset() { used = 0 }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// One bit for each 512-byte sector of a disk. Memory is used only for the parts that were touched: 1 byte for
/// each 4 KiB written, rounded up to pages.
final class SectorMap {
  private let words: UnsafeMutablePointer<UInt64>
  private let sectorCount: UInt64
  private let mappedByteCount: Int

  /// A map with no bit set; nil if the host has not even the address space.
  init?(sectorCount: UInt64) {
    self.sectorCount = sectorCount
    mappedByteCount = max(1, Int(clamping: (sectorCount / 64 + 1) * 8))
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let memory = mmap(nil, mappedByteCount, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED
    else { return nil }
    words = memory.bindMemory(to: UInt64.self, capacity: mappedByteCount / 8)
  }

  deinit { munmap(words, mappedByteCount) }

  /// Sets the bits of `count` sectors from `first` on; those outside the disk are ignored.
  func mark(first: UInt64, count: UInt64) {
    guard first < sectorCount else { return }
    var sector = first
    let end = first + min(count, sectorCount - first)
    while sector < end {
      let bit = sector & 63
      let length = min(64 - bit, end - sector)
      let ones: UInt64 = length == 64 ? .max : (1 << length) - 1
      words[Int(sector >> 6)] |= ones << bit
      sector += length
    }
  }

  /// Whether the bit of sector `first` is set, and how many sectors from there on, at most `limit`, are like it.
  func run(from first: UInt64, limit: UInt64) -> (isMarked: Bool, count: UInt64) {
    guard first < sectorCount else { return (false, limit) }
    let end = first + min(limit, sectorCount - first)
    let isMarked = words[Int(first >> 6)] >> (first & 63) & 1 != 0
    var sector = first
    while sector < end {
      let bit = sector & 63
      let word = words[Int(sector >> 6)]
      // Ones where a sector differs from the first one.
      let different = (isMarked ? ~word : word) >> bit
      if different != 0 {
        return (isMarked, min(end, sector + UInt64(different.trailingZeroBitCount)) - first)
      }
      sector += 64 - bit
    }
    return (isMarked, end - first)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// A stretch of guest physical addresses with one thing behind it.
struct PhysicalRange {
  let base: UInt64
  let count: UInt64
  /// Host memory behind `base`; nil for registers of devices.
  let host: UnsafeMutableRawPointer?
  let isWritable: Bool
  /// What is known of the block's pages; nil for registers.
  let pages: Unmanaged<BlockPages>?
  /// The page of the block that `base` is on.
  let firstPage: Int

  @inline(__always)
  func contains(_ address: UInt64) -> Bool { address &- base < count }
}

/// What the engine knows of each page of a ``RAMBlock``. Only the thread that executes guests touches it,
/// but for ``written``.
final class BlockPages {
  let block: RAMBlock
  /// The code decoded from each page, if any.
  let code: UnsafeMutablePointer<UnsafeMutablePointer<CodePage>?>
  /// Pages the guest may have written since the last collection: a byte each, so that no lock is needed to
  /// set one while another thread clears others.
  let written: UnsafeMutablePointer<UInt8>
  let pageCount: Int

  init(block: RAMBlock) {
    self.block = block
    pageCount = block.byteCount / RAMBlock.pageSize
    code = .allocate(capacity: pageCount)
    code.initialize(repeating: nil, count: pageCount)
    written = .allocate(capacity: pageCount)
    written.initialize(repeating: 0, count: pageCount)
  }

  deinit {
    code.deallocate()
    written.deallocate()
  }
}

/// The guest's physical address space, as a flat table.
struct PhysicalMemory {
  private var ranges: UnsafeMutableBufferPointer<PhysicalRange>
  private var lastHit = 0
  /// One for each block, kept as long as the engine lives.
  private var blocks: [BlockPages] = []

  init() { ranges = UnsafeMutableBufferPointer(start: nil, count: 0) }

  func deallocate() { ranges.deallocate() }

  /// What is known of `block`'s pages.
  mutating func pages(of block: RAMBlock) -> BlockPages {
    if let known = blocks.first(where: { $0.block === block }) { return known }
    let pages = BlockPages(block: block)
    blocks.append(pages)
    return pages
  }

  /// Takes over a map.
  mutating func replace(with flatRanges: [FlatRange]) {
    ranges.deallocate()
    ranges = .allocate(capacity: flatRanges.count)
    for (index, range) in flatRanges.enumerated() {
      var known: Unmanaged<BlockPages>?
      if let block = range.block { known = .passUnretained(pages(of: block)) }
      ranges.initializeElement(
        at: index,
        to: PhysicalRange(
          base: range.base, count: range.count, host: range.block.map { $0.hostAddress + range.blockOffset },
          isWritable: range.access == .readWrite, pages: known,
          firstPage: range.blockOffset / RAMBlock.pageSize))
    }
    lastHit = 0
  }

  /// The range that holds `address`.
  mutating func find(_ address: UInt64) -> UnsafePointer<PhysicalRange>? {
    guard let base = ranges.baseAddress else { return nil }
    if lastHit < ranges.count, base[lastHit].contains(address) { return UnsafePointer(base + lastHit) }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if address < base[middle].base {
        high = middle
      } else if base[middle].contains(address) {
        lastHit = middle
        return UnsafePointer(base + middle)
      } else {
        low = middle + 1
      }
    }
    return nil
  }

  /// Host memory of the 4 KiB page that `address` is on, with its range; nil if it is not all RAM or ROM.
  mutating func page(_ address: UInt64) -> (
    host: UnsafeMutableRawPointer, range: UnsafePointer<PhysicalRange>
  )? {
    let page = address & ~0xFFF
    guard let range = find(address), let host = range.pointee.host, page >= range.pointee.base,
      range.pointee.base & 0xFFF == 0, range.pointee.count &- (page &- range.pointee.base) >= 0x1000
    else { return nil }
    return (host + Int(page &- range.pointee.base), range)
  }
}

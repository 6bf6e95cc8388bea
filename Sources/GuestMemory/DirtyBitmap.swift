// SPDX-License-Identifier: GPL-2.0-or-later

/// Which 4 KiB pages of a ``RAMBlock`` were written since they were last looked at.
///
/// Writes by devices and host I/O set bits here while tracking is on; writes by the guest's own
/// instructions are kept by the engine and merged in when the memory map collects its log. Guarded by
/// the machine's lock.
public final class DirtyBitmap {
  /// Whether writes are recorded.
  public private(set) var isTracking = false
  /// The number of pages covered.
  public let pageCount: Int
  /// 64 pages a word; page 0 is bit 0 of word 0. Empty while tracking is off.
  public private(set) var words: UnsafeMutableBufferPointer<UInt64>

  /// A bitmap for `pageCount` pages, with tracking off.
  public init(pageCount: Int) {
    self.pageCount = pageCount
    words = UnsafeMutableBufferPointer(start: nil, count: 0)
  }

  deinit { words.deallocate() }

  /// Turns tracking on, with every page dirty, or off.
  public func setTracking(_ on: Bool) {
    guard on != isTracking else { return }
    isTracking = on
    words.deallocate()
    words = UnsafeMutableBufferPointer(start: nil, count: 0)
    guard on else { return }
    words = .allocate(capacity: (pageCount + 63) / 64)
    words.initialize(repeating: 0)
    markAll()
  }

  /// Marks every page.
  public func markAll() { mark(byteOffset: 0, count: pageCount * RAMBlock.pageSize) }

  /// Marks the pages that hold the bytes `byteOffset ..< byteOffset + count`; what lies outside is ignored.
  @inlinable
  public func mark(byteOffset: Int, count: Int) {
    guard isTracking, count > 0, byteOffset >= 0, byteOffset < pageCount &* RAMBlock.pageSize else { return }
    var page = byteOffset / RAMBlock.pageSize
    let last = (byteOffset + min(count, pageCount &* RAMBlock.pageSize - byteOffset) - 1) / RAMBlock.pageSize
    while page <= last {
      words[page >> 6] |= 1 << UInt64(page & 63)
      page += 1
    }
  }

  /// Whether a page is marked.
  public func isDirty(page: Int) -> Bool {
    guard isTracking, page >= 0, page < pageCount else { return false }
    return words[page >> 6] >> UInt64(page & 63) & 1 != 0
  }

  /// Calls `body` with each run of marked pages, lowest first, and clears the marks.
  public func drain(_ body: (_ firstPage: Int, _ pageCount: Int) -> Void) {
    var runStart = 0
    var runLength = 0
    for index in words.indices {
      var word = words[index]
      words[index] = 0
      if word == 0 { continue }
      while word != 0 {
        let bit = word.trailingZeroBitCount
        word &= word - 1
        let page = index * 64 + bit
        if runLength > 0, page == runStart + runLength {
          runLength += 1
        } else {
          if runLength > 0 { body(runStart, runLength) }
          (runStart, runLength) = (page, 1)
        }
      }
    }
    if runLength > 0 { body(runStart, runLength) }
  }
}

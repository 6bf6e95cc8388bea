// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Which pages of the video memory changed since the last drawing.
final class ChangedPages {
  private let flags: UnsafeMutablePointer<Bool>
  private let count: Int
  /// Whether any did.
  private(set) var isAny = true

  init(count: Int) {
    self.count = count
    flags = .allocate(capacity: count)
    flags.initialize(repeating: true, count: count)
  }

  deinit { flags.deallocate() }

  /// Takes over what `bitmap` recorded, and clears it.
  func take(from bitmap: DirtyBitmap) {
    bitmap.drain { first, length in
      isAny = true
      for page in first..<min(first + length, count) { flags[page] = true }
    }
  }

  /// Everything is drawn.
  func clear() {
    guard isAny else { return }
    flags.update(repeating: false, count: count)
    isAny = false
  }

  /// Whether any of `byteCount` bytes from `address` on changed, where addresses wrap at `mask`.
  func contains(_ address: Int, byteCount: Int, mask: Int) -> Bool {
    guard isAny, byteCount > 0 else { return false }
    var offset = 0
    // To the next page each time; a span is a row, at most a few dozen pages.
    while offset < byteCount {
      let position = (address &+ offset) & mask
      let page = position / RAMBlock.pageSize
      if page < count && flags[page] { return true }
      offset += RAMBlock.pageSize - position % RAMBlock.pageSize
    }
    return false
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// A translation of one 4 KiB page of linear addresses for instruction fetches.
struct CodeTLBEntry {
  /// The linear page; ``TLBEntry/none`` if not in use.
  var page: UInt64 = TLBEntry.none
  /// The page in host memory.
  var host: UnsafeMutableRawPointer?
  var slot: CodePageSlot?
  /// Bits of a linear address that the translation holds for: more than a page for large ones.
  var mask: UInt64 = ~0xFFF
}

/// Where a processor's instructions come from, apart for user and supervisor.
struct CodeTLB {
  static let entryCount = 256
  private let entries: UnsafeMutablePointer<CodeTLBEntry>
  private var isUsed = false

  init() {
    entries = .allocate(capacity: Self.entryCount * 2)
    entries.initialize(repeating: CodeTLBEntry(), count: Self.entryCount * 2)
  }

  func deallocate() { entries.deallocate() }

  func entry(_ linear: UInt64, isUser: Bool) -> UnsafeMutablePointer<CodeTLBEntry> {
    entries + (isUser ? Self.entryCount : 0) + Int(linear >> 12 & UInt64(Self.entryCount - 1))
  }

  mutating func fill(_ linear: UInt64, isUser: Bool, _ value: CodeTLBEntry) {
    isUsed = true
    entry(linear, isUser: isUser).pointee = value
  }

  mutating func flush() {
    guard isUsed else { return }
    entries.update(repeating: CodeTLBEntry(), count: Self.entryCount * 2)
    isUsed = false
  }

  func invalidate(_ linear: UInt64) {
    guard isUsed else { return }
    for index in 0..<Self.entryCount * 2 {
      let mask = entries[index].mask
      if entries[index].page & mask == linear & mask { entries[index] = CodeTLBEntry() }
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// A translation of one 4 KiB page of linear addresses to host memory.
///
/// The tags hold the page's linear address where an access may go straight to host memory, and
/// ``invalidTag`` where it must take the slow path: not mapped, not allowed, not RAM, or, for writes, the
/// page holds code that was decoded or the first write to it must be noted. So a hit needs no look at
/// rights, dirty bits or code: a store is as cheap as a load.
struct TLBEntry {
  static let invalidTag: UInt64 = 1

  var readTag = Self.invalidTag
  var writeTag = Self.invalidTag
  /// Host address less linear address.
  var addend = 0
  /// The linear page, with bit 0 set if it came from a 2 MiB or 4 MiB page, bit 1 from a 1 GiB page.
  var page: UInt64 = Self.none

  /// ``page`` of an entry that is not in use.
  static let none: UInt64 = ~0
}

/// The software TLB of one processor: direct-mapped, one set of entries for each way rights are looked at.
struct TLB {
  static let entryCount = 512
  static let indexMask: UInt64 = UInt64(entryCount - 1)

  /// Which rights apply.
  enum Kind: Int, CaseIterable {
    case user
    case supervisor
    /// Supervisor, with SMAP keeping it from user pages.
    case supervisorAccessPrevention
    /// Never filled: each access is looked at (alignment checks, data breakpoints).
    case checked
  }

  private let entries: UnsafeMutablePointer<TLBEntry>
  /// Bit n: set n holds something.
  private var used = 0

  init() {
    let count = Self.entryCount * Kind.allCases.count
    entries = .allocate(capacity: count)
    entries.initialize(repeating: TLBEntry(), count: count)
  }

  func deallocate() { entries.deallocate() }

  /// The entries of a kind.
  func entries(_ kind: Kind) -> UnsafeMutablePointer<TLBEntry> { entries + kind.rawValue * Self.entryCount }

  /// The entry for a linear address; the caller is about to fill it.
  mutating func entryToFill(_ kind: Kind, _ linear: UInt64) -> UnsafeMutablePointer<TLBEntry> {
    used |= 1 << kind.rawValue
    return entries(kind) + Int(linear >> 12 & Self.indexMask)
  }

  mutating func flush() {
    for kind in Kind.allCases where used >> kind.rawValue & 1 != 0 {
      entries(kind).update(repeating: TLBEntry(), count: Self.entryCount)
    }
    used = 0
  }

  /// Forgets the page of `linear`, the whole of it if it is a large one.
  func invalidate(_ linear: UInt64) {
    for kind in Kind.allCases where used >> kind.rawValue & 1 != 0 {
      let set = entries(kind)
      for index in 0..<Self.entryCount {
        let page = set[index].page
        guard page != TLBEntry.none else { continue }
        // 4 MiB covers both sizes of large pages.
        let mask: UInt64 = page & 2 != 0 ? ~0x3FFF_FFFF : page & 1 != 0 ? ~0x3F_FFFF : ~0xFFF
        if page & mask == linear & mask { set[index] = TLBEntry() }
      }
    }
  }

  /// Sends writes to a page of host memory to the slow path.
  func protect(hostPage: UnsafeMutableRawPointer) {
    forEachWritable { entry in
      if Int(bitPattern: hostPage) == entry.pointee.addend &+ Int(bitPattern: UInt(entry.pointee.writeTag)) {
        entry.pointee.writeTag = TLBEntry.invalidTag
      }
    }
  }

  /// Calls `body` with each entry that lets writes through.
  @inline(__always)
  func forEachWritable(_ body: (UnsafeMutablePointer<TLBEntry>) -> Void) {
    for kind in Kind.allCases where used >> kind.rawValue & 1 != 0 {
      let set = entries(kind)
      for index in 0..<Self.entryCount where set[index].writeTag != TLBEntry.invalidTag { body(set + index) }
    }
  }
}

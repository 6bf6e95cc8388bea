// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A stretch of guest physical addresses with one thing behind it, after overlaps are resolved.
public struct FlatRange: Equatable {
  /// How the block of a range may be used.
  public enum Access: Sendable, Equatable {
    /// Guest reads and writes go to the block.
    case readWrite
    /// Guest reads come from the block, writes are dropped or go to the window.
    case readOnly
    /// There is no block: both go to the window.
    case windowOnly
  }

  /// The first address.
  public let base: UInt64
  /// The length in bytes.
  public let count: UInt64
  /// The block behind it, if any, and the offset of `base` in it.
  public let block: RAMBlock?
  /// The offset of `base` in `block`.
  public let blockOffset: Int
  /// What the guest may do with the block.
  public let access: Access
  /// The window behind it, if any.
  public let window: AddressWindow?
  /// The offset of `base` in the window.
  public let windowOffset: UInt64
  /// The name of the region it comes from.
  public let name: String

  /// The address after the last.
  public var end: UInt64 { base &+ count }

  public static func == (left: Self, right: Self) -> Bool {
    left.base == right.base && left.count == right.count && left.block === right.block
      && left.blockOffset == right.blockOffset && left.access == right.access && left.window === right.window
      && left.windowOffset == right.windowOffset
  }

  /// Resolves the overlaps of `regions`: in each stretch the enabled region with the highest priority, and
  /// among equals the last, is seen. Sorted by address; neighbours that continue each other are merged.
  static func flatten(_ regions: [MemoryRegion]) -> [FlatRange] {
    let seen = regions.enumerated().filter { $0.element.isEnabled && $0.element.count > 0 }
    var edges: [UInt64] = []
    for (_, region) in seen {
      edges.append(region.base.rawValue)
      edges.append(region.base.rawValue &+ region.count)
    }
    edges = Set(edges).sorted()
    var result: [FlatRange] = []
    for (start, end) in zip(edges, edges.dropFirst()) {
      let winner =
        seen.filter {
          $0.element.base.rawValue <= start && start &- $0.element.base.rawValue < $0.element.count
        }.max { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
      guard let region = winner?.element else { continue }
      let range = FlatRange(of: region, from: start, to: end)
      if let last = result.last, let merged = last.continued(by: range) {
        result[result.count - 1] = merged
      } else {
        result.append(range)
      }
    }
    return result
  }

  private init(of region: MemoryRegion, from start: UInt64, to end: UInt64) {
    let skipped = start &- region.base.rawValue
    base = start
    count = end - start
    name = region.name
    switch region.backing {
    case .ram(let block, let offset):
      (self.block, blockOffset, access) = (block, offset + Int(skipped), .readWrite)
      (window, windowOffset) = (nil, 0)
    case .rom(let block, let offset):
      (self.block, blockOffset, access) = (block, offset + Int(skipped), .readOnly)
      (window, windowOffset) = (nil, 0)
    case .romDevice(let block, let offset, let writes):
      (self.block, blockOffset, access) = (block, offset + Int(skipped), .readOnly)
      (window, windowOffset) = (writes, skipped)
    case .window(let window):
      (block, blockOffset, access) = (nil, 0, .windowOnly)
      (self.window, windowOffset) = (window, skipped)
    }
  }

  private init(_ first: FlatRange, count: UInt64) {
    self.base = first.base
    self.count = count
    self.block = first.block
    self.blockOffset = first.blockOffset
    self.access = first.access
    self.window = first.window
    self.windowOffset = first.windowOffset
    self.name = first.name
  }

  private func continued(by next: FlatRange) -> FlatRange? {
    guard end == next.base, block === next.block, access == next.access, window === next.window,
      block == nil || blockOffset + Int(count) == next.blockOffset,
      window == nil || windowOffset + count == next.windowOffset
    else { return nil }
    return FlatRange(self, count: count + next.count)
  }
}

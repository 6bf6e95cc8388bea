// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A piece of the guest's physical address space: RAM, ROM or a device's registers, at an address and with
/// a priority over the regions it overlaps. Add it to a ``MemorySpace``; move or hide it there.
public final class MemoryRegion {
  /// What answers at the region's addresses.
  public enum Backing {
    /// Reads and writes go to the block, from `offset` on.
    case ram(RAMBlock, offset: Int)
    /// Reads come from the block, from `offset` on; writes are dropped.
    case rom(RAMBlock, offset: Int)
    /// Reads come from the block, from `offset` on; writes go to the window.
    case romDevice(RAMBlock, offset: Int, writes: AddressWindow)
    /// Reads and writes go to the window.
    case window(AddressWindow)
  }

  /// What it is, for the memory tree: "pc.ram.below-4g".
  public let name: String
  /// The length in bytes.
  public let count: UInt64
  /// What answers.
  public internal(set) var backing: Backing
  /// Of overlapping regions the one with the highest priority is seen; of equals the one added last.
  public let priority: Int
  /// The first address.
  public internal(set) var base: GuestAddress
  /// Whether it is seen at all.
  public internal(set) var isEnabled: Bool

  /// A region, not yet in any address space.
  public init(
    name: String, base: GuestAddress, count: UInt64, backing: Backing, priority: Int = 0,
    isEnabled: Bool = true
  ) {
    self.name = name
    self.base = base
    self.count = count
    self.backing = backing
    self.priority = priority
    self.isEnabled = isEnabled
  }

  /// A region as long as the window it shows.
  public convenience init(
    window: AddressWindow, base: GuestAddress, priority: Int = 0, isEnabled: Bool = true
  ) {
    self.init(
      name: window.name, base: base, count: window.count, backing: .window(window), priority: priority,
      isEnabled: isEnabled)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// What answers at which address. Called with the machine's lock held.
extension Machine {
  /// A stretch of memory addresses or I/O ports and what is there.
  public struct AddressFacts: Sendable, Equatable {
    public enum Kind: String, Sendable {
      case ram
      case rom
      /// Reads come from memory, writes go to a device.
      case romDevice = "romd"
      case registers = "i/o"
    }
    public let base: UInt64
    public let byteCount: UInt64
    public let name: String
    public let kind: Kind
    /// Of overlapping regions the one with the highest is seen.
    public let priority: Int
    public let isEnabled: Bool
    /// Where in what it shows it begins.
    public let offset: UInt64
  }

  /// All regions of the memory addresses, seen or not.
  public var memoryRegions: [AddressFacts] {
    board.memory.regions.map { region in
      let kind: AddressFacts.Kind
      var offset: UInt64 = 0
      switch region.backing {
      case .ram(_, let start): (kind, offset) = (.ram, UInt64(start))
      case .rom(_, let start): (kind, offset) = (.rom, UInt64(start))
      case .romDevice(_, let start, _): (kind, offset) = (.romDevice, UInt64(start))
      case .window: kind = .registers
      }
      return AddressFacts(
        base: region.base.rawValue, byteCount: region.count, name: region.name, kind: kind,
        priority: region.priority, isEnabled: region.isEnabled, offset: offset)
    }
  }

  /// The memory addresses as they are seen, without overlaps, in their order.
  public var memoryMap: [AddressFacts] {
    board.memory.flatRanges.map { range in
      let kind: AddressFacts.Kind =
        switch (range.access, range.window) {
        case (.windowOnly, _): .registers
        case (.readWrite, _): .ram
        case (.readOnly, nil): .rom
        case (.readOnly, _): .romDevice
        }
      return AddressFacts(
        base: range.base, byteCount: range.count, name: range.name, kind: kind, priority: 0, isEnabled: true,
        offset: range.block == nil ? range.windowOffset : UInt64(range.blockOffset))
    }
  }

  /// The windows of the I/O ports, in the order of their first.
  public var portWindows: [AddressFacts] {
    board.ports.windows.map { base, window in
      AddressFacts(
        base: UInt64(base), byteCount: window.count, name: window.name, kind: .registers, priority: 0,
        isEnabled: true, offset: 0)
    }.sorted { $0.base < $1.base }
  }

  /// Reads 1, 2 or 4 bytes from an I/O port as a device would be asked by the guest; all ones where none is, and
  /// for chips that the engine keeps to itself.
  public func readPort(_ port: UInt16, byteCount: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: board.ports.read(port, Self.portWidth(byteCount)))
  }

  /// Writes 1, 2 or 4 bytes to an I/O port.
  public func writePort(_ port: UInt16, _ value: UInt32, byteCount: Int) {
    let width = Self.portWidth(byteCount)
    board.ports.write(port, UInt64(value) & width.allOnes, width)
  }

  private static func portWidth(_ byteCount: Int) -> AccessWidth {
    switch byteCount {
    case 4: .dword
    case 2: .word
    default: .byte
    }
  }
}

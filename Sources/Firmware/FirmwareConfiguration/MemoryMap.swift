// SPDX-License-Identifier: GPL-2.0-or-later

/// The memory that `etc/e820` tells the firmware about. The firmware itself adds what a PC always has below
/// 1 MiB, its own tables, and the BIOS ROM.
public struct MemoryMap: Equatable, Sendable {
  /// What a range is (ACPI 6.4, section 15, Address Range Types).
  public enum Kind: UInt32, Sendable {
    case ram = 1
    case reserved = 2
  }

  /// One range.
  public struct Entry: Equatable, Sendable {
    public var base: UInt64
    public var count: UInt64
    public var kind: Kind
    /// `count` bytes from `base` on.
    public init(base: UInt64, count: UInt64, kind: Kind) {
      self.base = base
      self.count = count
      self.kind = kind
    }
  }

  /// The ranges.
  public var entries: [Entry]

  /// RAM from 0, and from 4 GiB if there is that much, plus reserved ranges (KVM's own pages below the BIOS).
  public init(ramBelow4G: UInt64, ramAbove4G: UInt64 = 0, reserved: [(base: UInt64, count: UInt64)] = []) {
    entries = reserved.map { Entry(base: $0.base, count: $0.count, kind: .reserved) }
    entries.append(Entry(base: 0, count: ramBelow4G, kind: .ram))
    if ramAbove4G > 0 { entries.append(Entry(base: 1 << 32, count: ramAbove4G, kind: .ram)) }
  }

  /// The file's form: base and length (64 bits each) and type (32 bits), little-endian, without gaps.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries {
      bytes.append(littleEndian: entry.base)
      bytes.append(littleEndian: entry.count)
      bytes.append(littleEndian: entry.kind.rawValue)
    }
    return bytes
  }
}

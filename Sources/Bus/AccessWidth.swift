// SPDX-License-Identifier: GPL-2.0-or-later

/// The width of one access to ports or memory, in bytes.
public enum AccessWidth: UInt8, Sendable, Comparable, CaseIterable {
  /// 8 bits.
  case byte = 1
  /// 16 bits.
  case word = 2
  /// 32 bits.
  case dword = 4
  /// 64 bits; memory only.
  case qword = 8

  /// The width in bytes.
  @inlinable public var count: Int { Int(rawValue) }
  /// The value with all bits of this width set: what an absent device reads as.
  @inlinable public var allOnes: UInt64 { ~0 >> (64 - UInt64(rawValue) * 8) }
  @inlinable public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The widest access that fits in `count` bytes (at least 1).
  @inlinable public init(fitting count: Int) {
    self = count >= 8 ? .qword : count >= 4 ? .dword : count >= 2 ? .word : .byte
  }
}

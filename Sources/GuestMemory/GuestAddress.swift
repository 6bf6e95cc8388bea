// SPDX-License-Identifier: GPL-2.0-or-later

/// A guest physical address (GPA), in bytes. Arithmetic wraps at 2^64, since guests hand in any value.
public struct GuestAddress: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  /// The address as a number.
  public var rawValue: UInt64

  /// The address `rawValue`.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// The address `rawValue`.
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = UInt64(rawValue) }

  @inlinable public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  @inlinable public static func + (left: Self, right: UInt64) -> Self { Self(left.rawValue &+ right) }
  @inlinable public static func + (left: Self, right: Int) -> Self {
    Self(left.rawValue &+ UInt64(bitPattern: Int64(right)))
  }
  @inlinable public static func += (left: inout Self, right: UInt64) { left = left + right }
  @inlinable public static func += (left: inout Self, right: Int) { left = left + right }

  /// Hexadecimal with 0x.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}

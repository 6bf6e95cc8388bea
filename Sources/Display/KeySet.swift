// SPDX-License-Identifier: GPL-2.0-or-later

/// A set of keys, without allocation: the keys that are down.
public struct KeySet: Sendable {
  private var bits = SIMD4<UInt64>()

  /// The empty set.
  public init() {}

  /// Whether no key is in it.
  public var isEmpty: Bool { bits == SIMD4() }

  /// Whether `key` is in it.
  public func contains(_ key: KeyCode) -> Bool { bits[word(key)] & bit(key) != 0 }

  /// Adds `key`.
  public mutating func insert(_ key: KeyCode) { bits[word(key)] |= bit(key) }

  /// Takes `key` out.
  public mutating func remove(_ key: KeyCode) { bits[word(key)] &= ~bit(key) }

  /// Calls `body` for each key, in the order of their codes.
  public func forEach(_ body: (KeyCode) -> Void) {
    for code in UInt8.min...UInt8.max where contains(KeyCode(rawValue: code)) {
      body(KeyCode(rawValue: code))
    }
  }

  private func word(_ key: KeyCode) -> Int { Int(key.rawValue >> 6) }
  private func bit(_ key: KeyCode) -> UInt64 { 1 << UInt64(key.rawValue & 63) }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// The 16 bytes that a PS/2 device's microcontroller can hold back, as a shift register: nothing is allocated.
struct PS2Queue: Codable, Equatable, Sendable {
  static let capacity = 16
  /// The oldest byte is the lowest; what is not used is zero.
  private var low: UInt64 = 0
  private var high: UInt64 = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var room: Int { Self.capacity - count }

  /// Adds a byte; one that does not fit is lost.
  mutating func append(_ byte: UInt8) {
    guard room > 0 else { return }
    if count < 8 {
      low |= UInt64(byte) << UInt64(8 * count)
    } else {
      high |= UInt64(byte) << UInt64(8 * (count - 8))
    }
    count += 1
  }

  /// Takes the oldest byte.
  mutating func next() -> UInt8? {
    guard count > 0 else { return nil }
    let byte = UInt8(truncatingIfNeeded: low)
    low = low >> 8 | high << 56
    high >>= 8
    count -= 1
    return byte
  }

  mutating func removeAll() { self = PS2Queue() }

  /// Whether a restored queue could be a queue.
  var isValid: Bool { (0...Self.capacity).contains(count) }
}

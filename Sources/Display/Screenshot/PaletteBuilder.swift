// SPDX-License-Identifier: GPL-2.0-or-later

/// Numbers the colours of a picture in the order in which they appear, up to 256 of them.
struct PaletteBuilder {
  /// The colours so far.
  private(set) var colors: [UInt32] = []
  /// Slots found by hashing and searched upwards: a colour and its number, or `empty`. At most a quarter are in use.
  private var slots = [UInt64](repeating: PaletteBuilder.empty, count: PaletteBuilder.slotCount)
  private var lastColor: UInt32?
  private var lastIndex: UInt8 = 0

  private static let slotBits = 10
  private static let slotCount = 1 << slotBits
  private static let empty = UInt64.max

  /// The number of a colour of 24 bits; nil if it is the 257th.
  mutating func index(of color: UInt32) -> UInt8? {
    if color == lastColor { return lastIndex }
    // Fibonacci hashing: the high bits of the product depend on all of the colour.
    var slot = Int(truncatingIfNeeded: (color &* 0x9E37_79B1) >> UInt32(32 - Self.slotBits))
    while slots[slot] != Self.empty && slots[slot] >> 8 != UInt64(color) {
      slot = (slot + 1) & (Self.slotCount - 1)
    }
    if slots[slot] == Self.empty {
      guard colors.count < 256 else { return nil }
      slots[slot] = UInt64(color) << 8 | UInt64(colors.count)
      colors.append(color)
    }
    lastColor = color
    lastIndex = UInt8(truncatingIfNeeded: slots[slot])
    return lastIndex
  }
}

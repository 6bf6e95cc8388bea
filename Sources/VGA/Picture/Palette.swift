// SPDX-License-Identifier: GPL-2.0-or-later

/// Colours as the surface has them: the 256 of the DAC, and the 16 the attribute controller picks of them.
final class Palette {
  /// The DAC's 256.
  let dac: UnsafeMutablePointer<UInt32>
  /// The attribute controller's 16.
  let indexed: UnsafeMutablePointer<UInt32>
  private var version: UInt64?

  /// All black.
  init() {
    dac = .allocate(capacity: 256)
    dac.initialize(repeating: 0, count: 256)
    indexed = .allocate(capacity: 16)
    indexed.initialize(repeating: 0, count: 16)
  }

  deinit {
    dac.deallocate()
    indexed.deallocate()
  }

  /// Takes the colours from the registers.
  /// - Returns: whether any changed.
  func update(from registers: VGARegisterBank) -> Bool {
    guard version != registers.colorVersion else { return false }
    version = registers.colorVersion
    var hasChanged = false
    func set(_ color: UInt32, at entry: UnsafeMutablePointer<UInt32>) {
      if entry.pointee != color { hasChanged = true }
      entry.pointee = color
    }
    let is8Bit = registers.is8BitDAC
    func widened(_ value: UInt8) -> UInt32 {
      // Six bits, the high ones repeated below.
      is8Bit ? UInt32(value) : UInt32(value & 0x3F) << 2 | UInt32(value & 0x3F) >> 4
    }
    for index in 0..<256 {
      let color = registers.dac + Int(UInt8(index) & registers.dacMask) * 3
      set(widened(color[0]) << 16 | widened(color[1]) << 8 | widened(color[2]), at: dac + index)
    }
    let select = registers.attribute[Attribute.colorSelect]
    for index in 0..<16 {
      let value = registers.attribute[index & Int(registers.attribute[Attribute.planeEnable])]
      // Bit 7 of the mode: bits 4 and 5 come from the colour select register too.
      let color =
        registers.attribute[Attribute.mode] & 0x80 != 0
        ? value & 0x0F | (select & 0x0F) << 4 : value & 0x3F | (select & 0x0C) << 4
      set(dac[Int(color)], at: indexed + index)
    }
    return hasChanged
  }
}

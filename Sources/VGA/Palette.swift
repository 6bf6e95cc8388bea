// SPDX-License-Identifier: GPL-2.0-or-later

/// Colours as the surface has them: the 256 of the DAC, and the 16 the attribute controller picks of them.
struct Palette: Equatable {
  /// The DAC's.
  private(set) var dac = [UInt32](repeating: 0, count: 256)
  /// The attribute controller's.
  private(set) var indexed = [UInt32](repeating: 0, count: 16)

  /// All black.
  init() {}

  /// The colours the registers say.
  init(_ registers: VGARegisters) {
    let is8Bit = registers.isDispiEnabled && registers.dispi[DISPI.enable] & DISPI.dac8Bit != 0
    func widened(_ value: UInt8) -> UInt32 {
      // Six bits, the high ones repeated below.
      is8Bit ? UInt32(value) : UInt32(value & 0x3F) << 2 | UInt32(value & 0x3F) >> 4
    }
    for index in 0..<256 {
      let entry = Int(UInt8(index) & registers.dacMask) * 3
      dac[index] =
        widened(registers.dac[entry]) << 16 | widened(registers.dac[entry + 1]) << 8
        | widened(registers.dac[entry + 2])
    }
    let select = registers.attribute[Attribute.colorSelect]
    for index in 0..<16 {
      let value = registers.attribute[index]
      // Bit 7 of the mode: bits 4 and 5 come from the colour select register too.
      let color =
        registers.attribute[Attribute.mode] & 0x80 != 0
        ? value & 0x0F | (select & 0x0F) << 4 : value & 0x3F | (select & 0x0C) << 4
      indexed[index] = dac[Int(color)]
    }
  }
}

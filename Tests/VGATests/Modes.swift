// SPDX-License-Identifier: GPL-2.0-or-later

/// The registers of a mode, as the parameter tables of every VGA BIOS have them.
struct Mode {
  var miscellaneous: UInt8
  var sequencer: [UInt8]
  var crtc: [UInt8]
  var graphics: [UInt8]
  var attribute: [UInt8]

  private static let sixteenColors: [UInt8] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F,
  ]

  /// Mode 3: text, 80 × 25 cells of 9 × 16 dots.
  static let text80 = Mode(
    miscellaneous: 0x67, sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
    crtc: [
      0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF],
    attribute: sixteenColors + [0x0C, 0x00, 0x0F, 0x08, 0x00])

  /// Mode 1: text, 40 × 25 cells.
  static let text40 = Mode(
    miscellaneous: 0x67, sequencer: [0x03, 0x08, 0x03, 0x00, 0x02],
    crtc: [
      0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x14, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
    ], graphics: text80.graphics, attribute: text80.attribute)

  /// Mode 7: text in black and white, with underlining.
  static let mono = Mode(
    miscellaneous: 0x66, sequencer: text80.sequencer,
    crtc: text80.crtc.replacing(0x14, with: 0x0D), graphics: [0, 0, 0, 0, 0, 0x10, 0x0A, 0, 0xFF],
    attribute: [
      0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x0E, 0, 0x0F, 0x08, 0,
    ])

  /// Mode 4: 320 × 200 in four colours, as the CGA has it.
  static let cga4 = Mode(
    miscellaneous: 0x63, sequencer: [0x03, 0x09, 0x03, 0x00, 0x02],
    crtc: [
      0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xA2, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0x30, 0x0F, 0, 0xFF],
    attribute: [
      0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01,
      0x00, 0x03, 0x00, 0x00,
    ])

  /// Mode 6: 640 × 200 in black and white, as the CGA has it.
  static let cga2 = Mode(
    miscellaneous: 0x63, sequencer: [0x03, 0x01, 0x01, 0x00, 0x06],
    crtc: [
      0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x28, 0x00, 0x96, 0xB9, 0xC2, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0, 0x0D, 0, 0xFF],
    attribute: [0] + [UInt8](repeating: 0x17, count: 15) + [0x01, 0x00, 0x01, 0x00, 0x00])

  /// Mode 0Dh: 320 × 200 in 16 colours.
  static let planar320 = Mode(
    miscellaneous: 0x63, sequencer: [0x03, 0x09, 0x0F, 0x00, 0x06],
    crtc: [
      0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xE3, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0, 0x05, 0x0F, 0xFF],
    attribute: [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x0F, 0, 0])

  /// Mode 12h: 640 × 480 in 16 colours.
  static let planar640 = Mode(
    miscellaneous: 0xE3, sequencer: [0x03, 0x01, 0x0F, 0x00, 0x06],
    crtc: [
      0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xEA,
      0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0, 0x05, 0x0F, 0xFF],
    attribute: sixteenColors + [0x01, 0x00, 0x0F, 0x00, 0x00])

  /// Mode 13h: 320 × 200 in 256 colours, a byte a pixel.
  static let packed256 = Mode(
    miscellaneous: 0x63, sequencer: [0x03, 0x01, 0x0F, 0x00, 0x0E],
    crtc: [
      0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9C,
      0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF,
    ], graphics: [0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF],
    attribute: Array(0..<16) + [0x41, 0x00, 0x0F, 0x00, 0x00])

  /// "Mode X": 320 × 240 in 256 colours, a plane for every fourth pixel (M. Abrash, Graphics Programming Black
  /// Book, chapter 47).
  static let modeX = Mode(
    miscellaneous: 0xE3, sequencer: [0x03, 0x01, 0x0F, 0x00, 0x06],
    crtc: [
      0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0D, 0x3E, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xEA,
      0xAC, 0xDF, 0x28, 0x00, 0xE7, 0x06, 0xE3, 0xFF,
    ], graphics: packed256.graphics, attribute: packed256.attribute)
}

extension [UInt8] {
  /// The array with one element changed.
  func replacing(_ index: Int, with value: UInt8) -> [UInt8] {
    var copy = self
    copy[index] = value
    return copy
  }
}

extension Card {
  /// Sets a mode as a BIOS does, with the default colours of 16-colour modes.
  func set(_ mode: Mode) {
    board.outb(0x3C2, mode.miscellaneous)
    let crtcPort: UInt16 = mode.miscellaneous & 1 != 0 ? 0x3D4 : 0x3B4
    for (index, value) in mode.sequencer.enumerated() { sequencer(UInt8(index), value) }
    board.outw(crtcPort, 0x0011)
    for (index, value) in mode.crtc.enumerated() { board.outw(crtcPort, UInt16(index) | UInt16(value) << 8) }
    for (index, value) in mode.graphics.enumerated() { graphics(UInt8(index), value) }
    _ = board.inb(crtcPort + 6)
    for (index, value) in mode.attribute.enumerated() {
      board.outb(0x3C0, UInt8(index))
      board.outb(0x3C0, value)
    }
    board.outb(0x3C0, 0x20)
    setDefaultColors(of: mode)
  }

  /// Modes of 350 lines and more have two bits a component, as on an EGA: bits 2 … 0 are the bright two thirds of
  /// red, green and blue, bits 5 … 3 the other third. Modes of 200 lines have the CGA's: bit 4 is intensity.
  /// Monochrome modes have grays.
  private func setDefaultColors(of mode: Mode) {
    let likeCGA = mode.miscellaneous == 0x63
    board.outb(0x3C8, 0)
    for index in UInt8(0)..<64 {
      for bit in [2, 1, 0] as [UInt8] {
        if mode.miscellaneous & 1 == 0 {
          board.outb(0x3C9, (index >> 3 & 1) * 42 + (index >> 4 & 1) * 21)
          continue
        }
        let third = likeCGA ? index >> 4 & 1 : index >> (bit + 3) & 1
        let isBrown = likeCGA && index & 0x17 == 6 && bit == 1
        board.outb(0x3C9, isBrown ? 21 : (index >> bit & 1) * 42 + third * 21)
      }
    }
    for index in UInt8(64)...255 {
      for shift in [5, 2, 0] as [UInt8] { board.outb(0x3C9, (index >> shift & 7) * 9) }
    }
  }

  /// Writes an 8 × 16 font of our own into plane 2: each character shows its code in hexadecimal, those from C0h
  /// to DFh have a line across besides. `font` is one of eight, as the character map register counts the first
  /// four (at multiples of 16 KiB).
  func loadFont(_ font: Int = 0, inverted: Bool = false) {
    sequencer(2, 4)
    sequencer(4, 7)
    graphics(4, 2)
    graphics(5, 0)
    graphics(6, 4)
    for character in 0..<256 {
      for row in 0..<16 {
        let dots = TestFont.row(character: character, row)
        poke(0xA0000 + UInt64(font * 0x4000 + character * 32 + row), inverted ? ~dots : dots)
      }
    }
    sequencer(2, 3)
    sequencer(4, 2)
    graphics(4, 0)
    graphics(5, 0x10)
    graphics(6, 0x0E)
  }

  /// Writes a cell of colour text.
  func putCell(_ index: Int, _ character: UInt8, _ attribute: UInt8, at base: UInt64 = 0xB8000) {
    poke(base + UInt64(index * 2), character)
    poke(base + UInt64(index * 2 + 1), attribute)
  }
}

/// Hexadecimal digits of 3 × 5 dots.
enum TestFont {
  private static let digits: [[UInt8]] = [
    [7, 5, 5, 5, 7], [2, 6, 2, 2, 7], [7, 1, 7, 4, 7], [7, 1, 7, 1, 7], [5, 5, 7, 1, 1], [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7], [7, 1, 1, 2, 2], [7, 5, 7, 5, 7], [7, 5, 7, 1, 7], [7, 5, 7, 5, 5], [6, 5, 6, 5, 6],
    [7, 4, 4, 4, 7], [6, 5, 5, 5, 6], [7, 4, 7, 4, 7], [7, 4, 7, 4, 4],
  ]

  static func row(character: Int, _ row: Int) -> UInt8 {
    if character == 0x20 || character == 0 { return 0 }
    if (0xC0...0xDF).contains(character) && row == 14 { return 0xFF }
    guard (2..<12).contains(row) else { return 0 }
    let line = (row - 2) / 2
    return digits[character >> 4][line] << 5 | digits[character & 15][line] << 1
  }
}

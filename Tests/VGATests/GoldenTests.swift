// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Foundation
import TestSupport
import Testing

/// Pictures of each mode, drawn through registers and memory as a driver would, and compared with files that
/// were looked at. `MARTLET_RECORD_GOLDENS=1` writes the files anew: look at them before committing.
@Suite struct GoldenTests {
  private func check(_ name: String, _ picture: Screenshot) throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/\(name).png").path
    if ProcessInfo.processInfo.environment["MARTLET_RECORD_GOLDENS"] != nil { try picture.write(to: path) }
    let golden = try Screenshot(png: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    let difference = picture.firstDifference(from: golden)
    if difference != nil { try picture.write(to: NSTemporaryDirectory() + "\(name)-is.png") }
    #expect(
      difference == nil, "\(name) differs at \(String(describing: difference)); see \(name)-is.png in TMPDIR")
  }

  private func textCard(_ mode: Mode = .text80) throws -> Card {
    let card = try Card(megabytes: 1)
    card.set(mode)
    card.loadFont()
    return card
  }

  // MARK: Text

  @Test func textInAllAttributes() throws {
    let card = try textCard()
    // Backgrounds down, foregrounds across; bright backgrounds instead of blinking.
    card.attribute(0x10, 0x04)
    for row in 0..<25 {
      for column in 0..<80 {
        let attribute = row < 16 ? UInt8(row << 4 | column / 5) : 0x07
        card.putCell(row * 80 + column, UInt8(truncatingIfNeeded: row * 80 + column), attribute)
      }
    }
    card.crtc(0x0E, 0x06)
    card.crtc(0x0F, 0x45)
    try check("text-80x25", card.picture())
  }

  @Test func blinkingTextIsDarkEverySecondHalfSecond() throws {
    let card = try textCard()
    for column in 0..<80 { card.putCell(column, UInt8(column), column & 4 == 0 ? 0x1E : 0x9E) }
    card.crtc(0x0A, 0x20)
    let bright = card.picture()
    try check("text-blink-bright", bright)
    card.board.clock.advance(by: 600_000_000)
    let dark = card.picture()
    try check("text-blink-dark", dark)
    card.board.clock.advance(by: 500_000_000)
    #expect(card.picture() == bright)
  }

  @Test func textIn40Columns() throws {
    let card = try textCard(.text40)
    for index in 0..<1000 {
      card.putCell(index, UInt8(truncatingIfNeeded: index), UInt8(truncatingIfNeeded: index / 40 + 1))
    }
    card.crtc(0x0A, 0x00)
    card.crtc(0x0B, 0x0F)
    try check("text-40x25", card.picture())
  }

  @Test func monochromeTextIsUnderlined() throws {
    let card = try Card(megabytes: 1)
    card.set(.text80)
    card.loadFont()
    card.set(.mono)
    for (row, attribute) in ([0x07, 0x0F, 0x01, 0x09, 0x70, 0x00] as [UInt8]).enumerated() {
      for column in 0..<80 { card.putCell(row * 80 + column, UInt8(0x40 + column), attribute, at: 0xB0000) }
    }
    try check("text-mono", card.picture())
  }

  @Test func twoFontsOf256CharactersEach() throws {
    let card = try textCard()
    card.loadFont(1, inverted: true)
    // Attributes with bit 3 show font 1, those without font 0; the bit is no colour.
    card.sequencer(3, 0x04)
    card.attribute(0x12, 0x07)
    for index in 0..<2000 { card.putCell(index, UInt8(truncatingIfNeeded: index), UInt8(index / 80 & 15)) }
    try check("text-two-fonts", card.picture())
  }

  @Test func textPannedAndSplit() throws {
    let card = try textCard()
    for index in 0..<4000 {
      card.putCell(index, UInt8(truncatingIfNeeded: index), UInt8(truncatingIfNeeded: index / 80 % 15 + 1))
    }
    // Five lines and three cells down, six scan lines and four dots further, and the start again below line 300.
    card.crtc(0x0C, 0x01)
    card.crtc(0x0D, 0x93)
    card.crtc(0x08, 0x06)
    card.attribute(0x13, 0x03)
    card.attribute(0x10, 0x2C)
    card.crtc(0x11, 0x0E)
    card.crtc(0x18, 0x2B)
    card.crtc(0x07, 0x1F)
    card.crtc(0x09, 0x0F)
    try check("text-split", card.picture())
  }

  // MARK: CGA

  @Test func cgaInFourColours() throws {
    let card = try Card(megabytes: 1)
    card.set(.cga4)
    for y in 0..<200 {
      for x in 0..<80 {
        let color = UInt8((x / 5 + y / 25) & 3)
        let byte = y == x * 2 ? 0xE4 : color &* 0x55
        card.poke(0xB8000 + UInt64((y & 1) * 0x2000 + y / 2 * 80 + x), byte)
      }
    }
    try check("cga-320x200x4", card.picture())
  }

  @Test func cgaInBlackAndWhite() throws {
    let card = try Card(megabytes: 1)
    card.set(.cga2)
    for y in 0..<200 {
      for x in 0..<80 {
        card.poke(0xB8000 + UInt64((y & 1) * 0x2000 + y / 2 * 80 + x), (x + y / 8) & 1 == 0 ? 0xF0 : UInt8(y))
      }
    }
    try check("cga-640x200x2", card.picture())
  }

  // MARK: Planes

  /// Sixteen bars, each by set/reset in one go, with a frame and diagonals by the bit mask.
  private func drawPlanar(_ card: Card, width: Int, height: Int) {
    card.graphics(1, 0x0F)
    for y in 0..<height {
      for x in 0..<(width / 8) {
        let color = UInt8(x * 16 / (width / 8))
        card.graphics(0, (y / 32 & 1 != 0) ? 15 - color : color)
        card.poke(0xA0000 + UInt64(y * width / 8 + x), 0)
      }
    }
    card.graphics(0, 15)
    for y in 0..<height {
      for x in [0, width - 1, y, width - 1 - y] {
        card.graphics(8, 0x80 >> UInt8(x & 7))
        _ = card.peek(0xA0000 + UInt64((y * width + x) / 8))
        card.poke(0xA0000 + UInt64((y * width + x) / 8), 0)
      }
    }
    card.graphics(8, 0xFF)
    card.graphics(1, 0)
  }

  @Test func planarIn640By480() throws {
    let card = try Card(megabytes: 1)
    card.set(.planar640)
    drawPlanar(card, width: 640, height: 480)
    try check("planar-640x480", card.picture())
  }

  @Test func planarIn320By200Panned() throws {
    let card = try Card(megabytes: 1)
    card.set(.planar320)
    drawPlanar(card, width: 320, height: 200)
    // Ten lines and two bytes down, three dots further.
    card.attribute(0x13, 3)
    card.crtc(0x0D, 0x92)
    card.crtc(0x0C, 1)
    try check("planar-320x200-panned", card.picture())
  }

  // MARK: 256 colours

  @Test func mode13h() throws {
    let card = try Card(megabytes: 1)
    card.set(.packed256)
    for y in 0..<200 {
      for x in 0..<320 { card.poke(0xA0000 + UInt64(y * 320 + x), UInt8(x / 20 | (y / 13) << 4)) }
    }
    try check("mode-13h", card.picture())
  }

  @Test func modeX() throws {
    let card = try Card(megabytes: 1)
    card.set(.modeX)
    for plane in 0..<4 {
      card.sequencer(2, 1 << UInt8(plane))
      for y in 0..<240 {
        for x in 0..<80 {
          let column = x * 4 + plane
          let distance = (column - 160) * (column - 160) + (y - 120) * (y - 120)
          card.poke(0xA0000 + UInt64(y * 80 + x), UInt8(truncatingIfNeeded: distance / 1024 * 3))
        }
      }
    }
    try check("mode-x", card.picture())
  }

  // MARK: Display interface

  private func dispiCard(bits: UInt16, width: UInt16 = 320, height: UInt16 = 200) throws -> Card {
    let card = try Card(megabytes: 1)
    card.set(.packed256)
    card.dispi(4, 0)
    card.dispi(1, width)
    card.dispi(2, height)
    card.dispi(3, bits)
    card.dispi(4, 0x41)
    return card
  }

  /// Red across, green down, blue in steps of 32 pixels.
  private func component(_ x: Int, _ y: Int, red: Int, green: Int, blue: Int) -> UInt32 {
    let r = (x / 32) * ((1 << red) - 1) / 9
    let g = (y / 16) * ((1 << green) - 1) / 12
    let b = ((x ^ y) / 32 & 7) * ((1 << blue) - 1) / 7
    return UInt32(r << (green + blue) | g << blue | b)
  }

  @Test(arguments: [8, 15, 16, 24, 32] as [UInt16]) func linear(bits: UInt16) throws {
    let card = try dispiCard(bits: bits)
    let bytes = (Int(bits) + 7) / 8
    for y in 0..<200 {
      for x in 0..<320 {
        let value: UInt32 =
          switch bits {
          case 8: UInt32(x / 20 | (y / 13) << 4)
          case 15: component(x, y, red: 5, green: 5, blue: 5)
          case 16: component(x, y, red: 5, green: 6, blue: 5)
          default: component(x, y, red: 8, green: 8, blue: 8)
          }
        card.pokePixel((y * 320 + x) * bytes, value, byteCount: bytes)
      }
    }
    try check("linear-\(bits)", card.picture())
  }

  @Test func fourBitsThroughTheBanksOfTheDisplayInterface() throws {
    let card = try dispiCard(bits: 4, width: 640, height: 400)
    card.set16Colors()
    drawPlanar(card, width: 640, height: 400)
    try check("dispi-4", card.picture())
  }
}

extension Card {
  /// The attribute controller's palette of 16-colour modes.
  func set16Colors() {
    _ = board.inb(0x3DA)
    for (index, value) in Mode.planar640.attribute.enumerated() {
      board.outb(0x3C0, UInt8(index))
      board.outb(0x3C0, value)
    }
    board.outb(0x3C0, 0x20)
  }
}

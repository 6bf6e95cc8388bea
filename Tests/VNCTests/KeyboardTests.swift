// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Testing

@testable import VNC

/// Key symbols of plain viewers on guests of several layouts.
@Suite(.serialized) struct KeyboardTests {
  /// What is pressed (and released, negative) for a series of symbols.
  private func type(
    _ symbols: [(UInt32, Bool)], _ layout: String = "en-us", leds: KeyboardLEDs = []
  ) throws -> [Int] {
    let layout = try KeyboardLayout(KeyboardLayoutName(layout))
    var typing = KeysymTyping()
    var keys: [Int] = []
    for (symbol, isDown) in symbols {
      _ = typing.type(symbol, isDown: isDown, layout: layout, leds: leds) {
        keys.append($1 ? Int($0.rawValue) : -Int($0.rawValue))
      }
    }
    return keys
  }

  @Test func `US letters and signs`() throws {
    #expect(try type([(0x61, true), (0x61, false)]) == [0x1E, -0x1E])
    #expect(try type([(0x40, true), (0x40, false)]) == [0x2A, 0x03, -0x2A, -0x03])
    #expect(try type([(0x7C, true)]) == [0x2A, 0x2B, -0x2A])
    #expect(
      try type([(0x20, true), (0xFF0D, true), (0xFF1B, true), (0xFF09, true)]) == [0x39, 0x1C, 0x01, 0x0F])
  }

  @Test func `every printable ASCII character is on the US and German keyboards`() throws {
    for name in ["us", "de"] {
      let layout = try KeyboardLayout(KeyboardLayoutName(name))
      for symbol: UInt32 in 0x20...0x7E {
        #expect(
          layout.stroke(for: symbol) != nil || layout.deadStroke(for: symbol) != nil,
          "\(name) has no \(Character(Unicode.Scalar(UInt8(symbol))))")
      }
    }
  }

  @Test func `German letters and AltGr`() throws {
    // z, y, ä, and @, {, €, ~ with AltGr.
    #expect(try type([(0x7A, true), (0x79, true), (0xE4, true)], "de") == [0x15, 0x2C, 0x28])
    #expect(try type([(0x40, true)], "de") == [0xB8, 0x10, -0xB8])
    #expect(try type([(0x7B, true)], "de") == [0xB8, 0x08, -0xB8])
    #expect(try type([(0x20AC, true)], "de") == [0xB8, 0x12, -0xB8])
    // The same symbol by its Unicode number.
    #expect(try type([(0x0100_20AC, true)], "de") == [0xB8, 0x12, -0xB8])
    // '^' is a dead key: it and a space.
    #expect(try type([(0x5E, true), (0x5E, false)], "de") == [0x29, -0x29, 0x39, -0x39])
  }

  @Test func `modifiers of another layout are let go for the moment`() throws {
    // A German viewer types '/' as Shift + 7; a US guest has it without Shift.
    #expect(
      try type([(0xFFE1, true), (0x2F, true), (0x2F, false), (0xFFE1, false)])
        == [0x2A, -0x2A, 0x35, 0x2A, -0x35, -0x2A])
    // A German viewer types '@' as AltGr + Q; a US guest has it on Shift + 2.
    #expect(
      try type([(0xFE03, true), (0x40, true)]) == [0xB8, 0x2A, -0xB8, 0x03, 0xB8, -0x2A])
  }

  @Test func `modifiers stay where they do not choose a character`() throws {
    // Shift + Tab, Shift + F1, Ctrl + Alt + Del, Shift + space.
    #expect(try type([(0xFFE1, true), (0xFE20, true)]) == [0x2A, 0x0F])
    #expect(try type([(0xFFE1, true), (0xFF09, true), (0xFFBE, true)]) == [0x2A, 0x0F, 0x3B])
    #expect(try type([(0xFFE3, true), (0xFFE9, true), (0xFFFF, true)]) == [0x1D, 0x38, 0xD3])
    #expect(try type([(0xFFE1, true), (0x20, true)]) == [0x2A, 0x39])
  }

  @Test func `a key comes up although Shift came up first`() throws {
    #expect(
      try type([(0xFFE1, true), (0x41, true), (0xFFE1, false), (0x61, false), (0x41, false)])
        == [0x2A, 0x1E, -0x2A, -0x1E])
  }

  @Test func `Caps Lock turns letters round, nothing else`() throws {
    #expect(try type([(0x41, true)], leds: [.capsLock]) == [0x1E])
    #expect(try type([(0x61, true)], leds: [.capsLock]) == [0x2A, 0x1E, -0x2A])
    #expect(try type([(0x31, true)], leds: [.capsLock]) == [0x02])
    #expect(try type([(0x21, true)], leds: [.capsLock]) == [0x2A, 0x02, -0x2A])
  }

  @Test func `the keypad means what the viewer means`() throws {
    #expect(try type([(0xFFB7, true)], leds: [.numLock]) == [0x47])
    #expect(try type([(0xFFB7, true), (0xFFB7, false)]) == [0x08, -0x08])
    #expect(try type([(0xFF95, true)]) == [0x47])
    #expect(try type([(0xFF95, true)], leds: [.numLock]) == [0xC7])
    #expect(
      try type([(0xFFAB, true), (0xFFAD, true), (0xFF8D, true), (0xFFAF, true)]) == [0x4E, 0x4A, 0x9C, 0xB5])
  }

  @Test func `keys without characters`() throws {
    let keys: [(UInt32, Int)] = [
      (0xFF50, 0xC7), (0xFF51, 0xCB), (0xFF52, 0xC8), (0xFF53, 0xCD), (0xFF54, 0xD0), (0xFF55, 0xC9),
      (0xFF56, 0xD1),
      (0xFF57, 0xCF), (0xFF63, 0xD2), (0xFFFF, 0xD3), (0xFF08, 0x0E), (0xFFC8, 0x57), (0xFFC9, 0x58),
      (0xFFE5, 0x3A),
      (0xFF7F, 0x45), (0xFF14, 0x46), (0xFF61, 0xB7), (0xFF13, 0xC6), (0xFFEB, 0xDB), (0xFF67, 0xDD),
      (0xFFE4, 0x9D),
    ]
    for (symbol, key) in keys { #expect(try type([(symbol, true)]) == [key]) }
  }

  @Test func `layouts are known by QEMU's names and X's`() throws {
    #expect(try KeyboardLayoutName("en-us") == .us)
    #expect(try KeyboardLayoutName("us") == .us)
    #expect(try KeyboardLayoutName("de-ch") == KeyboardLayoutName("ch(de)"))
    for name in KeyboardLayoutName.knownNames { _ = try KeyboardLayoutName(name) }
    for name in ["xx", "../us", "", "us(", "us(../x)"] {
      #expect(throws: VNCError.unknownKeyboardLayout(name)) { try KeyboardLayoutName(name) }
    }
    #expect(throws: VNCError.keyboardDataMissing("us")) {
      try KeyboardLayout(KeyboardLayoutName("us(nonsense)"))
    }
  }

  @Test func `all of QEMU's layouts compile`() throws {
    for name in ["fr", "pt-br", "ja", "ru"] {
      #expect(try KeyboardLayout(KeyboardLayoutName(name)).stroke(for: 0xFF0D)?.code == .enter)
    }
  }
}

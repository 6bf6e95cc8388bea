// SPDX-License-Identifier: GPL-2.0-or-later

/// The blinking cursor of text modes.
struct TextCursor: Equatable {
  /// The character address; -1 for none.
  var address = -1
  private var first = 0
  private var last = 0
  /// In the bright half of its blinking.
  var isVisible = false

  private static let blinkNanoseconds: UInt64 = 267_000_000

  /// No cursor.
  init() {}

  /// The cursor the CRTC says.
  init(_ registers: VGARegisters, at time: UInt64) {
    guard registers.crtc[CRTC.cursorStart] & 0x20 == 0 else { return }
    address = registers.cursorAddress
    first = Int(registers.crtc[CRTC.cursorStart] & 0x1F)
    last = Int(registers.crtc[CRTC.cursorEnd] & 0x1F)
    isVisible = first <= last && time / Self.blinkNanoseconds & 1 == 0
  }

  /// Whether a scan line of its cell is inverted.
  func covers(_ scanLine: Int) -> Bool { scanLine >= first && scanLine <= last }
}

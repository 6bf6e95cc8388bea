// SPDX-License-Identifier: GPL-2.0-or-later

/// The cursor of text modes.
struct TextCursor: Equatable {
  /// The character address; -1 while none is seen.
  private(set) var address = -1
  private var first = 0
  private var last = 0

  /// Half a period: sixteen frames at 60 Hz.
  private static let blinkNanoseconds: UInt64 = 267_000_000

  /// No cursor.
  init() {}

  /// The cursor as the CRTC has it.
  init(_ registers: VGARegisterBank, at time: UInt64) {
    let start = registers.crtc[CRTC.cursorStart]
    guard start & 0x20 == 0, time / Self.blinkNanoseconds & 1 == 0 else { return }
    address = registers.cursorAddress
    first = Int(start & 0x1F)
    last = Int(registers.crtc[CRTC.cursorEnd] & 0x1F)
  }

  /// Its first and last scan line in one number of ten bits.
  @inline(__always)
  var shape: UInt32 { UInt32(first | last << 5) }

  /// Whether a scan line of its cell is all foreground.
  @inline(__always)
  func covers(_ scanLine: Int) -> Bool { scanLine >= first && scanLine <= last }
}

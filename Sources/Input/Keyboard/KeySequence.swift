// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// What the keyboard must remember to send the right codes for a key.
struct KeyModifiers: Codable, Equatable, Sendable {
  private var held: UInt8 = 0
  /// Print Screen went down as SysRq, and must come up as SysRq.
  private var isSysRqDown = false

  private static let shift: UInt8 = 0x03
  private static let control: UInt8 = 0x0C
  private static let alt: UInt8 = 0x30

  fileprivate var isAltHeld: Bool { held & Self.alt != 0 }
  fileprivate var isControlHeld: Bool { held & Self.control != 0 }
  fileprivate var isShiftOrControlHeld: Bool { held & (Self.shift | Self.control) != 0 }

  /// Notes a modifier key.
  mutating func note(_ code: KeyCode, isDown: Bool) {
    let bit: UInt8
    switch code {
    case .leftShift: bit = 1
    case .rightShift: bit = 2
    case .leftControl: bit = 4
    case .rightControl: bit = 8
    case .leftAlt: bit = 16
    case .rightAlt: bit = 32
    default: return
    }
    if isDown { held |= bit } else { held &= ~bit }
  }

  fileprivate mutating func isSysRq(isDown: Bool) -> Bool {
    if isDown { isSysRqDown = isAltHeld }
    return isSysRqDown
  }
}

/// The bytes a keyboard sends for one event of a key (IBM PS/2 Hardware Interface Technical Reference, keyboards, "Scan
/// Codes").
extension PS2Queue {
  private static let extended: UInt8 = 0xE0
  private static let breakPrefix: UInt8 = 0xF0

  /// The sequence of `code` in a scan code set; empty if the set has none for it.
  init(_ code: KeyCode, isDown: Bool, set: Int, modifiers: inout KeyModifiers) {
    self.init()
    let isSet1 = set == 1
    switch code {
    case _ where set == 3: appendSet3(code, isDown: isDown)
    case .pause: if isDown { appendPause(isSet1: isSet1, isBreak: modifiers.isControlHeld) }
    case .printScreen: appendPrintScreen(isDown: isDown, isSet1: isSet1, modifiers: &modifiers)
    default: appendKey(code.scanCode, isExtended: code.isExtended, isDown: isDown, isSet1: isSet1)
    }
  }

  /// Pause has no break code of its own; with Control held it is Break.
  private mutating func appendPause(isSet1: Bool, isBreak: Bool) {
    if isBreak {
      append(isSet1 ? ScanCodes.breakSet1 : ScanCodes.breakSet2)
    } else {
      append(isSet1 ? ScanCodes.pauseSet1 : ScanCodes.pauseSet2)
    }
  }

  private mutating func appendPrintScreen(isDown: Bool, isSet1: Bool, modifiers: inout KeyModifiers) {
    let scanCode = KeyCode.printScreen.scanCode
    if modifiers.isSysRq(isDown: isDown) {
      return appendKey(ScanCodes.sysRq, isExtended: false, isDown: isDown, isSet1: isSet1)
    }
    // Alone it comes wrapped in a Shift that nobody pressed.
    let isWrapped = !modifiers.isShiftOrControlHeld
    let shift = KeyCode.leftShift.scanCode
    if isWrapped && isDown { appendKey(shift, isExtended: true, isDown: true, isSet1: isSet1) }
    appendKey(scanCode, isExtended: true, isDown: isDown, isSet1: isSet1)
    if isWrapped && !isDown { appendKey(shift, isExtended: true, isDown: false, isSet1: isSet1) }
  }

  private mutating func appendKey(_ scanCode: UInt8, isExtended: Bool, isDown: Bool, isSet1: Bool) {
    let set2 = ScanCodes.set2ForSet1[Int(scanCode & 0x7F)]
    guard set2 != 0 else { return }
    if isExtended { append(Self.extended) }
    if isSet1 { return append(isDown ? scanCode : scanCode | 0x80) }
    if !isDown { append(Self.breakPrefix) }
    append(set2)
  }

  private mutating func appendSet3(_ code: KeyCode, isDown: Bool) {
    let make = ScanCodes.set3(code)
    guard make != 0 else { return }
    if !isDown { append(Self.breakPrefix) }
    append(make)
  }

  /// Adds bytes; the caller has seen that there is room.
  mutating func append(_ bytes: [UInt8]) {
    for byte in bytes { append(byte) }
  }

  /// Moves a whole sequence, or nothing.
  /// - Returns: false if there was no room for all of it.
  mutating func take(_ sequence: PS2Queue) -> Bool {
    guard sequence.count <= room else { return false }
    var sequence = sequence
    while let byte = sequence.next() { append(byte) }
    return true
  }
}

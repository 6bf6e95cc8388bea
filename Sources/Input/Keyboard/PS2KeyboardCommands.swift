// SPDX-License-Identifier: GPL-2.0-or-later

/// Commands of the system to the keyboard (IBM PS/2 Hardware Interface Technical Reference, keyboards, "Commands from
/// the System").
enum KeyboardCommand {
  static let setLEDs: UInt8 = 0xED
  static let echo: UInt8 = 0xEE
  static let scanCodeSet: UInt8 = 0xF0
  static let identify: UInt8 = 0xF2
  static let typematic: UInt8 = 0xF3
  static let enable: UInt8 = 0xF4
  static let disable: UInt8 = 0xF5
  static let setDefaults: UInt8 = 0xF6
  /// Key types of set 3 for all keys.
  static let setAllKeys: ClosedRange<UInt8> = 0xF7...0xFA
  /// Key types of set 3 for the keys whose codes follow.
  static let setKeys: ClosedRange<UInt8> = 0xFB...0xFD
  static let resend: UInt8 = 0xFE
  static let reset: UInt8 = 0xFF
}

/// What the keyboard says besides scan codes ("Commands to the System").
enum KeyboardAnswer {
  static let acknowledge: UInt8 = 0xFA
  static let selfTestPassed: UInt8 = 0xAA
  static let resend: UInt8 = 0xFE
  static let identity: (UInt8, UInt8) = (0xAB, 0x83)
  static let overrunSet1: UInt8 = 0xFF
  static let overrunSet2: UInt8 = 0x00
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// Commands of the system to the mouse (IBM PS/2 Hardware Interface Technical Reference, mouse).
enum MouseCommand {
  static let scale1To1: UInt8 = 0xE6
  static let scale2To1: UInt8 = 0xE7
  static let setResolution: UInt8 = 0xE8
  static let status: UInt8 = 0xE9
  static let streamMode: UInt8 = 0xEA
  static let readData: UInt8 = 0xEB
  static let resetWrap: UInt8 = 0xEC
  static let wrapMode: UInt8 = 0xEE
  static let remoteMode: UInt8 = 0xF0
  static let identify: UInt8 = 0xF2
  static let setSampleRate: UInt8 = 0xF3
  static let enable: UInt8 = 0xF4
  static let disable: UInt8 = 0xF5
  static let setDefaults: UInt8 = 0xF6
  static let resend: UInt8 = 0xFE
  static let reset: UInt8 = 0xFF
}

enum MouseAnswer {
  static let acknowledge: UInt8 = 0xFA
  static let selfTestPassed: UInt8 = 0xAA
  static let error: UInt8 = 0xFE
}

/// What a mouse says it is, by the packets it sends.
enum MouseIdentity {
  /// Three bytes.
  static let standard: UInt8 = 0
  /// IntelliMouse: a fourth byte for the wheel.
  static let wheel: UInt8 = 3
  /// IntelliMouse Explorer: the fourth byte holds two more buttons.
  static let fiveButtons: UInt8 = 4
}

/// Bits of a packet's first byte, and of the fourth of a mouse with five buttons.
enum MousePacket {
  static let alwaysSet: UInt8 = 1 << 3
  static let isXNegative: UInt8 = 1 << 4
  static let isYNegative: UInt8 = 1 << 5
}

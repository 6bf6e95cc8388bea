// SPDX-License-Identifier: GPL-2.0-or-later

/// The status register at port 0x64 (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device
/// controller).
enum KBCStatus {
  static let outputFull: UInt8 = 1 << 0
  static let systemFlag: UInt8 = 1 << 2
  /// The last write was to 0x64.
  static let command: UInt8 = 1 << 3
  static let keyboardUnlocked: UInt8 = 1 << 4
  /// The byte in the output buffer is the mouse's.
  static let auxiliaryFull: UInt8 = 1 << 5
  static let all = outputFull | systemFlag | command | keyboardUnlocked | auxiliaryFull
}

/// The controller command byte.
enum KBCMode {
  static let keyboardInterrupt: UInt8 = 1 << 0
  static let mouseInterrupt: UInt8 = 1 << 1
  static let systemFlag: UInt8 = 1 << 2
  static let keyboardDisabled: UInt8 = 1 << 4
  static let mouseDisabled: UInt8 = 1 << 5
  /// Scan codes of set 2 are translated to set 1.
  static let translate: UInt8 = 1 << 6
}

/// Commands at port 0x64.
enum KBCCommand {
  static let readMode: UInt8 = 0x20
  static let writeMode: UInt8 = 0x60
  /// Whether a password is loaded.
  static let testPassword: UInt8 = 0xA4
  static let disableMouse: UInt8 = 0xA7
  static let enableMouse: UInt8 = 0xA8
  static let testMouse: UInt8 = 0xA9
  static let selfTest: UInt8 = 0xAA
  static let testKeyboard: UInt8 = 0xAB
  static let disableKeyboard: UInt8 = 0xAD
  static let enableKeyboard: UInt8 = 0xAE
  static let readInputPort: UInt8 = 0xC0
  static let readOutputPort: UInt8 = 0xD0
  static let writeOutputPort: UInt8 = 0xD1
  static let writeKeyboardOutput: UInt8 = 0xD2
  static let writeMouseOutput: UInt8 = 0xD3
  static let writeMouse: UInt8 = 0xD4
  static let disableA20: UInt8 = 0xDD
  static let enableA20: UInt8 = 0xDF
  static let pulseOutput: UInt8 = 0xF0
}

/// The output port.
enum KBCOutputPort {
  /// Low resets the CPU.
  static let notReset: UInt8 = 1 << 0
  static let a20: UInt8 = 1 << 1
  static let keyboardFull: UInt8 = 1 << 4
  static let mouseFull: UInt8 = 1 << 5
  /// Clock and data of both ports, which are high while nothing is being sent.
  static let idleLines: UInt8 = 0xCC
}

/// Answers of the controller.
enum KBCAnswer {
  static let selfTestPassed: UInt8 = 0x55
  static let testPassed: UInt8 = 0x00
  static let noPassword: UInt8 = 0xF1
  /// The input port: the keyboard is not locked.
  static let inputPort: UInt8 = 0x80
}

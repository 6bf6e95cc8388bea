// SPDX-License-Identifier: GPL-2.0-or-later

/// The clock's registers (Motorola MC146818A data sheet, table "address map").
enum RTCRegister {
  static let seconds = 0x00
  static let secondsAlarm = 0x01
  static let minutes = 0x02
  static let minutesAlarm = 0x03
  static let hours = 0x04
  static let hoursAlarm = 0x05
  static let dayOfWeek = 0x06
  static let dayOfMonth = 0x07
  static let month = 0x08
  static let year = 0x09
  static let a = 0x0A
  static let b = 0x0B
  static let c = 0x0C
  static let d = 0x0D
  /// IBM's addition, where QEMU and SeaBIOS keep it.
  static let century = 0x32
  /// The same byte, where the PS/2 has it.
  static let centuryPS2 = 0x37
}

/// Register A: UIP (update in progress), divider and rate.
enum RTCRegisterA {
  static let updateInProgress: UInt8 = 0x80
  static let dividerMask: UInt8 = 0x70
  /// 32.768 kHz time base, running.
  static let divider32kHz: UInt8 = 0x20
  static let rateMask: UInt8 = 0x0F
  static let rate1024Hz: UInt8 = 6
}

/// Register B.
struct RTCRegisterB: OptionSet {
  let rawValue: UInt8
  static let hour24 = RTCRegisterB(rawValue: 1 << 1)
  /// DM: binary rather than BCD.
  static let binary = RTCRegisterB(rawValue: 1 << 2)
  /// SQWE: the square wave output, which leads nowhere.
  static let squareWave = RTCRegisterB(rawValue: 1 << 3)
  static let updateInterrupt = RTCRegisterB(rawValue: 1 << 4)
  static let alarmInterrupt = RTCRegisterB(rawValue: 1 << 5)
  static let periodicInterrupt = RTCRegisterB(rawValue: 1 << 6)
  /// SET: the update cycle is held.
  static let set = RTCRegisterB(rawValue: 1 << 7)
  static let clearedByReset: RTCRegisterB = [
    .squareWave, .updateInterrupt, .alarmInterrupt, .periodicInterrupt,
  ]
}

/// Register C: the flags have the same places as their enables in register B, and bit 7 says any is on.
enum RTCRegisterC {
  static let update: UInt8 = 1 << 4
  static let alarm: UInt8 = 1 << 5
  static let periodic: UInt8 = 1 << 6
  static let sources = update | alarm | periodic
  static let interrupt: UInt8 = 1 << 7
}

/// Register D: the battery is good.
enum RTCRegisterD {
  static let validRAMAndTime: UInt8 = 0x80
}

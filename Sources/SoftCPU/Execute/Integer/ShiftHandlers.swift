// SPDX-License-Identifier: GPL-2.0-or-later

/// The handlers of the shifts and rotates.
enum ShiftHandlers {
  static let rol = UnaryForms(
    register: Sizes(
      { shiftRegister(RotateLeft.self, UInt8.self, $0, $1) },
      { shiftRegister(RotateLeft.self, UInt16.self, $0, $1) },
      { shiftRegister(RotateLeft.self, UInt32.self, $0, $1) },
      { shiftRegister(RotateLeft.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(RotateLeft.self, UInt8.self, $0, $1) },
      { shiftMemory(RotateLeft.self, UInt16.self, $0, $1) },
      { shiftMemory(RotateLeft.self, UInt32.self, $0, $1) },
      { shiftMemory(RotateLeft.self, UInt64.self, $0, $1) }))

  static let ror = UnaryForms(
    register: Sizes(
      { shiftRegister(RotateRight.self, UInt8.self, $0, $1) },
      { shiftRegister(RotateRight.self, UInt16.self, $0, $1) },
      { shiftRegister(RotateRight.self, UInt32.self, $0, $1) },
      { shiftRegister(RotateRight.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(RotateRight.self, UInt8.self, $0, $1) },
      { shiftMemory(RotateRight.self, UInt16.self, $0, $1) },
      { shiftMemory(RotateRight.self, UInt32.self, $0, $1) },
      { shiftMemory(RotateRight.self, UInt64.self, $0, $1) }))

  static let rcl = UnaryForms(
    register: Sizes(
      { shiftRegister(RotateCarryLeft.self, UInt8.self, $0, $1) },
      { shiftRegister(RotateCarryLeft.self, UInt16.self, $0, $1) },
      { shiftRegister(RotateCarryLeft.self, UInt32.self, $0, $1) },
      { shiftRegister(RotateCarryLeft.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(RotateCarryLeft.self, UInt8.self, $0, $1) },
      { shiftMemory(RotateCarryLeft.self, UInt16.self, $0, $1) },
      { shiftMemory(RotateCarryLeft.self, UInt32.self, $0, $1) },
      { shiftMemory(RotateCarryLeft.self, UInt64.self, $0, $1) }))

  static let rcr = UnaryForms(
    register: Sizes(
      { shiftRegister(RotateCarryRight.self, UInt8.self, $0, $1) },
      { shiftRegister(RotateCarryRight.self, UInt16.self, $0, $1) },
      { shiftRegister(RotateCarryRight.self, UInt32.self, $0, $1) },
      { shiftRegister(RotateCarryRight.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(RotateCarryRight.self, UInt8.self, $0, $1) },
      { shiftMemory(RotateCarryRight.self, UInt16.self, $0, $1) },
      { shiftMemory(RotateCarryRight.self, UInt32.self, $0, $1) },
      { shiftMemory(RotateCarryRight.self, UInt64.self, $0, $1) }))

  static let shl = UnaryForms(
    register: Sizes(
      { shiftRegister(ShiftLeft.self, UInt8.self, $0, $1) },
      { shiftRegister(ShiftLeft.self, UInt16.self, $0, $1) },
      { shiftRegister(ShiftLeft.self, UInt32.self, $0, $1) },
      { shiftRegister(ShiftLeft.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(ShiftLeft.self, UInt8.self, $0, $1) },
      { shiftMemory(ShiftLeft.self, UInt16.self, $0, $1) },
      { shiftMemory(ShiftLeft.self, UInt32.self, $0, $1) },
      { shiftMemory(ShiftLeft.self, UInt64.self, $0, $1) }))

  static let shr = UnaryForms(
    register: Sizes(
      { shiftRegister(ShiftRight.self, UInt8.self, $0, $1) },
      { shiftRegister(ShiftRight.self, UInt16.self, $0, $1) },
      { shiftRegister(ShiftRight.self, UInt32.self, $0, $1) },
      { shiftRegister(ShiftRight.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(ShiftRight.self, UInt8.self, $0, $1) },
      { shiftMemory(ShiftRight.self, UInt16.self, $0, $1) },
      { shiftMemory(ShiftRight.self, UInt32.self, $0, $1) },
      { shiftMemory(ShiftRight.self, UInt64.self, $0, $1) }))

  static let sar = UnaryForms(
    register: Sizes(
      { shiftRegister(ShiftArithmeticRight.self, UInt8.self, $0, $1) },
      { shiftRegister(ShiftArithmeticRight.self, UInt16.self, $0, $1) },
      { shiftRegister(ShiftArithmeticRight.self, UInt32.self, $0, $1) },
      { shiftRegister(ShiftArithmeticRight.self, UInt64.self, $0, $1) }),
    memory: Sizes(
      { shiftMemory(ShiftArithmeticRight.self, UInt8.self, $0, $1) },
      { shiftMemory(ShiftArithmeticRight.self, UInt16.self, $0, $1) },
      { shiftMemory(ShiftArithmeticRight.self, UInt32.self, $0, $1) },
      { shiftMemory(ShiftArithmeticRight.self, UInt64.self, $0, $1) }))

  /// By ModRM.reg in group 2; /6 is SHL, too.
  static let group2 = [rol, ror, rcl, rcr, shl, shr, shl, sar]

  static let shld = Sizes(
    { shiftDouble(left: true, UInt16.self, $0, $1) },
    { shiftDouble(left: true, UInt32.self, $0, $1) },
    { shiftDouble(left: true, UInt64.self, $0, $1) })
  static let shrd = Sizes(
    { shiftDouble(left: false, UInt16.self, $0, $1) },
    { shiftDouble(left: false, UInt32.self, $0, $1) },
    { shiftDouble(left: false, UInt64.self, $0, $1) })
}

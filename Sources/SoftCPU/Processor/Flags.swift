// SPDX-License-Identifier: GPL-2.0-or-later

/// Bits of RFLAGS (SDM volume 1, section 3.4.3).
enum Flag {
  static let carry: UInt64 = 1 << 0
  static let parity: UInt64 = 1 << 2
  static let adjust: UInt64 = 1 << 4
  static let zero: UInt64 = 1 << 6
  static let sign: UInt64 = 1 << 7
  static let trap: UInt64 = 1 << 8
  static let interrupt: UInt64 = 1 << 9
  static let direction: UInt64 = 1 << 10
  static let overflow: UInt64 = 1 << 11
  static let ioPrivilege: UInt64 = 3 << 12
  static let nestedTask: UInt64 = 1 << 14
  static let resume: UInt64 = 1 << 16
  static let virtual8086: UInt64 = 1 << 17
  static let alignmentCheck: UInt64 = 1 << 18
  static let virtualInterrupt: UInt64 = 1 << 19
  static let virtualInterruptPending: UInt64 = 1 << 20
  static let identification: UInt64 = 1 << 21
  /// Those an arithmetic instruction sets.
  static let arithmetic: UInt64 = 0x8D5
}

/// The six arithmetic flags are computed only when somebody looks. Each arithmetic instruction leaves its
/// result, sign-extended, and the vector of carries out of each bit; the carries out of the two highest bits
/// are CF and CF ^ OF, that out of bit 3 is AF.
extension UnsafeMutablePointer<Processor> {
  /// Leaves what the flags come from: the result and the carries out of each of its bits.
  @inline(__always)
  func setFlags<T: Width>(result: T, carries: T) {
    pointee.flagResult = result.signExtended
    if T.bitWidth == 64 {
      pointee.flagCarries =
        UInt32(truncatingIfNeeded: carries >> 32) & 0xC000_0000 | UInt32(truncatingIfNeeded: carries) & 8
    } else {
      let carries = UInt32(truncatingIfNeeded: carries)
      pointee.flagCarries = (carries &<< UInt32(32 - T.bitWidth)) & 0xC000_0000 | carries & 8
    }
  }

  /// Flags of a logic instruction: CF, OF and AF are clear.
  @inline(__always)
  func setLogicFlags<T: Width>(_ result: T) {
    pointee.flagResult = result.signExtended
    pointee.flagCarries = 0
  }

  /// ZF, SF and PF from a result, with CF and OF given and AF clear.
  @inline(__always)
  func setFlags<T: Width>(result: T, carry: Bool, overflow: Bool) {
    pointee.flagResult = result.signExtended
    let carry: UInt32 = carry ? 0xC000_0000 : 0
    pointee.flagCarries = carry ^ (overflow ? 0x4000_0000 : 0)
  }

  @inline(__always) var carryFlag: Bool { Int32(bitPattern: pointee.flagCarries) < 0 }
  @inline(__always) var overflowFlag: Bool {
    Int32(bitPattern: pointee.flagCarries ^ (pointee.flagCarries &<< 1)) < 0
  }
  @inline(__always) var adjustFlag: Bool { pointee.flagCarries & 8 != 0 }
  @inline(__always) var zeroFlag: Bool { pointee.flagResult == 0 }
  @inline(__always) var signFlag: Bool { (pointee.flagResult < 0) != (pointee.flagCarries & 1 != 0) }
  @inline(__always) var parityFlag: Bool {
    let byte =
      UInt8(truncatingIfNeeded: pointee.flagResult) ^ UInt8(truncatingIfNeeded: pointee.flagCarries >> 8)
    let nibble = byte ^ byte >> 4
    return 0x9669 >> UInt32(nibble & 15) & 1 != 0
  }

  /// Sets CF and leaves the others.
  @inline(__always)
  func setCarry(_ carry: Bool) {
    // CF ^ OF changes with CF.
    let change = (pointee.flagCarries ^ (carry ? 0x8000_0000 : 0)) & 0x8000_0000
    pointee.flagCarries ^= change | change &>> 1
  }

  /// The six arithmetic flags where RFLAGS has them.
  @inline(__always)
  var arithmeticFlags: UInt64 {
    get {
      (carryFlag ? Flag.carry : 0) | (parityFlag ? Flag.parity : 0) | (adjustFlag ? Flag.adjust : 0)
        | (zeroFlag ? Flag.zero : 0) | (signFlag ? Flag.sign : 0) | (overflowFlag ? Flag.overflow : 0)
    }
    nonmutating set {
      // A result whose sign bit and low byte are 0; the corrections do the rest.
      pointee.flagResult = newValue & Flag.zero != 0 ? 0 : 0x100
      var carries: UInt32 = newValue & Flag.carry != 0 ? 0xC000_0000 : 0
      if newValue & Flag.overflow != 0 { carries ^= 0x4000_0000 }
      if newValue & Flag.adjust != 0 { carries |= 8 }
      if newValue & Flag.sign != 0 { carries |= 1 }
      if newValue & Flag.parity == 0 { carries |= 0x100 }
      pointee.flagCarries = carries
    }
  }

  /// RFLAGS.
  var rflags: UInt64 { pointee.systemFlags | arithmeticFlags }
}

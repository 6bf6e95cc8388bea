// SPDX-License-Identifier: GPL-2.0-or-later

/// Numbers of model-specific registers (SDM volume 4, table 2-2).
enum MSR {
  static let timeStampCounter: UInt32 = 0x10
  static let apicBase: UInt32 = 0x1B
  static let tscAdjust: UInt32 = 0x3B
  static let tscDeadline: UInt32 = 0x6E0
  static let efer: UInt32 = 0xC000_0080
  static let fsBase: UInt32 = 0xC000_0100
  static let gsBase: UInt32 = 0xC000_0101

  /// What makes up a processor's state, in the order it is restored.
  static let state: [UInt32] =
    [
      0x10, 0x3B, 0x8B, 0x174, 0x175, 0x176, 0x17A, 0x17B, 0x1A0, 0x277, 0x2FF, 0x250, 0x258, 0x259,
      0xC000_0081, 0xC000_0082, 0xC000_0083, 0xC000_0084, 0xC000_0102, 0xC000_0103,
    ] + Array(0x200...0x20F) + Array(0x268...0x26F)
}

extension UnsafeMutablePointer<Processor> {
  /// A model-specific register; nil if there is none, for #GP.
  func readMSR(_ number: UInt32) -> UInt64? {
    switch number {
    case 0x10: timeStamp
    // IA32_PLATFORM_ID, BIOS_SIGN, performance counters' absence.
    case 0x17: 0
    case 0x1B, 0x6E0, 0x800...0x8FF: pointee.owner._withUnsafeGuaranteedRef { $0.readLocalAPIC(msr: number) }
    case 0x3A: pointee.msrs.featureControl
    case 0x3B: pointee.msrs.tscAdjust
    case 0x8B: 0x1 << 32
    // IA32_MTRRCAP: 8 variable ranges, fixed ones, write combining.
    case 0xFE: 0x508
    case 0x174: pointee.msrs.sysenterCS
    case 0x175: pointee.msrs.sysenterESP
    case 0x176: pointee.msrs.sysenterEIP
    // IA32_MCG_CAP: one bank, MCG_CTL.
    case 0x179: 0x101
    case 0x17A: pointee.msrs.machineCheckStatus
    case 0x17B: pointee.msrs.machineCheckControl
    case 0x1A0: pointee.msrs.miscEnable
    case 0x1D9: 0
    case 0x200...0x20F: pointee.msrs.mtrrVariable[Int(number - 0x200)]
    case 0x250: pointee.msrs.mtrrFixed[0]
    case 0x258, 0x259: pointee.msrs.mtrrFixed[Int(number - 0x257)]
    case 0x268...0x26F: pointee.msrs.mtrrFixed[Int(number - 0x268) + 3]
    case 0x277: pointee.msrs.pat
    case 0x2FF: pointee.msrs.mtrrDefaultType
    case 0x400...0x403: 0
    case 0xC000_0080: pointee.efer
    case 0xC000_0081: pointee.msrs.star
    case 0xC000_0082: pointee.msrs.lstar
    case 0xC000_0083: pointee.msrs.cstar
    case 0xC000_0084: pointee.msrs.syscallMask
    case 0xC000_0100: pointee.segments[4].base
    case 0xC000_0101: pointee.segments[5].base
    case 0xC000_0102: pointee.msrs.kernelGSBase
    case 0xC000_0103: pointee.msrs.tscAux
    default: nil
    }
  }

  /// Sets a model-specific register.
  /// - Returns: false if there is none or the value is not allowed, for #GP.
  func writeMSR(_ number: UInt32, _ value: UInt64) -> Bool {
    switch number {
    case 0x10:
      let change = value &- timeStamp
      pointee.msrs.tscOffset &+= change
      pointee.msrs.tscAdjust &+= change
    case 0x1B, 0x6E0, 0x800...0x8FF:
      return pointee.owner._withUnsafeGuaranteedRef { $0.writeLocalAPIC(msr: number, value) }
    case 0x3A: return pointee.msrs.featureControl & 1 == 0
    case 0x3B:
      pointee.msrs.tscOffset &+= value &- pointee.msrs.tscAdjust
      pointee.msrs.tscAdjust = value
    case 0x79, 0x8B, 0x1D9: break
    case 0x174: pointee.msrs.sysenterCS = value & 0xFFFF_FFFF
    case 0x175: pointee.msrs.sysenterESP = value
    case 0x176: pointee.msrs.sysenterEIP = value
    case 0x17A: pointee.msrs.machineCheckStatus = value & 7
    case 0x17B: pointee.msrs.machineCheckControl = value
    case 0x1A0: pointee.msrs.miscEnable = value
    case 0x200...0x20F: pointee.msrs.mtrrVariable[Int(number - 0x200)] = value
    case 0x250: pointee.msrs.mtrrFixed[0] = value
    case 0x258, 0x259: pointee.msrs.mtrrFixed[Int(number - 0x257)] = value
    case 0x268...0x26F: pointee.msrs.mtrrFixed[Int(number - 0x268) + 3] = value
    case 0x277:
      // Types 2 and 3 are reserved, and those above 7.
      for index in 0..<8 as Range<UInt64> {
        let type = value >> (index * 8) & 0xFF
        if type > 7 || type == 2 || type == 3 { return false }
      }
      pointee.msrs.pat = value
    case 0x2FF: pointee.msrs.mtrrDefaultType = value
    case 0x400...0x403: return value == 0 || value == ~0 || number == 0x400
    case 0xC000_0080:
      let isDone = setEFER(value)
      pointee.exceptionVector = 0xFF
      return isDone
    case 0xC000_0081: pointee.msrs.star = value
    case 0xC000_0082, 0xC000_0083, 0xC000_0102, 0xC000_0100, 0xC000_0101:
      guard isCanonical(value) else { return false }
      switch number {
      case 0xC000_0082: pointee.msrs.lstar = value
      case 0xC000_0083: pointee.msrs.cstar = value
      case 0xC000_0102: pointee.msrs.kernelGSBase = value
      default:
        pointee.segments[number == 0xC000_0100 ? 4 : 5].base = value
        updateMode()
      }
    case 0xC000_0084: pointee.msrs.syscallMask = value & 0xFFFF_FFFF
    case 0xC000_0103: pointee.msrs.tscAux = value & 0xFFFF_FFFF
    default: return false
    }
    return true
  }
}

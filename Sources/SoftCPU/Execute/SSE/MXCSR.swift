// SPDX-License-Identifier: GPL-2.0-or-later

import CSSE

/// Bits of MXCSR (SDM volume 1, section 10.2.3).
enum MXCSR {
  /// IE, DE, ZE, OE, UE, PE: set by instructions, cleared by software.
  static let flags: UInt32 = 0x3F
  /// IE, DE and ZE, which are found before the operation is carried out.
  static let operandFlags: UInt32 = 7
  static let overflow: UInt32 = 8
  static let underflow: UInt32 = 0x10
  static let precision: UInt32 = 0x20
  /// DAZ.
  static let denormalsAreZero: UInt32 = 0x40
  /// IM … PM.
  static let masks: UInt32 = 0x1F80
  static let maskShift: UInt32 = 7
  /// FTZ.
  static let flushToZero: UInt32 = 0x8000
  /// What LDMXCSR accepts.
  static let valid: UInt32 = 0xFFFF
  /// Its value after reset, and that of a host thread.
  static let initial: UInt32 = 0x1F80
}

/// MXCSR of the guest. While the guest runs, that of the host has its rounding mode, DAZ and FTZ, with all
/// exceptions masked: flags gather there, and the host's instructions do what the guest's are to do.
extension UnsafeMutablePointer<Processor> {
  /// Gives the host's MXCSR to the guest: before handlers are called.
  func activateSIMD() {
    csse_set_mxcsr(pointee.mxcsr & MXCSR.valid | MXCSR.masks)
  }

  /// Takes the host's MXCSR back: after handlers were called, before code of ours computes with floating
  /// point.
  func deactivateSIMD() {
    pointee.mxcsr |= csse_mxcsr() & MXCSR.flags
    csse_set_mxcsr(MXCSR.initial)
  }

  /// MXCSR as the guest sees it, between ``activateSIMD()`` and ``deactivateSIMD()``. Whoever sets it checks
  /// reserved bits first.
  var currentMXCSR: UInt32 {
    get { pointee.mxcsr | csse_mxcsr() & MXCSR.flags }
    nonmutating set {
      pointee.mxcsr = newValue & MXCSR.valid
      activateSIMD()
    }
  }

  /// Whether all floating point exceptions are masked, as they are nearly always.
  @inline(__always)
  var exceptionsAreMasked: Bool { pointee.mxcsr & MXCSR.masks == MXCSR.masks }

  /// Readies MXCSR for an instruction whose exceptions are not all masked.
  @inline(never)
  func beginUnmasked() {
    pointee.mxcsr = currentMXCSR
    var host = pointee.mxcsr & ~MXCSR.flags | MXCSR.masks
    // FTZ counts only while underflow is masked (SDM volume 1, section 10.2.3.3).
    if pointee.mxcsr & (MXCSR.underflow << MXCSR.maskShift) == 0 { host &= ~MXCSR.flushToZero }
    csse_set_mxcsr(host)
  }

  /// Looks at the flags of an instruction whose exceptions are not all masked; false if it must not take
  /// place: then its exception is recorded. `isTiny`: a result is subnormal, which is an underflow even if it
  /// is exact when that exception is not masked (SDM volume 1, section 4.9.1.5).
  /// `repeatScaled` does it again with operands of the same digits but a result in range; false if it cannot: the result of
  /// an unmasked overflow or underflow is rounded as if exponents had no end, and inexact or not as such (sections
  /// 4.9.1.4 and 4.9.1.5).
  @inline(never)
  func endUnmasked(isTiny: Bool = false, repeatScaled: () -> Bool = { false }) -> Bool {
    var new = csse_mxcsr() & MXCSR.flags
    let unmasked = ~(pointee.mxcsr >> MXCSR.maskShift) & MXCSR.flags
    if isTiny && unmasked & MXCSR.underflow != 0 { new |= MXCSR.underflow }
    if new & unmasked & MXCSR.operandFlags != 0 {
      new &= MXCSR.operandFlags
    } else if new & unmasked & (MXCSR.overflow | MXCSR.underflow) != 0 {
      csse_set_mxcsr(csse_mxcsr() & ~MXCSR.flags)
      if repeatScaled() { new = new & ~MXCSR.precision | csse_mxcsr() & MXCSR.precision }
    }
    pointee.mxcsr |= new
    activateSIMD()
    guard new & unmasked != 0 else { return true }
    return raise(pointee.cr4 & 0x400 != 0 ? .simdFloatingPoint : .invalidOpcode)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// Bits of the status word (SDM volume 1, section 8.1.3). Those of the exceptions are where the control word
/// has their masks.
enum StatusWord {
  static let invalidOperation: UInt16 = 1 << 0
  static let denormalOperand: UInt16 = 1 << 1
  static let zeroDivide: UInt16 = 1 << 2
  static let overflow: UInt16 = 1 << 3
  static let underflow: UInt16 = 1 << 4
  static let precision: UInt16 = 1 << 5
  static let exceptions: UInt16 = 0x3F
  static let stackFault: UInt16 = 1 << 6
  static let errorSummary: UInt16 = 1 << 7
  static let c0: UInt16 = 1 << 8
  static let c1: UInt16 = 1 << 9
  static let c2: UInt16 = 1 << 10
  static let c3: UInt16 = 1 << 14
  static let busy: UInt16 = 1 << 15
  static let codes = c0 | c1 | c2 | c3
  /// What a comparison of unordered operands gives.
  static let unordered = c0 | c2 | c3
  static let top: UInt16 = 7 << 11

  /// Exceptions found before an instruction does anything: if one of them is not masked, operands stay.
  static let preComputation = invalidOperation | denormalOperand | zeroDivide
}

/// Bits of the control word (SDM volume 1, section 8.1.5).
enum ControlWord {
  /// Masks, precision, rounding, and the infinity control of the 80287.
  static let implemented: UInt16 = 0x1F3F
  /// Always reads as 1.
  static let reserved: UInt16 = 0x40
  /// The exceptions' masks.
  static let masks: UInt16 = 0x3F
  /// After FINIT.
  static let initial: UInt16 = 0x37F
}

/// A number as the C ABI of CX87 has it.
typealias X87Number = UnsafeMutablePointer<martlet_x87_number>

extension UnsafeMutablePointer<Processor> {
  // MARK: The register stack

  /// The number of the physical register that is ST(`index`).
  @inline(__always)
  func physical(_ index: UInt8) -> UInt8 { (pointee.top &+ index) & 7 }

  /// ST(`index`).
  @inline(__always)
  func st(_ index: UInt8) -> X87Number { x87Physical(physical(index)) }

  /// A physical register.
  @inline(__always)
  func x87Physical(_ number: UInt8) -> X87Number {
    (pointee.x87Registers + Int(number) &* 16).assumingMemoryBound(to: martlet_x87_number.self)
  }

  @inline(__always)
  func isEmpty(_ index: UInt8) -> Bool { pointee.x87Valid >> physical(index) & 1 == 0 }

  @inline(__always)
  func markValid(_ index: UInt8) { pointee.x87Valid |= 1 &<< physical(index) }

  @inline(__always)
  func markEmpty(_ index: UInt8) { pointee.x87Valid &= ~(1 &<< physical(index)) }

  @inline(__always)
  func pop() {
    markEmpty(0)
    pointee.top = (pointee.top &+ 1) & 7
  }

  /// Makes a new, valid ST0.
  @inline(__always)
  func push() {
    pointee.top = (pointee.top &- 1) & 7
    markValid(0)
  }

  /// Sets ST(`index`) to the QNaN that stands for no result.
  func setIndefinite(_ index: UInt8) {
    st(index).pointee = .indefinite
    markValid(index)
  }

  // MARK: Exceptions

  /// Whether an x87 instruction may be executed; `waiting` says whether exceptions that are not masked keep
  /// it from being executed. With CR0.NE clear, those are an interrupt's business, and ignored here.
  @inline(__always)
  func isX87Ready(waiting: Bool = true) -> Bool {
    if pointee.cr0 & (ControlRegister0.emulation | ControlRegister0.taskSwitched) != 0 {
      return raise(.deviceNotAvailable)
    }
    return !waiting || isX87Quiet
  }

  /// Whether no unmasked exception is pending.
  @inline(__always)
  var isX87Quiet: Bool {
    if pointee.fsw & StatusWord.errorSummary != 0 && pointee.cr0 & ControlRegister0.numericError != 0 {
      return raise(.x87FloatingPoint)
    }
    return true
  }

  /// Takes over exceptions and the condition `codes` from the status word after an instruction, and gives
  /// back the exceptions that are not masked.
  @inline(__always)
  func merge(_ status: UInt16, codes: UInt16 = StatusWord.c1) -> UInt16 {
    pointee.fsw = pointee.fsw & ~codes | status & (codes | StatusWord.exceptions)
    let unmasked = status & ~pointee.fcw & StatusWord.exceptions
    if unmasked != 0 { pointee.fsw |= StatusWord.errorSummary | StatusWord.busy }
    return unmasked
  }

  /// Records a stack overflow or underflow, and gives back whether it is masked.
  func stackFault(overflow: Bool = false) -> Bool {
    let fault = StatusWord.invalidOperation | StatusWord.stackFault
    pointee.fsw = pointee.fsw & ~StatusWord.c1 | fault | (overflow ? StatusWord.c1 : 0)
    if pointee.fcw & StatusWord.invalidOperation != 0 { return true }
    pointee.fsw |= StatusWord.errorSummary | StatusWord.busy
    return false
  }

  /// Computes the summary bits anew, after the control or status word was loaded.
  func summarizeExceptions() {
    if pointee.fsw & ~pointee.fcw & StatusWord.exceptions != 0 {
      pointee.fsw |= StatusWord.errorSummary | StatusWord.busy
    } else {
      pointee.fsw &= ~(StatusWord.errorSummary | StatusWord.busy)
    }
  }

  /// Sets C1 to 0, as instructions do that cannot round.
  @inline(__always)
  func clearC1() { pointee.fsw &= ~StatusWord.c1 }

  // MARK: Last instruction

  /// Notes the last instruction, and its operand if it is in memory.
  @inline(__always)
  func noteX87(_ operation: UnsafePointer<Operation>) {
    let rip = pointee.blockStart &+ UInt64(operation.pointee.offset)
    pointee.fip = pointee.mode.isLong ? rip : rip & 0xFFFF_FFFF
    pointee.fop = UInt16(truncatingIfNeeded: operation.pointee.immediate)
    pointee.fcs = pointee.segments[unchecked: 1].selector
    if operation.pointee.detail < 0xC0 {
      pointee.fdp = effectiveAddress(operation)
      let segment = Int(operation.pointee.segment & ~Operation.checkedSegment)
      pointee.fds = segment < 6 ? pointee.segments[unchecked: segment].selector : 0
    }
  }
}

extension martlet_x87_number {
  /// The QNaN that is the masked response to an invalid operation.
  static let indefinite = martlet_x87_number(significand: 0xC000_0000_0000_0000, exponent: 0xFFFF)
  static let one = martlet_x87_number(significand: 1 << 63, exponent: 0x3FFF)
  static let zero = martlet_x87_number(significand: 0, exponent: 0)
}

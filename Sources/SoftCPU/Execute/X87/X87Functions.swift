// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// FSQRT, FRNDINT, FPREM, FSCALE, FXTRACT, the trigonometric and the logarithmic instructions.
extension UnsafeMutablePointer<Processor> {
  /// Condition codes that trigonometric instructions set: C2 says that the operand is out of range.
  @inline(__always)
  private var rangeCodes: UInt16 { StatusWord.c1 | StatusWord.c2 }

  /// ST0 = `compute`(ST0), with the condition codes `codes`.
  @inline(__always)
  private func x87Unary(
    _ operation: UnsafePointer<Operation>, codes: UInt16,
    _ compute: (X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    if isEmpty(0) {
      pointee.fsw &= ~codes
      if stackFault() { setIndefinite(0) }
    } else {
      _ = merge(compute(st(0), st(0), pointee.fcw, pointee.fsw), codes: codes)
    }
    return operation.next
  }

  @inline(__always)
  func x87Rounding(
    _ operation: UnsafePointer<Operation>, _ compute: (X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    x87Unary(operation, codes: StatusWord.c1, compute)
  }

  /// FSIN, FCOS.
  @inline(__always)
  func x87Trigonometric(
    _ operation: UnsafePointer<Operation>, _ compute: (X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    x87Unary(operation, codes: rangeCodes, compute)
  }

  /// Instructions that make two numbers of one: FXTRACT and, `ranged`, FSINCOS and FPTAN.
  @inline(__always)
  func x87Split(
    _ operation: UnsafePointer<Operation>, ranged: Bool,
    _ compute: (_ top: X87Number, _ next: X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let codes = ranged ? rangeCodes : StatusWord.c1
    if isEmpty(0) || !isEmpty(7) {
      pointee.fsw &= ~codes
      if stackFault(overflow: !isEmpty(0)) {
        setIndefinite(0)
        push()
        setIndefinite(0)
      }
      return operation.next
    }
    var (top, next) = (st(0).pointee, st(0).pointee)
    let status = compute(&top, &next, st(0), pointee.fcw, pointee.fsw)
    let unmasked = merge(status, codes: codes)
    if unmasked & StatusWord.preComputation == 0 && !(ranged && status & StatusWord.c2 != 0) {
      st(0).pointee = next
      push()
      st(0).pointee = top
    }
    return operation.next
  }

  /// Instructions that make one number of two and pop: FYL2X, FYL2XP1, FPATAN.
  @inline(__always)
  func x87Join(
    _ operation: UnsafePointer<Operation>,
    _ compute: (X87Number, X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    if isEmpty(0) || isEmpty(1) {
      if stackFault() {
        setIndefinite(1)
        pop()
      }
      return operation.next
    }
    var result = st(1).pointee
    let status = compute(&result, st(0), st(1), pointee.fcw, pointee.fsw)
    if merge(status) & StatusWord.preComputation == 0 {
      st(1).pointee = result
      pop()
    }
    return operation.next
  }

  /// FPREM, FPREM1: C0, C3 and C1 get the low bits of the quotient, C2 says that it is not finished.
  @inline(__always)
  func x87Remainder(
    _ operation: UnsafePointer<Operation>,
    _ compute: (X87Number, X87Number, X87Number, UInt16, UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    if isEmpty(0) || isEmpty(1) {
      pointee.fsw &= ~StatusWord.c2
      if stackFault() { setIndefinite(0) }
      return operation.next
    }
    let status = compute(st(0), st(0), st(1), pointee.fcw, pointee.fsw)
    // Without a quotient, C0 and C3 stay.
    let hasQuotient = !st(0).pointee.isNaN && status & ~pointee.fcw & StatusWord.preComputation == 0
    _ = merge(status, codes: hasQuotient ? StatusWord.codes : rangeCodes)
    return operation.next
  }
}

extension martlet_x87_number {
  @inline(__always)
  var isNaN: Bool { exponent & 0x7FFF == 0x7FFF && significand &<< 1 != 0 }
}

/// Handlers of the functions.
enum X87Function {
  static let squareRoot: Handler = { state, raw in
    state.processor.x87Rounding(raw.operation) { martlet_x87_square_root($0, $1, $2, $3) }
  }
  static let round: Handler = { state, raw in
    state.processor.x87Rounding(raw.operation) { martlet_x87_round($0, $1, $2, $3) }
  }
  /// F2XM1.
  static let power: Handler = { state, raw in
    state.processor.x87Rounding(raw.operation) { martlet_x87_power($0, $1, $2, $3) }
  }
  static let sine: Handler = { state, raw in
    state.processor.x87Trigonometric(raw.operation) { martlet_x87_sine($0, $1, $2, $3) }
  }
  static let cosine: Handler = { state, raw in
    state.processor.x87Trigonometric(raw.operation) { martlet_x87_cosine($0, $1, $2, $3) }
  }
  static let sineAndCosine: Handler = { state, raw in
    state.processor.x87Split(raw.operation, ranged: true) {
      martlet_x87_sine_and_cosine($0, $1, $2, $3, $4)
    }
  }
  static let tangent: Handler = { state, raw in
    state.processor.x87Split(raw.operation, ranged: true) { martlet_x87_tangent($0, $1, $2, $3, $4) }
  }
  static let extract: Handler = { state, raw in
    state.processor.x87Split(raw.operation, ranged: false) { martlet_x87_extract($0, $1, $2, $3, $4) }
  }
  /// FYL2X.
  static let logarithm: Handler = { state, raw in
    state.processor.x87Join(raw.operation) { martlet_x87_logarithm($0, $1, $2, $3, $4) }
  }
  /// FYL2XP1.
  static let logarithmPlusOne: Handler = { state, raw in
    state.processor.x87Join(raw.operation) { martlet_x87_logarithm_plus_one($0, $1, $2, $3, $4) }
  }
  static let arcTangent: Handler = { state, raw in
    state.processor.x87Join(raw.operation) { martlet_x87_arc_tangent($0, $1, $2, $3, $4) }
  }
  /// FPREM.
  static let remainder: Handler = { state, raw in
    state.processor.x87Remainder(raw.operation) { martlet_x87_remainder($0, $1, $2, $3, $4) }
  }
  /// FPREM1.
  static let remainderNearest: Handler = { state, raw in
    state.processor.x87Remainder(raw.operation) { martlet_x87_remainder_nearest($0, $1, $2, $3, $4) }
  }
  static let scale: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.isEmpty(0) || cpu.isEmpty(1) {
      if cpu.stackFault() { cpu.setIndefinite(0) }
    } else {
      let (a, b) = (cpu.st(0), cpu.st(1))
      _ = cpu.merge(martlet_x87_scale(a, a, b, cpu.pointee.fcw, cpu.pointee.fsw))
    }
    return operation.next
  }
}

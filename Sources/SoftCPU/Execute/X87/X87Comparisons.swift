// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// Comparisons of registers, and moves that depend on conditions.
extension UnsafeMutablePointer<Processor> {
  /// FCOM, FCOMP, FCOMPP, FUCOM, FUCOMP, FUCOMPP.
  @inline(__always)
  func x87Compare(
    _ operation: UnsafePointer<Operation>, quiet: Bool, pops: Int
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    if isEmpty(0) || isEmpty(index) {
      compareFault(pops: pops)
      return operation.next
    }
    let status = compare(index, quiet: quiet)
    if merge(status, codes: StatusWord.codes) & StatusWord.preComputation == 0 {
      for _ in 0..<pops { pop() }
    }
    return operation.next
  }

  /// FCOMI, FCOMIP, FUCOMI, FUCOMIP: the result goes to ZF, PF and CF.
  @inline(__always)
  func x87CompareFlags(
    _ operation: UnsafePointer<Operation>, quiet: Bool, pops: Bool
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    var codes = StatusWord.unordered
    if isEmpty(0) || isEmpty(index) {
      if stackFault() && pops { pop() }
    } else {
      codes = compare(index, quiet: quiet)
      if merge(codes, codes: 0) & StatusWord.preComputation == 0 && pops { pop() }
    }
    arithmeticFlags =
      (codes & StatusWord.c3 != 0 ? Flag.zero : 0) | (codes & StatusWord.c2 != 0 ? Flag.parity : 0)
      | (codes & StatusWord.c0 != 0 ? Flag.carry : 0)
    return operation.next
  }

  @inline(__always)
  private func compare(_ index: UInt8, quiet: Bool) -> UInt16 {
    quiet
      ? martlet_x87_compare_unordered(st(0), st(index), pointee.fcw, pointee.fsw)
      : martlet_x87_compare(st(0), st(index), pointee.fcw, pointee.fsw)
  }

  /// FCMOVcc.
  @inline(__always)
  func x87Move(_ operation: UnsafePointer<Operation>, if condition: Bool) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    if isEmpty(0) || isEmpty(index) {
      if stackFault() { setIndefinite(0) }
    } else if condition {
      st(0).pointee = st(index).pointee
    }
    return operation.next
  }
}

/// Handlers of comparisons and conditional moves.
enum X87Compare {
  static let compare: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: false, pops: 0)
  }
  static let comparePop: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: false, pops: 1)
  }
  static let comparePopPop: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: false, pops: 2)
  }
  static let unordered: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: true, pops: 0)
  }
  static let unorderedPop: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: true, pops: 1)
  }
  static let unorderedPopPop: Handler = { state, raw in
    state.processor.x87Compare(raw.operation, quiet: true, pops: 2)
  }
  static let compareFlags: Handler = { state, raw in
    state.processor.x87CompareFlags(raw.operation, quiet: false, pops: false)
  }
  static let compareFlagsPop: Handler = { state, raw in
    state.processor.x87CompareFlags(raw.operation, quiet: false, pops: true)
  }
  static let unorderedFlags: Handler = { state, raw in
    state.processor.x87CompareFlags(raw.operation, quiet: true, pops: false)
  }
  static let unorderedFlagsPop: Handler = { state, raw in
    state.processor.x87CompareFlags(raw.operation, quiet: true, pops: true)
  }

  static let moveIfBelow: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: state.processor.carryFlag)
  }
  static let moveIfEqual: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: state.processor.zeroFlag)
  }
  static let moveIfBelowOrEqual: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: state.processor.carryFlag || state.processor.zeroFlag)
  }
  static let moveIfUnordered: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: state.processor.parityFlag)
  }
  static let moveIfNotBelow: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: !state.processor.carryFlag)
  }
  static let moveIfNotEqual: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: !state.processor.zeroFlag)
  }
  static let moveIfAbove: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: !(state.processor.carryFlag || state.processor.zeroFlag))
  }
  static let moveIfOrdered: Handler = { state, raw in
    state.processor.x87Move(raw.operation, if: !state.processor.parityFlag)
  }

  /// FTST.
  static let test: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.isEmpty(0) {
      cpu.compareFault(pops: 0)
    } else {
      let status = martlet_x87_test(cpu.st(0), cpu.pointee.fcw, cpu.pointee.fsw)
      _ = cpu.merge(status, codes: StatusWord.codes)
    }
    return operation.next
  }

  /// FXAM.
  static let examine: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    let number = cpu.st(0)
    let status =
      cpu.isEmpty(0)
      ? StatusWord.c3 | StatusWord.c0 | (number.pointee.exponent & 0x8000 != 0 ? StatusWord.c1 : 0)
      : martlet_x87_examine(number, cpu.pointee.fcw, cpu.pointee.fsw)
    _ = cpu.merge(status & StatusWord.codes, codes: StatusWord.codes)
    return operation.next
  }
}

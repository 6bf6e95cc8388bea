// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// FADD, FMUL, FCOM, FCOMP, FSUB, FSUBR, FDIV, FDIVR, with the operand in memory or a register. The register
/// field of the ModRM byte says which.
extension UnsafeMutablePointer<Processor> {
  /// What is done with ST0 and a number in memory: `compute` writes to ST0, `compare` only compares.
  @inline(__always)
  func x87Memory<T: Width>(
    _ operation: UnsafePointer<Operation>, as type: T.Type,
    compute: (_ kind: UInt8, _ st0: X87Number, _ operand: T, _ control: UInt16, _ sticky: UInt16) -> UInt16,
    compare: (_ st0: X87Number, _ operand: T, _ control: UInt16, _ sticky: UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready(), let linear = address(operation, count: T.byteCount, .read),
      let operand = load(linear, as: T.self)
    else { return faulted(operation) }
    noteX87(operation)
    let kind = operation.pointee.detail >> 3 & 7
    if kind & 6 == 2 {
      if isEmpty(0) {
        compareFault(pops: kind == 3 ? 1 : 0)
      } else {
        let status = compare(st(0), operand, pointee.fcw, pointee.fsw)
        if merge(status, codes: StatusWord.codes) & StatusWord.preComputation == 0 && kind == 3 { pop() }
      }
    } else if isEmpty(0) {
      if stackFault() { setIndefinite(0) }
    } else {
      _ = merge(compute(kind, st(0), operand, pointee.fcw, pointee.fsw))
    }
    return operation.next
  }

  /// The masked response to a comparison with an empty register.
  func compareFault(pops: Int) {
    let masked = stackFault()
    pointee.fsw |= StatusWord.unordered
    if masked {
      for _ in 0..<pops { pop() }
    }
  }

  /// D8 C0 … FF: the result goes to ST0.
  @inline(__always)
  func x87Register(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    if isEmpty(0) || isEmpty(index) {
      if stackFault() { setIndefinite(0) }
      return operation.next
    }
    let (a, b, control, sticky) = (st(0), st(index), pointee.fcw, pointee.fsw)
    let status =
      switch operation.pointee.detail >> 3 & 7 {
      case 0: martlet_x87_add(a, a, b, control, sticky)
      case 1: martlet_x87_multiply(a, a, b, control, sticky)
      case 4: martlet_x87_subtract(a, a, b, control, sticky)
      case 5: martlet_x87_subtract_reverse(a, a, b, control, sticky)
      case 6: martlet_x87_divide(a, a, b, control, sticky)
      default: martlet_x87_divide_reverse(a, a, b, control, sticky)
      }
    _ = merge(status)
    return operation.next
  }

  /// DC and DE C0 … FF: the result goes to the other register; DE then pops.
  @inline(__always)
  func x87RegisterTo(_ operation: UnsafePointer<Operation>, pops: Bool) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    if isEmpty(0) || isEmpty(index) {
      if stackFault() {
        setIndefinite(index)
        if pops { pop() }
      }
      return operation.next
    }
    let (a, b, control, sticky) = (st(0), st(index), pointee.fcw, pointee.fsw)
    let status =
      switch operation.pointee.detail >> 3 & 7 {
      case 0: martlet_x87_add_to(b, a, b, control, sticky)
      case 1: martlet_x87_multiply_to(b, a, b, control, sticky)
      case 4: martlet_x87_subtract_reverse_to(b, a, b, control, sticky)
      case 5: martlet_x87_subtract_to(b, a, b, control, sticky)
      case 6: martlet_x87_divide_reverse_to(b, a, b, control, sticky)
      default: martlet_x87_divide_to(b, a, b, control, sticky)
      }
    if merge(status) & StatusWord.preComputation == 0 && pops { pop() }
    return operation.next
  }
}

/// Handlers of the arithmetic instructions.
enum X87Arithmetic {
  /// D8 /0 … /7.
  static let float: Handler = { state, raw in
    state.processor.x87Memory(
      raw.operation, as: UInt32.self,
      compute: { kind, a, operand, control, sticky in
        let b = Float(bitPattern: operand)
        return switch kind {
        case 0: martlet_x87_add_float(a, a, b, control, sticky)
        case 1: martlet_x87_multiply_float(a, a, b, control, sticky)
        case 4: martlet_x87_subtract_float(a, a, b, control, sticky)
        case 5: martlet_x87_subtract_reverse_float(a, a, b, control, sticky)
        case 6: martlet_x87_divide_float(a, a, b, control, sticky)
        default: martlet_x87_divide_reverse_float(a, a, b, control, sticky)
        }
      },
      compare: { a, operand, control, sticky in
        martlet_x87_compare_float(a, Float(bitPattern: operand), control, sticky)
      })
  }

  /// DC /0 … /7.
  static let double: Handler = { state, raw in
    state.processor.x87Memory(
      raw.operation, as: UInt64.self,
      compute: { kind, a, operand, control, sticky in
        let b = Double(bitPattern: operand)
        return switch kind {
        case 0: martlet_x87_add_double(a, a, b, control, sticky)
        case 1: martlet_x87_multiply_double(a, a, b, control, sticky)
        case 4: martlet_x87_subtract_double(a, a, b, control, sticky)
        case 5: martlet_x87_subtract_reverse_double(a, a, b, control, sticky)
        case 6: martlet_x87_divide_double(a, a, b, control, sticky)
        default: martlet_x87_divide_reverse_double(a, a, b, control, sticky)
        }
      },
      compare: { a, operand, control, sticky in
        martlet_x87_compare_double(a, Double(bitPattern: operand), control, sticky)
      })
  }

  /// DA /0 … /7.
  static let int32: Handler = { state, raw in
    state.processor.x87Memory(
      raw.operation, as: UInt32.self,
      compute: { kind, a, operand, control, sticky in
        let b = Int32(bitPattern: operand)
        return switch kind {
        case 0: martlet_x87_add_int32(a, a, b, control, sticky)
        case 1: martlet_x87_multiply_int32(a, a, b, control, sticky)
        case 4: martlet_x87_subtract_int32(a, a, b, control, sticky)
        case 5: martlet_x87_subtract_reverse_int32(a, a, b, control, sticky)
        case 6: martlet_x87_divide_int32(a, a, b, control, sticky)
        default: martlet_x87_divide_reverse_int32(a, a, b, control, sticky)
        }
      },
      compare: { a, operand, control, sticky in
        martlet_x87_compare_int32(a, Int32(bitPattern: operand), control, sticky)
      })
  }

  /// DE /0 … /7.
  static let int16: Handler = { state, raw in
    state.processor.x87Memory(
      raw.operation, as: UInt16.self,
      compute: { kind, a, operand, control, sticky in
        let b = Int16(bitPattern: operand)
        return switch kind {
        case 0: martlet_x87_add_int16(a, a, b, control, sticky)
        case 1: martlet_x87_multiply_int16(a, a, b, control, sticky)
        case 4: martlet_x87_subtract_int16(a, a, b, control, sticky)
        case 5: martlet_x87_subtract_reverse_int16(a, a, b, control, sticky)
        case 6: martlet_x87_divide_int16(a, a, b, control, sticky)
        default: martlet_x87_divide_reverse_int16(a, a, b, control, sticky)
        }
      },
      compare: { a, operand, control, sticky in
        martlet_x87_compare_int16(a, Int16(bitPattern: operand), control, sticky)
      })
  }

  static let register: Handler = { state, raw in state.processor.x87Register(raw.operation) }
  static let registerTo: Handler = { state, raw in
    state.processor.x87RegisterTo(raw.operation, pops: false)
  }
  static let registerToPop: Handler = { state, raw in
    state.processor.x87RegisterTo(raw.operation, pops: true)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// Instructions that push: FLD, FILD, FBLD, FLD1 … FLDZ.
extension UnsafeMutablePointer<Processor> {
  /// Pushes what `convert` makes of a number in memory.
  @inline(__always)
  func x87Load<T: Width>(
    _ operation: UnsafePointer<Operation>, as type: T.Type,
    convert: (X87Number, UnsafePointer<T>, _ control: UInt16, _ sticky: UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready(), let linear = address(operation, count: T.byteCount, .read),
      var operand = load(linear, as: T.self)
    else { return faulted(operation) }
    noteX87(operation)
    guard hasRoom() else { return operation.next }
    let (control, sticky) = (pointee.fcw, pointee.fsw)
    let status = convert(st(7), &operand, control, sticky)
    // An unmasked denormal operand does not keep it from being loaded; an invalid one does.
    if merge(status) & StatusWord.invalidOperation == 0 { push() }
    return operation.next
  }

  /// Whether a number can be pushed; if not, this does all that is to be done.
  @inline(__always)
  func hasRoom() -> Bool {
    if isEmpty(7) { return true }
    if stackFault(overflow: true) {
      push()
      setIndefinite(0)
    }
    return false
  }

  /// Pushes a constant.
  @inline(__always)
  func x87Constant(
    _ operation: UnsafePointer<Operation>, _ constant: (X87Number, UInt16) -> Void
  ) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    if hasRoom() {
      constant(st(7), pointee.fcw | ControlWord.masks)
      clearC1()
      push()
    }
    return operation.next
  }

  /// Reads a 10-byte operand.
  @inline(__always)
  func loadNumber(_ operation: UnsafePointer<Operation>) -> martlet_x87_number? {
    guard let linear = address(operation, count: 10, .read),
      let significand = load(linear, as: UInt64.self),
      let exponent = load(linear &+ 8, as: UInt16.self)
    else { return nil }
    return martlet_x87_number(significand: significand, exponent: exponent)
  }
}

/// Handlers of instructions that push.
enum X87Load {
  static let float: Handler = { state, raw in
    state.processor.x87Load(raw.operation, as: UInt32.self) { result, operand, control, sticky in
      var operand = Float(bitPattern: operand.pointee)
      return martlet_x87_load_float(result, &operand, control, sticky)
    }
  }
  static let double: Handler = { state, raw in
    state.processor.x87Load(raw.operation, as: UInt64.self) { result, operand, control, sticky in
      var operand = Double(bitPattern: operand.pointee)
      return martlet_x87_load_double(result, &operand, control, sticky)
    }
  }
  static let int16: Handler = { state, raw in
    state.processor.x87Load(raw.operation, as: UInt16.self) { result, operand, control, sticky in
      var operand = Int16(bitPattern: operand.pointee)
      return martlet_x87_load_int16(result, &operand, control, sticky)
    }
  }
  static let int32: Handler = { state, raw in
    state.processor.x87Load(raw.operation, as: UInt32.self) { result, operand, control, sticky in
      var operand = Int32(bitPattern: operand.pointee)
      return martlet_x87_load_int32(result, &operand, control, sticky)
    }
  }
  static let int64: Handler = { state, raw in
    state.processor.x87Load(raw.operation, as: UInt64.self) { result, operand, control, sticky in
      var operand = Int64(bitPattern: operand.pointee)
      return martlet_x87_load_int64(result, &operand, control, sticky)
    }
  }

  /// FLD m80.
  static let extended: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(), let number = cpu.loadNumber(operation) else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.hasRoom() {
      cpu.clearC1()
      cpu.push()
      cpu.st(0).pointee = number
    }
    return operation.next
  }

  /// FBLD.
  static let decimal: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(), var number = cpu.loadNumber(operation) else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    if cpu.hasRoom() {
      let (control, sticky) = (cpu.pointee.fcw | ControlWord.masks, cpu.pointee.fsw)
      _ = martlet_x87_load_bcd(cpu.st(7), &number, control, sticky)
      cpu.clearC1()
      cpu.push()
    }
    return operation.next
  }

  /// FLD ST(i).
  static let register: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready() else { return cpu.faulted(operation) }
    cpu.noteX87(operation)
    let index = operation.pointee.detail & 7
    if cpu.isEmpty(index) {
      if cpu.stackFault() {
        cpu.push()
        cpu.setIndefinite(0)
      }
    } else if cpu.hasRoom() {
      let number = cpu.st(index).pointee
      cpu.clearC1()
      cpu.push()
      cpu.st(0).pointee = number
    }
    return operation.next
  }

  static let one: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { number, _ in number.pointee = .one }
  }
  static let log2Of10: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { martlet_x87_log2_10($0, $1) }
  }
  static let log2OfE: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { martlet_x87_log2_e($0, $1) }
  }
  static let pi: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { martlet_x87_pi($0, $1) }
  }
  static let log10Of2: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { martlet_x87_log10_2($0, $1) }
  }
  static let lnOf2: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { martlet_x87_ln_2($0, $1) }
  }
  static let zero: Handler = { state, raw in
    state.processor.x87Constant(raw.operation) { number, _ in number.pointee = .zero }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// Instructions that store ST0: FST, FSTP, FIST, FISTP, FISTTP, FBSTP.
extension UnsafeMutablePointer<Processor> {
  /// Stores what `convert` makes of ST0. Flags and stack change only when the store has succeeded.
  @inline(__always)
  func x87Store<T: Width>(
    _ operation: UnsafePointer<Operation>, pops: Bool, indefinite: T,
    convert: (UnsafeMutablePointer<T>, X87Number, _ control: UInt16, _ sticky: UInt16) -> UInt16
  ) -> UnsafeRawPointer? {
    guard isX87Ready(), let linear = address(operation, count: T.byteCount, .write) else {
      return faulted(operation)
    }
    if isEmpty(0) {
      if pointee.fcw & StatusWord.invalidOperation != 0 {
        guard store(linear, indefinite) else { return faulted(operation) }
      } else {
        guard mayWrite(linear, T.byteCount) else { return faulted(operation) }
      }
      noteX87(operation)
      if stackFault() && pops { pop() }
      return operation.next
    }
    var result: T = 0
    let status = convert(&result, st(0), pointee.fcw, pointee.fsw)
    // Numbers that do not fit in memory stay in the register if nobody masked that.
    let stays =
      status & ~pointee.fcw
      & (StatusWord.preComputation | StatusWord.overflow | StatusWord.underflow) != 0
    if stays {
      guard mayWrite(linear, T.byteCount) else { return faulted(operation) }
    } else {
      guard store(linear, result) else { return faulted(operation) }
    }
    noteX87(operation)
    _ = merge(status)
    if pops && !stays { pop() }
    return operation.next
  }

  /// Writes a 10-byte operand, if it can all be written.
  @inline(__always)
  func storeNumber(_ linear: UInt64, _ number: martlet_x87_number) -> Bool {
    mayWrite(linear, 10) && store(linear, number.significand)
      && store(linear &+ 8, number.exponent)
  }

  /// Whether `count` bytes can be written.
  @inline(__always)
  func mayWrite(_ linear: UInt64, _ count: Int) -> Bool {
    writableBytes(linear, count) != nil || probeWrite(linear, count, inPieces: count > 8)
  }

  /// FST and FSTP to a register.
  @inline(__always)
  func x87StoreRegister(_ operation: UnsafePointer<Operation>, pops: Bool) -> UnsafeRawPointer? {
    guard isX87Ready() else { return faulted(operation) }
    noteX87(operation)
    let index = operation.pointee.detail & 7
    if isEmpty(0) {
      guard stackFault() else { return operation.next }
      setIndefinite(index)
    } else {
      clearC1()
      st(index).pointee = st(0).pointee
      markValid(index)
    }
    if pops { pop() }
    return operation.next
  }
}

/// Handlers of instructions that store.
enum X87Store {
  static let float: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: false, indefinite: 0xFFC0_0000, convert: toFloat)
  }
  static let floatPop: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: true, indefinite: 0xFFC0_0000, convert: toFloat)
  }
  static let double: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: false, indefinite: 0xFFF8_0000_0000_0000, convert: toDouble)
  }
  static let doublePop: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: true, indefinite: 0xFFF8_0000_0000_0000, convert: toDouble)
  }
  static let int16: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: false, indefinite: 0x8000, convert: toInt16)
  }
  static let int16Pop: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: true, indefinite: 0x8000, convert: toInt16)
  }
  static let int32: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: false, indefinite: 0x8000_0000, convert: toInt32)
  }
  static let int32Pop: Handler = { state, raw in
    state.processor.x87Store(raw.operation, pops: true, indefinite: 0x8000_0000, convert: toInt32)
  }
  static let int64Pop: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: true, indefinite: 0x8000_0000_0000_0000 as UInt64
    ) { result, number, control, sticky in
      var value: Int64 = 0
      let status = martlet_x87_store_int64(&value, number, control, sticky)
      result.pointee = UInt64(bitPattern: value)
      return status
    }
  }
  static let truncateInt16: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: true, indefinite: 0x8000 as UInt16
    ) { result, number, control, sticky in
      var value: Int16 = 0
      let status = martlet_x87_truncate_int16(&value, number, control, sticky)
      result.pointee = UInt16(bitPattern: value)
      return status
    }
  }
  static let truncateInt32: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: true, indefinite: 0x8000_0000 as UInt32
    ) { result, number, control, sticky in
      var value: Int32 = 0
      let status = martlet_x87_truncate_int32(&value, number, control, sticky)
      result.pointee = UInt32(bitPattern: value)
      return status
    }
  }
  static let truncateInt64: Handler = { state, raw in
    state.processor.x87Store(
      raw.operation, pops: true, indefinite: 0x8000_0000_0000_0000 as UInt64
    ) { result, number, control, sticky in
      var value: Int64 = 0
      let status = martlet_x87_truncate_int64(&value, number, control, sticky)
      result.pointee = UInt64(bitPattern: value)
      return status
    }
  }

  /// FSTP m80.
  static let extendedPop: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(), let linear = cpu.address(operation, count: 10, .write) else {
      return cpu.faulted(operation)
    }
    let isEmpty = cpu.isEmpty(0)
    if isEmpty && cpu.pointee.fcw & StatusWord.invalidOperation == 0 {
      guard cpu.mayWrite(linear, 10) else { return cpu.faulted(operation) }
    } else {
      let number = isEmpty ? .indefinite : cpu.st(0).pointee
      guard cpu.storeNumber(linear, number) else { return cpu.faulted(operation) }
    }
    cpu.noteX87(operation)
    if isEmpty {
      guard cpu.stackFault() else { return operation.next }
    } else {
      cpu.clearC1()
    }
    cpu.pop()
    return operation.next
  }

  /// FBSTP.
  static let decimalPop: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.isX87Ready(), let linear = cpu.address(operation, count: 10, .write) else {
      return cpu.faulted(operation)
    }
    // The packed decimal indefinite has the bits of the QNaN indefinite.
    var result = martlet_x87_number.indefinite
    let isEmpty = cpu.isEmpty(0)
    let control = cpu.pointee.fcw
    let status =
      isEmpty
      ? StatusWord.invalidOperation : martlet_x87_store_bcd(&result, cpu.st(0), control, cpu.pointee.fsw)
    let stays = status & ~control & StatusWord.preComputation != 0
    if stays {
      guard cpu.mayWrite(linear, 10) else { return cpu.faulted(operation) }
    } else {
      guard cpu.storeNumber(linear, result) else { return cpu.faulted(operation) }
    }
    cpu.noteX87(operation)
    if isEmpty {
      _ = cpu.stackFault()
    } else {
      _ = cpu.merge(status)
    }
    if !stays { cpu.pop() }
    return operation.next
  }

  static let register: Handler = { state, raw in
    state.processor.x87StoreRegister(raw.operation, pops: false)
  }
  static let registerPop: Handler = { state, raw in
    state.processor.x87StoreRegister(raw.operation, pops: true)
  }

  /// D9 D8 … DF: like FSTP, but an empty ST0 is only popped.
  static let registerPopQuietly: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    if cpu.isEmpty(0) {
      guard cpu.isX87Ready() else { return cpu.faulted(operation) }
      cpu.noteX87(operation)
      cpu.clearC1()
      cpu.pop()
      return operation.next
    }
    return cpu.x87StoreRegister(operation, pops: true)
  }

  @inline(__always)
  private static func toFloat(
    _ result: UnsafeMutablePointer<UInt32>, _ number: X87Number, _ control: UInt16, _ sticky: UInt16
  ) -> UInt16 {
    var value: Float = 0
    let status = martlet_x87_store_float(&value, number, control, sticky)
    result.pointee = value.bitPattern
    return status
  }

  @inline(__always)
  private static func toDouble(
    _ result: UnsafeMutablePointer<UInt64>, _ number: X87Number, _ control: UInt16, _ sticky: UInt16
  ) -> UInt16 {
    var value: Double = 0
    let status = martlet_x87_store_double(&value, number, control, sticky)
    result.pointee = value.bitPattern
    return status
  }

  @inline(__always)
  private static func toInt16(
    _ result: UnsafeMutablePointer<UInt16>, _ number: X87Number, _ control: UInt16, _ sticky: UInt16
  ) -> UInt16 {
    var value: Int16 = 0
    let status = martlet_x87_store_int16(&value, number, control, sticky)
    result.pointee = UInt16(bitPattern: value)
    return status
  }

  @inline(__always)
  private static func toInt32(
    _ result: UnsafeMutablePointer<UInt32>, _ number: X87Number, _ control: UInt16, _ sticky: UInt16
  ) -> UInt16 {
    var value: Int32 = 0
    let status = martlet_x87_store_int32(&value, number, control, sticky)
    result.pointee = UInt32(bitPattern: value)
    return status
  }
}

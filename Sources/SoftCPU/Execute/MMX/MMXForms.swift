// SPDX-License-Identifier: GPL-2.0-or-later

/// MMX registers, and the forms MMX instructions have. An MMX register is the significand of a physical x87
/// register, by its byte offset (SDM volume 1, chapter 9).
extension UnsafeMutablePointer<Processor> {
  /// Whether an MMX instruction may be executed (SDM volume 3, section 12.1).
  @inline(__always)
  func isMMXReady() -> Bool {
    if pointee.cr0 & (ControlRegister0.emulation | ControlRegister0.taskSwitched) != 0 {
      return raise(
        pointee.cr0 & ControlRegister0.emulation != 0 ? .invalidOpcode : .deviceNotAvailable)
    }
    return isX87Quiet
  }

  /// What every MMX instruction does to the x87 state: TOP is 0 and no register is empty.
  @inline(__always)
  func enterMMX() {
    pointee.top = 0
    pointee.x87Valid = 0xFF
  }

  @inline(__always)
  func mm(_ offset: UInt8) -> UInt64 {
    pointee.x87Registers.load(fromByteOffset: Int(offset), as: UInt64.self)
  }

  /// Sets an MMX register; the exponent and the sign of the x87 register become all ones.
  @inline(__always)
  func setMM(_ offset: UInt8, _ value: UInt64) {
    pointee.x87Registers.storeBytes(of: value, toByteOffset: Int(offset), as: UInt64.self)
    pointee.x87Registers.storeBytes(of: 0xFFFF, toByteOffset: Int(offset) &+ 8, as: UInt16.self)
  }

  /// The operand that ModRM.rm names: an MMX register, or `T` in memory.
  @inline(__always)
  func mmxOperand<T: Width>(_ operation: UnsafePointer<Operation>, as type: T.Type) -> UInt64? {
    if operation.isRegister { return mm(operation.pointee.rm) }
    guard let linear = address(operation, count: T.byteCount, .read), let value = load(linear, as: T.self)
    else { return nil }
    return UInt64(truncatingIfNeeded: value)
  }

  /// reg = `body`(reg, rm), where rm is an MMX register or `T` in memory.
  @inline(__always)
  func mmx<T: Width>(
    _ operation: UnsafePointer<Operation>, memory: T.Type = UInt64.self, _ body: (UInt64, UInt64) -> UInt64
  ) -> UnsafeRawPointer? {
    guard isMMXReady(), let operand = mmxOperand(operation, as: T.self) else { return faulted(operation) }
    enterMMX()
    setMM(operation.pointee.reg, body(mm(operation.pointee.reg), operand))
    return operation.next
  }

  /// reg = `body`(reg, rm) of vectors of eight bytes.
  @inline(__always)
  func mmx<V: SIMD>(
    _ operation: UnsafePointer<Operation>, _ type: V.Type, _ body: (V, V) -> V
  ) -> UnsafeRawPointer? {
    mmx(operation) { a, b in
      PackedInteger.half(body(PackedInteger.lanes(a, as: V.self), PackedInteger.lanes(b, as: V.self)))
    }
  }

  /// reg = `body`(reg, rm), where rm is a count.
  @inline(__always)
  func mmxShift<V: SIMD>(
    _ operation: UnsafePointer<Operation>, _ type: V.Type, _ body: (V, UInt64) -> V
  ) -> UnsafeRawPointer? {
    mmx(operation) { a, count in PackedInteger.half(body(PackedInteger.lanes(a, as: V.self), count)) }
  }

  /// rm = `body`(rm, immediate), where rm is an MMX register.
  @inline(__always)
  func mmxShiftImmediate(
    _ operation: UnsafePointer<Operation>, _ body: (UInt64, UInt64) -> UInt64
  ) -> UnsafeRawPointer? {
    guard isMMXReady() else { return faulted(operation) }
    enterMMX()
    let register = operation.pointee.rm
    setMM(register, body(mm(register), operation.pointee.immediate & 0xFF))
    return operation.next
  }

  /// rm = `body`(rm, immediate) of vectors of eight bytes.
  @inline(__always)
  func mmxShiftImmediate<V: SIMD>(
    _ operation: UnsafePointer<Operation>, _ type: V.Type, _ body: (V, UInt64) -> V
  ) -> UnsafeRawPointer? {
    mmxShiftImmediate(operation) { a, count in
      PackedInteger.half(body(PackedInteger.lanes(a, as: V.self), count))
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// The contents of an XMM register.
typealias Vector = SIMD2<UInt64>

/// XMM registers and their memory operands.
extension UnsafeMutablePointer<Processor> {
  /// Whether SSE instructions may be executed: CR0.EM and CR0.TS clear, CR4.OSFXSR set (SDM volume 3,
  /// section 2.5).
  @inline(__always)
  var vectorsAreUsable: Bool { pointee.cr0 & 0xC == 0 && pointee.cr4 & 0x200 != 0 }

  /// Ends an SSE instruction that found ``vectorsAreUsable`` false.
  @inline(never)
  func vectorsUnusable(_ operation: UnsafePointer<Operation>) -> UnsafeRawPointer? {
    let isInvalid = pointee.cr0 & 4 != 0 || pointee.cr4 & 0x200 == 0
    return fault(operation, isInvalid ? .invalidOpcode : .deviceNotAvailable)
  }

  /// An XMM register, by its byte offset.
  @inline(__always)
  func xmm<V: SIMD>(_ offset: UInt8, as type: V.Type = V.self) -> V {
    UnsafeRawPointer(pointee.xmmRegisters).loadUnaligned(fromByteOffset: Int(offset), as: V.self)
  }

  /// The low bytes of an XMM register, by its byte offset.
  @inline(__always)
  func xmm<T: Width>(_ offset: UInt8, as type: T.Type = T.self) -> T {
    UnsafeRawPointer(pointee.xmmRegisters).loadUnaligned(fromByteOffset: Int(offset), as: T.self)
  }

  /// Sets an XMM register, by its byte offset.
  @inline(__always)
  func setXMM<V: SIMD>(_ offset: UInt8, _ value: V) {
    pointee.xmmRegisters.storeBytes(of: value, toByteOffset: Int(offset), as: V.self)
  }

  /// Sets the low bytes of an XMM register, by its byte offset, and leaves the others.
  @inline(__always)
  func setXMM<T: Width>(_ offset: UInt8, _ value: T) {
    pointee.xmmRegisters.storeBytes(of: value, toByteOffset: Int(offset), as: T.self)
  }

  /// The 16-byte rm operand. A memory operand must be aligned unless the instruction is one of the few that
  /// take any (SDM volume 1, section 4.1.1).
  @inline(__always)
  func vectorSource(_ operation: UnsafePointer<Operation>, aligned: Bool = true) -> Vector? {
    if operation.isRegister { return xmm(operation.pointee.rm) }
    guard let linear = address(operation, count: 16, .read) else { return nil }
    return loadVector(linear, aligned: aligned)
  }

  /// The low 4 or 8 bytes of the rm operand, zero-extended; a memory operand has no more.
  @inline(__always)
  func scalarSource<T: Width>(_ operation: UnsafePointer<Operation>, as type: T.Type = T.self) -> T? {
    if operation.isRegister { return xmm(operation.pointee.rm) }
    guard let linear = address(operation, count: T.byteCount, .read) else { return nil }
    return load(linear)
  }

  @inline(__always)
  func loadVector(_ linear: UInt64, aligned: Bool) -> Vector? {
    if aligned && linear & 15 != 0 {
      raise(.generalProtection)
      return nil
    }
    if let bytes = readableBytes(linear, 16) { return bytes.loadUnaligned(as: Vector.self) }
    return loadVectorSlow(linear)
  }

  @inline(never)
  private func loadVectorSlow(_ linear: UInt64) -> Vector? {
    guard isInside(linear, 16), let low = load(linear, as: UInt64.self),
      let high = load(linear &+ 8, as: UInt64.self)
    else {
      return nil
    }
    return Vector(low, high)
  }

  @inline(__always)
  func storeVector(_ linear: UInt64, _ value: Vector, aligned: Bool) -> Bool {
    if aligned && linear & 15 != 0 { return raise(.generalProtection) }
    if let bytes = writableBytes(linear, 16) {
      bytes.storeBytes(of: value, as: Vector.self)
      return true
    }
    return storeVectorSlow(linear, value)
  }

  @inline(never)
  private func storeVectorSlow(_ linear: UInt64, _ value: Vector) -> Bool {
    probeWrite(linear, 16) && store(linear, value.x) && store(linear &+ 8, value.y)
  }
}

/// The shapes that SSE handlers have: they check, fetch operands, and leave the rest to `body`.
enum SSE {
  /// reg := body(reg, rm), 16 bytes.
  @inline(__always)
  static func binary<A, R>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, aligned: Bool = true, _ body: (A, A) -> R
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = cpu.vectorSource(operation, aligned: aligned) else { return cpu.faulted(operation) }
    let destination = operation.pointee.reg
    let result = body(
      unsafeBitCast(cpu.xmm(destination, as: Vector.self), to: A.self),
      unsafeBitCast(source, to: A.self))
    cpu.setXMM(destination, unsafeBitCast(result, to: Vector.self))
    return operation.next
  }

  /// reg := body(reg, rm, immediate), 16 bytes.
  @inline(__always)
  static func binaryImmediate<A, R>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (A, A, UInt8) -> R
  ) -> UnsafeRawPointer? {
    let immediate = UInt8(truncatingIfNeeded: raw.operation.pointee.immediate)
    return SSE.binary(state, raw) { (a: A, b: A) in body(a, b, immediate) }
  }

  /// reg := body(reg, rm), of which 8 bytes are fetched.
  @inline(__always)
  static func binary64<R>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (Vector, UInt64) -> R
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = cpu.scalarSource(operation, as: UInt64.self) else { return cpu.faulted(operation) }
    let destination = operation.pointee.reg
    cpu.setXMM(destination, unsafeBitCast(body(cpu.xmm(destination), source), to: Vector.self))
    return operation.next
  }

  /// reg := body(reg, immediate): the shifts of rm, which is a register, by an immediate.
  @inline(__always)
  static func shiftImmediate<A, R>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (A, UInt64) -> R
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    let destination = operation.pointee.rm
    let result = body(
      unsafeBitCast(cpu.xmm(destination, as: Vector.self), to: A.self),
      operation.pointee.immediate & 0xFF)
    cpu.setXMM(destination, unsafeBitCast(result, to: Vector.self))
    return operation.next
  }
}

/// Instructions with an operand that is no XMM register.
extension SSE {
  /// An instruction on registers only.
  @inline(__always)
  static func checked(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (CPU) -> Void
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    body(cpu)
    return operation.next
  }

  /// An instruction on registers only, one of which is an MMX register.
  @inline(__always)
  static func checkedMMX(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (CPU) -> Void
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard cpu.isX87Quiet else { return cpu.faulted(operation) }
    cpu.enterMMX()
    body(cpu)
    return operation.next
  }

  /// rm, which is in memory, := body.
  @inline(__always)
  static func store<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (CPU) -> T
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let linear = cpu.address(operation, count: T.byteCount, .write), cpu.store(linear, body(cpu))
    else { return cpu.faulted(operation) }
    return operation.next
  }
}

extension UnsafeMutablePointer<Processor> {
  /// The rm operand of an instruction for which it names a general register.
  @inline(__always)
  func generalSource<T: Width>(_ operation: UnsafePointer<Operation>, as type: T.Type = T.self) -> T? {
    if operation.isRegister { return get(operation.pointee.rm) }
    guard let linear = address(operation, count: T.byteCount, .read) else { return nil }
    return load(linear)
  }
}

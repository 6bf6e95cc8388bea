// SPDX-License-Identifier: GPL-2.0-or-later

import CSSE

/// Conversions between singles, doubles and integers.
extension SSE {
  static func convert(_ opcode: VectorOpcode) -> VectorInstruction? {
    if let handler = vectorConversion(opcode.opcode, opcode.prefix) {
      return VectorInstruction(handler: handler)
    }
    return fromGeneral(opcode) ?? toGeneral(opcode) ?? mmxConversion(opcode.opcode, opcode.prefix)
  }

  private static func vectorConversion(_ opcode: UInt8, _ prefix: MandatoryPrefix) -> Handler? {
    switch (opcode, prefix) {
    case (0x5A, .none): { SSE.float($0, $1, .double, csse_cvtps2pd) }
    case (0x5A, .x66): { SSE.float($0, $1, .packed, tiny: .singles, scaling: .narrowing, csse_cvtpd2ps) }
    case (0x5A, .xF3): { SSE.float($0, $1, .single, csse_cvtss2sd) }
    case (0x5A, .xF2): { SSE.float($0, $1, .double, tiny: .single, scaling: .narrowing, csse_cvtsd2ss) }
    case (0x5B, .none): { SSE.float($0, $1, .packed, csse_cvtdq2ps) }
    case (0x5B, .x66): { SSE.float($0, $1, .packed, csse_cvtps2dq) }
    case (0x5B, .xF3): { SSE.float($0, $1, .packed, csse_cvttps2dq) }
    case (0xE6, .xF3): { SSE.binary64($0, $1) { a, b in csse_cvtdq2pd(a, Vector(b, 0)) } }
    case (0xE6, .xF2): { SSE.float($0, $1, .packed, csse_cvtpd2dq) }
    case (0xE6, .x66): { SSE.float($0, $1, .packed, csse_cvttpd2dq) }
    default: nil
    }
  }

  // MARK: General registers

  /// CVTSI2SS, CVTSI2SD.
  private static func fromGeneral(_ opcode: VectorOpcode) -> VectorInstruction? {
    let handler: Handler
    switch (opcode.opcode, opcode.prefix, opcode.isWide) {
    case (0x2A, .xF3, false): handler = { SSE.fromGeneral($0, $1, csse_cvtsi2ss) }
    case (0x2A, .xF3, true): handler = { SSE.fromGeneral($0, $1, csse_cvtsi2ss_wide) }
    case (0x2A, .xF2, false): handler = { SSE.fromGeneral($0, $1, csse_cvtsi2sd) }
    case (0x2A, .xF2, true): handler = { SSE.fromGeneral($0, $1, csse_cvtsi2sd_wide) }
    default: return nil
    }
    return VectorInstruction(handler: handler, rm: .general)
  }

  @inline(__always)
  private static func fromGeneral<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (Vector, T) -> Vector
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source: T = cpu.generalSource(operation) else { return cpu.faulted(operation) }
    let old: Vector = cpu.xmm(operation.pointee.reg)
    guard let result = compute(cpu, { body(old, source) }) else { return cpu.faulted(operation) }
    cpu.setXMM(operation.pointee.reg, result)
    return operation.next
  }

  /// CVTSS2SI, CVTSD2SI, CVTTSS2SI, CVTTSD2SI.
  private static func toGeneral(_ opcode: VectorOpcode) -> VectorInstruction? {
    let handler: Handler
    switch (opcode.opcode, opcode.prefix, opcode.isWide) {
    case (0x2C, .xF3, false): handler = { SSE.toGeneral($0, $1, .single, csse_cvttss2si) }
    case (0x2C, .xF3, true): handler = { SSE.toGeneral($0, $1, .single, csse_cvttss2si_wide) }
    case (0x2C, .xF2, false): handler = { SSE.toGeneral($0, $1, .double, csse_cvttsd2si) }
    case (0x2C, .xF2, true): handler = { SSE.toGeneral($0, $1, .double, csse_cvttsd2si_wide) }
    case (0x2D, .xF3, false): handler = { SSE.toGeneral($0, $1, .single, csse_cvtss2si) }
    case (0x2D, .xF3, true): handler = { SSE.toGeneral($0, $1, .single, csse_cvtss2si_wide) }
    case (0x2D, .xF2, false): handler = { SSE.toGeneral($0, $1, .double, csse_cvtsd2si) }
    case (0x2D, .xF2, true): handler = { SSE.toGeneral($0, $1, .double, csse_cvtsd2si_wide) }
    default: return nil
    }
    return VectorInstruction(handler: handler, reg: .general)
  }

  @inline(__always)
  private static func toGeneral<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ operand: FloatOperand,
    _ body: (Vector) -> T
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = floatSource(cpu, operation, operand),
      let result = compute(cpu, { body(source) })
    else { return cpu.faulted(operation) }
    cpu.set(operation.pointee.reg, result)
    return operation.next
  }

  // MARK: MMX registers

  /// CVTPI2PS, CVTPI2PD, CVTPS2PI, CVTPD2PI, CVTTPS2PI, CVTTPD2PI.
  private static func mmxConversion(_ opcode: UInt8, _ prefix: MandatoryPrefix) -> VectorInstruction? {
    switch (opcode, prefix) {
    case (0x2A, .none):
      VectorInstruction(
        handler: {
          SSE.fromMMX($0, $1) { a, b in Vector(csse_cvtdq2ps(b, b).x, a.y) }
        }, rm: .mmx)
    case (0x2A, .x66):
      VectorInstruction(handler: { SSE.fromMMX($0, $1, csse_cvtdq2pd) }, rm: .mmx)
    case (0x2C, .none):
      VectorInstruction(handler: { SSE.toMMX($0, $1, .double, csse_cvttps2dq) }, reg: .mmx)
    case (0x2C, .x66):
      VectorInstruction(handler: { SSE.toMMX($0, $1, .packed, csse_cvttpd2dq) }, reg: .mmx)
    case (0x2D, .none):
      VectorInstruction(handler: { SSE.toMMX($0, $1, .double, csse_cvtps2dq) }, reg: .mmx)
    case (0x2D, .x66):
      VectorInstruction(handler: { SSE.toMMX($0, $1, .packed, csse_cvtpd2dq) }, reg: .mmx)
    default: nil
    }
  }

  /// An operand in memory leaves the x87 registers alone, for CVTPI2PS too, whatever the manual says.
  @inline(__always)
  private static func fromMMX(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (Vector, Vector) -> Vector
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard !operation.isRegister || cpu.isX87Quiet else { return cpu.faulted(operation) }
    let source: UInt64
    if operation.isRegister {
      source = cpu.mm(operation.pointee.rm)
    } else {
      guard let linear = cpu.address(operation, count: 8, .read), let value: UInt64 = cpu.load(linear) else {
        return cpu.faulted(operation)
      }
      source = value
    }
    let old: Vector = cpu.xmm(operation.pointee.reg)
    guard let result = compute(cpu, { body(old, Vector(source, 0)) }) else { return cpu.faulted(operation) }
    if operation.isRegister { cpu.enterMMX() }
    cpu.setXMM(operation.pointee.reg, result)
    return operation.next
  }

  @inline(__always)
  private static func toMMX(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ operand: FloatOperand,
    _ body: (Vector, Vector) -> Vector
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard cpu.isX87Quiet, let source = floatSource(cpu, operation, operand),
      let result = compute(cpu, { body(source, source) })
    else { return cpu.faulted(operation) }
    cpu.enterMMX()
    cpu.setMM(operation.pointee.reg, result.x)
    return operation.next
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CSSE

/// CMPPS, CMPPD, CMPSS, CMPSD, COMISS, COMISD, UCOMISS, UCOMISD.
extension SSE {
  static func compare(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.opcode, opcode.prefix) {
    case (0xC2, .none):
      VectorInstruction(
        handler: {
          SSE.floatImmediate($0, $1, .packed) { a, b, predicate in
            switch predicate & 7 {
            case 0: csse_cmpeqps(a, b)
            case 1: csse_cmpltps(a, b)
            case 2: csse_cmpleps(a, b)
            case 3: csse_cmpunordps(a, b)
            case 4: csse_cmpneqps(a, b)
            case 5: csse_cmpnltps(a, b)
            case 6: csse_cmpnleps(a, b)
            default: csse_cmpordps(a, b)
            }
          }
        }, hasImmediate: true)
    case (0xC2, .x66):
      VectorInstruction(
        handler: {
          SSE.floatImmediate($0, $1, .packed) { a, b, predicate in
            switch predicate & 7 {
            case 0: csse_cmpeqpd(a, b)
            case 1: csse_cmpltpd(a, b)
            case 2: csse_cmplepd(a, b)
            case 3: csse_cmpunordpd(a, b)
            case 4: csse_cmpneqpd(a, b)
            case 5: csse_cmpnltpd(a, b)
            case 6: csse_cmpnlepd(a, b)
            default: csse_cmpordpd(a, b)
            }
          }
        }, hasImmediate: true)
    case (0xC2, .xF3):
      VectorInstruction(
        handler: {
          SSE.floatImmediate($0, $1, .single) { a, b, predicate in
            switch predicate & 7 {
            case 0: csse_cmpeqss(a, b)
            case 1: csse_cmpltss(a, b)
            case 2: csse_cmpless(a, b)
            case 3: csse_cmpunordss(a, b)
            case 4: csse_cmpneqss(a, b)
            case 5: csse_cmpnltss(a, b)
            case 6: csse_cmpnless(a, b)
            default: csse_cmpordss(a, b)
            }
          }
        }, hasImmediate: true)
    case (0xC2, .xF2):
      VectorInstruction(
        handler: {
          SSE.floatImmediate($0, $1, .double) { a, b, predicate in
            switch predicate & 7 {
            case 0: csse_cmpeqsd(a, b)
            case 1: csse_cmpltsd(a, b)
            case 2: csse_cmplesd(a, b)
            case 3: csse_cmpunordsd(a, b)
            case 4: csse_cmpneqsd(a, b)
            case 5: csse_cmpnltsd(a, b)
            case 6: csse_cmpnlesd(a, b)
            default: csse_cmpordsd(a, b)
            }
          }
        }, hasImmediate: true)
    case (0x2E, .none): VectorInstruction(handler: { SSE.compareFlags($0, $1, .single, csse_ucomiss) })
    case (0x2E, .x66): VectorInstruction(handler: { SSE.compareFlags($0, $1, .double, csse_ucomisd) })
    case (0x2F, .none): VectorInstruction(handler: { SSE.compareFlags($0, $1, .single, csse_comiss) })
    case (0x2F, .x66): VectorInstruction(handler: { SSE.compareFlags($0, $1, .double, csse_comisd) })
    default: nil
    }
  }

  /// ZF, PF and CF say how reg compares to rm; OF, SF and AF are cleared.
  @inline(__always)
  private static func compareFlags(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ operand: FloatOperand,
    _ body: (Vector, Vector) -> UInt32
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = floatSource(cpu, operation, operand) else { return cpu.faulted(operation) }
    let value: Vector = cpu.xmm(operation.pointee.reg)
    guard let flags = compute(cpu, { body(value, source) }) else { return cpu.faulted(operation) }
    cpu.arithmeticFlags = UInt64(flags)
    return operation.next
  }

  /// PTEST: ZF says that no bit of rm is set in reg, CF that all are.
  static func test(_ opcode: VectorOpcode) -> VectorInstruction? {
    guard opcode.map == .map0F38, opcode.prefix == .x66, opcode.opcode == 0x17 else { return nil }
    return VectorInstruction(handler: { state, raw in
      let (cpu, operation) = (state.processor, raw.operation)
      guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
      guard let source = cpu.vectorSource(operation) else { return cpu.faulted(operation) }
      let value: Vector = cpu.xmm(operation.pointee.reg)
      cpu.arithmeticFlags =
        (source & value == Vector() ? Flag.zero : 0) | (source & ~value == Vector() ? Flag.carry : 0)
      return operation.next
    })
  }
}

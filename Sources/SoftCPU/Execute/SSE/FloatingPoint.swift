// SPDX-License-Identifier: GPL-2.0-or-later

import CSSE

/// The shapes of floating point handlers.
extension SSE {
  /// What a floating point instruction fetches.
  enum FloatOperand {
    /// 16 bytes, of four singles or two doubles.
    case packed
    case single
    case double
  }

  /// Which lanes of a result may be subnormal, and so be an underflow.
  enum Tiny {
    case never
    case singles
    case single
    case doubles
    case double

    func isIn(_ result: Vector) -> Bool {
      switch self {
      case .never: false
      case .single: isSubnormal(UInt32(truncatingIfNeeded: result.x))
      case .double: isSubnormal(result.x)
      case .doubles: isSubnormal(result.x) || isSubnormal(result.y)
      case .singles:
        isSubnormal(PackedInteger.low(result.x)) || isSubnormal(PackedInteger.high(result.x))
          || isSubnormal(PackedInteger.low(result.y)) || isSubnormal(PackedInteger.high(result.y))
      }
    }

    private func isSubnormal(_ single: UInt32) -> Bool { single & 0x7F80_0000 == 0 && single &<< 1 != 0 }

    private func isSubnormal(_ double: UInt64) -> Bool { double & 0x7FF0 &<< 48 == 0 && double &<< 1 != 0 }
  }

  /// The result of `body`, which is no floating point number; nil if one of the exceptions that the
  /// guest has not masked is recorded.
  @inline(__always)
  static func compute<R>(_ cpu: CPU, _ body: () -> R) -> R? {
    if cpu.exceptionsAreMasked { return body() }
    cpu.beginUnmasked()
    let result = body()
    return cpu.endUnmasked() ? result : nil
  }

  @inline(__always)
  static func floatSource(
    _ cpu: CPU, _ operation: UnsafePointer<Operation>, _ operand: FloatOperand
  ) -> Vector? {
    switch operand {
    case .packed: return cpu.vectorSource(operation)
    case .single:
      guard let value = cpu.scalarSource(operation, as: UInt32.self) else { return nil }
      return Vector(UInt64(value), 0)
    case .double:
      guard let value = cpu.scalarSource(operation, as: UInt64.self) else { return nil }
      return Vector(value, 0)
    }
  }

  /// reg := body(reg, rm)
  @inline(__always)
  static func float(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ operand: FloatOperand,
    tiny: Tiny = .never, scaling: FloatScaling = .none, _ body: (Vector, Vector) -> Vector
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = floatSource(cpu, operation, operand) else { return cpu.faulted(operation) }
    guard cpu.exceptionsAreMasked else {
      return floatUnmasked(cpu, operation, source, tiny, scaling, body)
    }
    let destination = operation.pointee.reg
    cpu.setXMM(destination, body(cpu.xmm(destination), source))
    return operation.next
  }

  /// The same where not all exceptions are masked; not inlined, to keep handlers short.
  @inline(never)
  private static func floatUnmasked(
    _ cpu: CPU, _ operation: UnsafePointer<Operation>, _ source: Vector, _ tiny: Tiny,
    _ scaling: FloatScaling, _ body: (Vector, Vector) -> Vector
  ) -> UnsafeRawPointer? {
    let destination = operation.pointee.reg
    let old: Vector = cpu.xmm(destination)
    cpu.beginUnmasked()
    let result = body(old, source)
    let isDone = cpu.endUnmasked(isTiny: tiny.isIn(result)) {
      guard
        let operands = scaling.scaled(
          old, source, result, zeroes: cpu.pointee.mxcsr & MXCSR.denormalsAreZero != 0)
      else { return false }
      _ = body(operands.0, operands.1)
      return true
    }
    guard isDone else { return cpu.faulted(operation) }
    cpu.setXMM(destination, result)
    return operation.next
  }
}

/// Arithmetic.
extension SSE {
  static func floatingPoint(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch opcode.map {
    case .map0F:
      let arithmetic: Handler? =
        switch opcode.prefix {
        case .none: packedSingles(opcode.opcode)
        case .x66: packedDoubles(opcode.opcode)
        case .xF3: scalarSingle(opcode.opcode)
        case .xF2: scalarDouble(opcode.opcode)
        }
      if let handler = arithmetic ?? horizontal(opcode.opcode, opcode.prefix) {
        return VectorInstruction(handler: handler)
      }
      return compare(opcode) ?? convert(opcode)
    case .map0F38: return nil
    case .map0F3A: return opcode.prefix == .x66 ? roundOrDotProduct(opcode.opcode) : nil
    }
  }

  private static func packedSingles(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x51: { SSE.float($0, $1, .packed, csse_sqrtps) }
    case 0x52: { SSE.binary($0, $1, csse_rsqrtps) }
    case 0x53: { SSE.binary($0, $1, csse_rcpps) }
    case 0x58: { SSE.float($0, $1, .packed, tiny: .singles, csse_addps) }
    case 0x59: { SSE.float($0, $1, .packed, tiny: .singles, scaling: .singles, csse_mulps) }
    case 0x5C: { SSE.float($0, $1, .packed, tiny: .singles, csse_subps) }
    case 0x5D: { SSE.float($0, $1, .packed, csse_minps) }
    case 0x5E: { SSE.float($0, $1, .packed, tiny: .singles, scaling: .singles, csse_divps) }
    case 0x5F: { SSE.float($0, $1, .packed, csse_maxps) }
    default: nil
    }
  }

  private static func packedDoubles(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x51: { SSE.float($0, $1, .packed, csse_sqrtpd) }
    case 0x58: { SSE.float($0, $1, .packed, tiny: .doubles, csse_addpd) }
    case 0x59: { SSE.float($0, $1, .packed, tiny: .doubles, scaling: .doubles, csse_mulpd) }
    case 0x5C: { SSE.float($0, $1, .packed, tiny: .doubles, csse_subpd) }
    case 0x5D: { SSE.float($0, $1, .packed, csse_minpd) }
    case 0x5E: { SSE.float($0, $1, .packed, tiny: .doubles, scaling: .doubles, csse_divpd) }
    case 0x5F: { SSE.float($0, $1, .packed, csse_maxpd) }
    default: nil
    }
  }

  private static func scalarSingle(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x51: { SSE.float($0, $1, .single, csse_sqrtss) }
    case 0x52: { SSE.estimate($0, $1, csse_rsqrtss) }
    case 0x53: { SSE.estimate($0, $1, csse_rcpss) }
    case 0x58: { SSE.float($0, $1, .single, tiny: .single, csse_addss) }
    case 0x59: { SSE.float($0, $1, .single, tiny: .single, scaling: .singles, csse_mulss) }
    case 0x5C: { SSE.float($0, $1, .single, tiny: .single, csse_subss) }
    case 0x5D: { SSE.float($0, $1, .single, csse_minss) }
    case 0x5E: { SSE.float($0, $1, .single, tiny: .single, scaling: .singles, csse_divss) }
    case 0x5F: { SSE.float($0, $1, .single, csse_maxss) }
    default: nil
    }
  }

  private static func scalarDouble(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x51: { SSE.float($0, $1, .double, csse_sqrtsd) }
    case 0x58: { SSE.float($0, $1, .double, tiny: .double, csse_addsd) }
    case 0x59: { SSE.float($0, $1, .double, tiny: .double, scaling: .doubles, csse_mulsd) }
    case 0x5C: { SSE.float($0, $1, .double, tiny: .double, csse_subsd) }
    case 0x5D: { SSE.float($0, $1, .double, csse_minsd) }
    case 0x5E: { SSE.float($0, $1, .double, tiny: .double, scaling: .doubles, csse_divsd) }
    case 0x5F: { SSE.float($0, $1, .double, csse_maxsd) }
    default: nil
    }
  }

  /// RSQRTSS, RCPSS: no exceptions.
  @inline(__always)
  private static func estimate(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (Vector, Vector) -> Vector
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = floatSource(cpu, operation, .single) else { return cpu.faulted(operation) }
    cpu.setXMM(operation.pointee.reg, body(cpu.xmm(operation.pointee.reg), source))
    return operation.next
  }

  /// HADD, HSUB, ADDSUB.
  private static func horizontal(_ opcode: UInt8, _ prefix: MandatoryPrefix) -> Handler? {
    switch (opcode, prefix) {
    case (0x7C, .xF2):
      {
        SSE.float($0, $1, .packed, tiny: .singles) { a, b in
          csse_addps(SSE.evenSingles(a, b), SSE.oddSingles(a, b))
        }
      }
    case (0x7D, .xF2):
      {
        SSE.float($0, $1, .packed, tiny: .singles) { a, b in
          csse_subps(SSE.evenSingles(a, b), SSE.oddSingles(a, b))
        }
      }
    case (0x7C, .x66):
      {
        SSE.float($0, $1, .packed, tiny: .doubles) { a, b in csse_addpd(Vector(a.x, b.x), Vector(a.y, b.y)) }
      }
    case (0x7D, .x66):
      {
        SSE.float($0, $1, .packed, tiny: .doubles) { a, b in csse_subpd(Vector(a.x, b.x), Vector(a.y, b.y)) }
      }
    case (0xD0, .xF2):
      {
        SSE.float($0, $1, .packed, tiny: .singles) { a, b in
          let even: UInt64 = 0xFFFF_FFFF
          return csse_subps(a & even, b & even) & even | csse_addps(a & ~even, b & ~even) & ~even
        }
      }
    case (0xD0, .x66):
      {
        SSE.float($0, $1, .packed, tiny: .doubles) { a, b in
          Vector(
            csse_subsd(Vector(a.x, 0), Vector(b.x, 0)).x, csse_addsd(Vector(a.y, 0), Vector(b.y, 0)).x)
        }
      }
    default: nil
    }
  }

  @inline(__always)
  private static func evenSingles(_ a: Vector, _ b: Vector) -> Vector {
    let (a, b) = (unsafeBitCast(a, to: Doublewords.self), unsafeBitCast(b, to: Doublewords.self))
    return unsafeBitCast(Doublewords(a.x, a.z, b.x, b.z), to: Vector.self)
  }

  @inline(__always)
  private static func oddSingles(_ a: Vector, _ b: Vector) -> Vector {
    let (a, b) = (unsafeBitCast(a, to: Doublewords.self), unsafeBitCast(b, to: Doublewords.self))
    return unsafeBitCast(Doublewords(a.y, a.w, b.y, b.w), to: Vector.self)
  }

  /// ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD, DPPS, DPPD.
  private static func roundOrDotProduct(_ opcode: UInt8) -> VectorInstruction? {
    let handler: Handler
    switch opcode {
    case 0x08: handler = { SSE.floatImmediate($0, $1, .packed, csse_roundps) }
    case 0x09: handler = { SSE.floatImmediate($0, $1, .packed, csse_roundpd) }
    case 0x0A: handler = { SSE.floatImmediate($0, $1, .single, csse_roundss) }
    case 0x0B: handler = { SSE.floatImmediate($0, $1, .double, csse_roundsd) }
    case 0x40: handler = { SSE.floatImmediate($0, $1, .packed, tiny: .singles, SSE.dotProductOfSingles) }
    case 0x41: handler = { SSE.floatImmediate($0, $1, .packed, tiny: .doubles, SSE.dotProductOfDoubles) }
    default: return nil
    }
    return VectorInstruction(handler: handler, hasImmediate: true)
  }

  @inline(__always)
  static func floatImmediate(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ operand: FloatOperand, tiny: Tiny = .never,
    _ body: (Vector, Vector, UInt8) -> Vector
  ) -> UnsafeRawPointer? {
    let immediate = UInt8(truncatingIfNeeded: raw.operation.pointee.immediate)
    return SSE.float(state, raw, operand, tiny: tiny) { a, b in body(a, b, immediate) }
  }

  /// DPPS: the upper half of the immediate chooses the products, the lower half where their sum goes.
  @inline(__always)
  private static func dotProductOfSingles(_ a: Vector, _ b: Vector, _ immediate: UInt8) -> Vector {
    let factors = singlesMask(immediate &>> 4)
    let products = unsafeBitCast(csse_mulps(a & factors, b & factors), to: Doublewords.self)
    let sums = csse_addps(
      Vector(PackedInteger.join(products.x, products.z), 0),
      Vector(PackedInteger.join(products.y, products.w), 0))
    let sum = csse_addss(Vector(sums.x & 0xFFFF_FFFF, 0), Vector(sums.x &>> 32, 0)).x & 0xFFFF_FFFF
    return Vector(repeating: sum | sum &<< 32) & singlesMask(immediate)
  }

  /// DPPD.
  @inline(__always)
  private static func dotProductOfDoubles(_ a: Vector, _ b: Vector, _ immediate: UInt8) -> Vector {
    let factors = doublesMask(immediate &>> 4)
    let products = csse_mulpd(a & factors, b & factors)
    let sum = csse_addsd(Vector(products.x, 0), Vector(products.y, 0)).x
    return Vector(repeating: sum) & doublesMask(immediate)
  }

  @inline(__always)
  private static func singlesMask(_ lanes: UInt8) -> Vector {
    Vector(
      (lanes & 1 != 0 ? 0xFFFF_FFFF : 0) | (lanes & 2 != 0 ? 0xFFFF_FFFF &<< 32 : 0),
      (lanes & 4 != 0 ? 0xFFFF_FFFF : 0) | (lanes & 8 != 0 ? 0xFFFF_FFFF &<< 32 : 0))
  }

  @inline(__always)
  private static func doublesMask(_ lanes: UInt8) -> Vector {
    Vector(lanes & 1 != 0 ? ~0 : 0, lanes & 2 != 0 ? ~0 : 0)
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// Moves between XMM registers, general and MMX registers and memory.
extension SSE {
  static func move(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch opcode.map {
    case .map0F:
      registerMove(opcode) ?? halfMove(opcode) ?? integerMove(opcode) ?? nonTemporalMove(opcode)
    case .map0F38:
      // MOVNTDQA
      opcode.opcode == 0x2A && opcode.prefix == .x66 && !opcode.isRegister
        ? VectorInstruction(handler: alignedLoad) : nil
    case .map0F3A: nil
    }
  }

  /// MOVUPS, MOVUPD, MOVSS, MOVSD, MOVAPS, MOVAPD, MOVDQA, MOVDQU, LDDQU, MOVQ.
  private static func registerMove(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.opcode, opcode.prefix) {
    case (0x10, .none), (0x10, .x66), (0x6F, .xF3): VectorInstruction(handler: unalignedLoad)
    case (0x11, .none), (0x11, .x66), (0x7F, .xF3): VectorInstruction(handler: unalignedStore)
    case (0x28, .none), (0x28, .x66), (0x6F, .x66): VectorInstruction(handler: alignedLoad)
    case (0x29, .none), (0x29, .x66), (0x7F, .x66): VectorInstruction(handler: alignedStore)
    case (0xF0, .xF2): opcode.isRegister ? nil : VectorInstruction(handler: unalignedLoad)
    case (0x10, .xF3): VectorInstruction(handler: { SSE.scalarLoad($0, $1, UInt32.self) })
    case (0x10, .xF2): VectorInstruction(handler: { SSE.scalarLoad($0, $1, UInt64.self) })
    case (0x11, .xF3): VectorInstruction(handler: { SSE.scalarStore($0, $1, UInt32.self) })
    case (0x11, .xF2): VectorInstruction(handler: { SSE.scalarStore($0, $1, UInt64.self) })
    case (0x7E, .xF3): VectorInstruction(handler: { SSE.binary64($0, $1) { _, b in Vector(b, 0) } })
    case (0xD6, .x66):
      VectorInstruction(handler: { state, raw in
        let operation = raw.operation
        if operation.isRegister {
          return SSE.checked(state, raw) { cpu in
            cpu.setXMM(operation.pointee.rm, Vector(cpu.xmm(operation.pointee.reg), 0))
          }
        }
        return SSE.store(state, raw) { $0.xmm(operation.pointee.reg, as: UInt64.self) }
      })
    default: nil
    }
  }

  /// MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS, MOVDDUP, MOVSLDUP, MOVSHDUP.
  private static func halfMove(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.opcode, opcode.prefix) {
    case (0x12, .none) where opcode.isRegister:
      VectorInstruction(handler: { SSE.binary($0, $1) { (a: Vector, b: Vector) in Vector(b.y, a.y) } })
    case (0x16, .none) where opcode.isRegister:
      VectorInstruction(handler: { SSE.binary($0, $1) { (a: Vector, b: Vector) in Vector(a.x, b.x) } })
    case (0x12...0x13, .x66) where opcode.isRegister, (0x16...0x17, .x66) where opcode.isRegister,
      (0x13, .none) where opcode.isRegister, (0x17, .none) where opcode.isRegister:
      nil
    case (0x12, .none), (0x12, .x66):
      VectorInstruction(handler: { SSE.binary64($0, $1) { a, b in Vector(b, a.y) } })
    case (0x16, .none), (0x16, .x66):
      VectorInstruction(handler: { SSE.binary64($0, $1) { a, b in Vector(a.x, b) } })
    case (0x13, .none), (0x13, .x66):
      VectorInstruction(handler: { state, raw in
        SSE.store(state, raw) { $0.xmm(raw.operation.pointee.reg, as: UInt64.self) }
      })
    case (0x17, .none), (0x17, .x66):
      VectorInstruction(handler: { state, raw in
        SSE.store(state, raw) { $0.xmm(raw.operation.pointee.reg + 8, as: UInt64.self) }
      })
    case (0x12, .xF2): VectorInstruction(handler: { SSE.binary64($0, $1) { _, b in Vector(b, b) } })
    case (0x12, .xF3):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (_: SIMD4<UInt32>, b: SIMD4<UInt32>) in SIMD4(b.x, b.x, b.z, b.z) }
      })
    case (0x16, .xF3):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (_: SIMD4<UInt32>, b: SIMD4<UInt32>) in SIMD4(b.y, b.y, b.w, b.w) }
      })
    default: nil
    }
  }

  /// MOVD, MOVQ, MOVQ2DQ, MOVDQ2Q, MOVMSKPS, MOVMSKPD, PMOVMSKB.
  private static func integerMove(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.opcode, opcode.prefix) {
    case (0x6E, .x66):
      VectorInstruction(
        handler: opcode.isWide
          ? { SSE.loadGeneral($0, $1, UInt64.self) } : { SSE.loadGeneral($0, $1, UInt32.self) },
        rm: .general)
    case (0x7E, .x66):
      VectorInstruction(
        handler: opcode.isWide
          ? { SSE.storeGeneral($0, $1, UInt64.self) } : { SSE.storeGeneral($0, $1, UInt32.self) },
        rm: .general)
    case (0xD6, .xF3) where opcode.isRegister:
      VectorInstruction(
        handler: { state, raw in
          let operation = raw.operation
          return SSE.checkedMMX(state, raw) { cpu in
            cpu.setXMM(operation.pointee.reg, Vector(cpu.mm(operation.pointee.rm), 0))
          }
        }, rm: .mmx)
    case (0xD6, .xF2) where opcode.isRegister:
      VectorInstruction(
        handler: { state, raw in
          let operation = raw.operation
          return SSE.checkedMMX(state, raw) { cpu in
            cpu.setMM(operation.pointee.reg, cpu.xmm(operation.pointee.rm))
          }
        }, reg: .mmx)
    case (0x50, .none) where opcode.isRegister:
      VectorInstruction(
        handler: { SSE.mask($0, $1) { (a: SIMD4<Int32>) in PackedInteger.signMask(a) } }, reg: .general)
    case (0x50, .x66) where opcode.isRegister:
      VectorInstruction(
        handler: { SSE.mask($0, $1) { (a: SIMD2<Int64>) in PackedInteger.signMask(a) } }, reg: .general)
    case (0xD7, .x66) where opcode.isRegister:
      VectorInstruction(
        handler: { SSE.mask($0, $1) { (a: Vector) in SSE.byteMask(a.x) | SSE.byteMask(a.y) &<< 8 } },
        reg: .general)
    default: nil
    }
  }

  /// MOVNTPS, MOVNTPD, MOVNTDQ, MOVNTI, MASKMOVDQU.
  private static func nonTemporalMove(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.opcode, opcode.prefix) {
    case (0x2B, .none) where !opcode.isRegister, (0x2B, .x66) where !opcode.isRegister,
      (0xE7, .x66) where !opcode.isRegister:
      VectorInstruction(handler: alignedStore)
    case (0xC3, .none) where !opcode.isRegister:
      VectorInstruction(
        handler: opcode.isWide
          ? { SSE.moveGeneral($0, $1, UInt64.self) } : { SSE.moveGeneral($0, $1, UInt32.self) },
        reg: .general, rm: .general)
    case (0xF7, .x66) where opcode.isRegister: VectorInstruction(handler: maskedStore)
    default: nil
    }
  }

  // MARK: Handlers

  private static let unalignedLoad: Handler = {
    SSE.binary($0, $1, aligned: false) { (_: Vector, b: Vector) in b }
  }

  private static let alignedLoad: Handler = { SSE.binary($0, $1) { (_: Vector, b: Vector) in b } }

  private static let unalignedStore: Handler = { SSE.storeVector($0, $1, aligned: false) }

  private static let alignedStore: Handler = { SSE.storeVector($0, $1, aligned: true) }

  @inline(__always)
  private static func storeVector(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, aligned: Bool
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    let value: Vector = cpu.xmm(operation.pointee.reg)
    if operation.isRegister {
      cpu.setXMM(operation.pointee.rm, value)
      return operation.next
    }
    guard let linear = cpu.address(operation, count: 16, .write),
      cpu.storeVector(linear, value, aligned: aligned)
    else { return cpu.faulted(operation) }
    return operation.next
  }

  /// MOVSS, MOVSD: from memory the rest of the register is cleared, from a register it is kept.
  @inline(__always)
  private static func scalarLoad<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let value = cpu.scalarSource(operation, as: T.self) else { return cpu.faulted(operation) }
    if operation.isRegister {
      cpu.setXMM(operation.pointee.reg, value)
    } else {
      cpu.setXMM(operation.pointee.reg, Vector(UInt64(truncatingIfNeeded: value), 0))
    }
    return operation.next
  }

  @inline(__always)
  private static func scalarStore<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type
  ) -> UnsafeRawPointer? {
    let operation = raw.operation
    if operation.isRegister {
      return SSE.checked(state, raw) { cpu in
        cpu.setXMM(operation.pointee.rm, cpu.xmm(operation.pointee.reg, as: T.self))
      }
    }
    return SSE.store(state, raw) { $0.xmm(operation.pointee.reg, as: T.self) }
  }

  @inline(__always)
  private static func loadGeneral<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let value: T = cpu.generalSource(operation) else { return cpu.faulted(operation) }
    cpu.setXMM(operation.pointee.reg, Vector(UInt64(truncatingIfNeeded: value), 0))
    return operation.next
  }

  @inline(__always)
  private static func storeGeneral<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type
  ) -> UnsafeRawPointer? {
    let operation = raw.operation
    if operation.isRegister {
      return SSE.checked(state, raw) { cpu in
        cpu.set(operation.pointee.rm, cpu.xmm(operation.pointee.reg, as: T.self))
      }
    }
    return SSE.store(state, raw) { $0.xmm(operation.pointee.reg, as: T.self) }
  }

  /// MOVNTI, which needs no vector registers.
  @inline(__always)
  private static func moveGeneral<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard let linear = cpu.address(operation, count: T.byteCount, .write),
      cpu.store(linear, cpu.get(operation.pointee.reg, as: T.self))
    else { return cpu.faulted(operation) }
    return operation.next
  }

  @inline(__always)
  private static func mask<A>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (A) -> UInt32
  ) -> UnsafeRawPointer? {
    let operation = raw.operation
    return SSE.checked(state, raw) { cpu in
      let value = unsafeBitCast(cpu.xmm(operation.pointee.rm, as: Vector.self), to: A.self)
      cpu.set(operation.pointee.reg, body(value))
    }
  }

  /// The highest bit of each of 8 bytes.
  @inline(__always)
  private static func byteMask(_ bytes: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: ((bytes & 0x8080_8080_8080_8080) &* 0x0002_0408_1020_4081) &>> 56)
  }

  /// MASKMOVDQU: the bytes whose mask has bit 7 set go to DS:rDI.
  private static let maskedStore: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    let selected: Vector = cpu.xmm(operation.pointee.rm)
    let mask = SSE.byteMask(selected.x) | SSE.byteMask(selected.y) &<< 8
    guard mask != 0 else { return operation.next }
    let first = UInt64(truncatingIfNeeded: mask.trailingZeroBitCount)
    let count = 32 - mask.leadingZeroBitCount - mask.trailingZeroBitCount
    let shift = UInt64(operation.pointee.addressShift)
    guard
      let linear = cpu.linear(
        Int(operation.pointee.segment & 7), ((cpu.rdi &<< shift) &>> shift) &+ first, count: count, .write),
      cpu.probeWrite(linear, count, inPieces: true)
    else { return cpu.faulted(operation) }
    for byte in 0..<UInt8(16) where mask &>> UInt32(byte) & 1 != 0 {
      let value: UInt8 = cpu.xmm(operation.pointee.reg + byte)
      guard cpu.store(linear &+ (UInt64(byte) &- first), value) else { return cpu.faulted(operation) }
    }
    return operation.next
  }
}

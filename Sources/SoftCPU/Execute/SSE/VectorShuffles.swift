// SPDX-License-Identifier: GPL-2.0-or-later

/// Instructions that move lanes about or change their width.
extension SSE {
  static func shuffle(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.map, opcode.prefix) {
    case (.map0F, _):
      if let handler = immediateShuffle(opcode) {
        return VectorInstruction(handler: handler, hasImmediate: true)
      }
      let handler =
        unpack(opcode.opcode, opcode.prefix)
        ?? (opcode.prefix == .x66 ? packing(opcode.opcode) : nil)
      if let handler { return VectorInstruction(handler: handler) }
      return opcode.prefix == .x66 ? wordTransfer(opcode) : nil
    case (.map0F38, .x66):
      return (extension38(opcode.opcode) ?? blendVariable(opcode.opcode)).map {
        VectorInstruction(handler: $0)
      }
    case (.map0F3A, .x66):
      if let handler = blendImmediate(opcode.opcode) {
        return VectorInstruction(handler: handler, hasImmediate: true)
      }
      return laneTransfer(opcode)
    default: return nil
    }
  }

  /// PUNPCK…, UNPCKLPS …
  private static func unpack(_ opcode: UInt8, _ prefix: MandatoryPrefix) -> Handler? {
    switch (opcode, prefix) {
    case (0x60, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.unpackBytes(a.x, b.x) } }
    case (0x68, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.unpackBytes(a.y, b.y) } }
    case (0x61, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.unpackWords(a.x, b.x) } }
    case (0x69, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.unpackWords(a.y, b.y) } }
    case (0x62, .x66), (0x14, .none):
      { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in Doublewords(a.x, b.x, a.y, b.y) } }
    case (0x6A, .x66), (0x15, .none):
      { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in Doublewords(a.z, b.z, a.w, b.w) } }
    case (0x6C, .x66), (0x14, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in Vector(a.x, b.x) } }
    case (0x6D, .x66), (0x15, .x66): { SSE.binary($0, $1) { (a: Vector, b: Vector) in Vector(a.y, b.y) } }
    default: nil
    }
  }

  @inline(__always)
  private static func unpackBytes(_ a: UInt64, _ b: UInt64) -> Bytes {
    let a = PackedInteger.lanes(a, as: SIMD8<UInt8>.self)
    let b = PackedInteger.lanes(b, as: SIMD8<UInt8>.self)
    return Bytes(
      a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
  }

  @inline(__always)
  private static func unpackWords(_ a: UInt64, _ b: UInt64) -> Words {
    let a = PackedInteger.lanes(a, as: SIMD4<UInt16>.self)
    let b = PackedInteger.lanes(b, as: SIMD4<UInt16>.self)
    return Words(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
  }

  /// PACKSSWB, PACKUSWB, PACKSSDW.
  private static func packing(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x63: { SSE.pack($0, $1, PackedInteger.packSignedBytes) }
    case 0x67: { SSE.pack($0, $1, PackedInteger.packUnsignedBytes) }
    case 0x6B: { SSE.pack($0, $1, PackedInteger.packSignedWords) }
    default: nil
    }
  }

  /// PSHUFD, PSHUFLW, PSHUFHW, SHUFPS, SHUFPD.
  private static func immediateShuffle(_ opcode: VectorOpcode) -> Handler? {
    switch (opcode.opcode, opcode.prefix) {
    case (0x70, .x66):
      {
        SSE.binaryImmediate($0, $1) { (_: Doublewords, b: Doublewords, order) in
          Doublewords(
            SSE.select(b, order), SSE.select(b, order &>> 2), SSE.select(b, order &>> 4),
            SSE.select(b, order &>> 6))
        }
      }
    case (0x70, .xF3):
      {
        SSE.binaryImmediate($0, $1) { (_: Vector, b: Vector, order) in
          Vector(b.x, PackedInteger.shuffleWords(b.y, order))
        }
      }
    case (0x70, .xF2):
      {
        SSE.binaryImmediate($0, $1) { (_: Vector, b: Vector, order) in
          Vector(PackedInteger.shuffleWords(b.x, order), b.y)
        }
      }
    case (0xC6, .none):
      {
        SSE.binaryImmediate($0, $1) { (a: Doublewords, b: Doublewords, order) in
          Doublewords(
            SSE.select(a, order), SSE.select(a, order &>> 2), SSE.select(b, order &>> 4),
            SSE.select(b, order &>> 6))
        }
      }
    case (0xC6, .x66):
      {
        SSE.binaryImmediate($0, $1) { (a: Vector, b: Vector, order) in
          Vector(order & 1 == 0 ? a.x : a.y, order & 2 == 0 ? b.x : b.y)
        }
      }
    default: nil
    }
  }

  @inline(__always)
  private static func select(_ a: Doublewords, _ lane: UInt8) -> UInt32 { a[Int(lane & 3)] }

  /// PINSRW, PEXTRW.
  private static func wordTransfer(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch opcode.opcode {
    case 0xC4:
      VectorInstruction(handler: { SSE.insert($0, $1, UInt16.self, 7) }, rm: .general, hasImmediate: true)
    case 0xC5 where opcode.isRegister:
      VectorInstruction(
        handler: { state, raw in
          let operation = raw.operation
          return SSE.checked(state, raw) { cpu in
            let lane = UInt8(truncatingIfNeeded: operation.pointee.immediate) & 7
            let word: UInt16 = cpu.xmm(operation.pointee.rm + lane * 2)
            cpu.set(operation.pointee.reg, UInt32(word))
          }
        }, reg: .general, hasImmediate: true)
    default: nil
    }
  }

  /// PINSRB, PINSRD, PINSRQ, INSERTPS, PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS.
  private static func laneTransfer(_ opcode: VectorOpcode) -> VectorInstruction? {
    let handler: Handler
    switch (opcode.opcode, opcode.isWide) {
    case (0x14, _): handler = { SSE.extract($0, $1, UInt8.self, 15) }
    case (0x15, _): handler = { SSE.extract($0, $1, UInt16.self, 7) }
    case (0x16, false), (0x17, _): handler = { SSE.extract($0, $1, UInt32.self, 3) }
    case (0x16, true): handler = { SSE.extract($0, $1, UInt64.self, 1) }
    case (0x20, _): handler = { SSE.insert($0, $1, UInt8.self, 15) }
    case (0x22, false): handler = { SSE.insert($0, $1, UInt32.self, 3) }
    case (0x22, true): handler = { SSE.insert($0, $1, UInt64.self, 1) }
    case (0x21, _): return VectorInstruction(handler: insertSingle, hasImmediate: true)
    default: return nil
    }
    return VectorInstruction(handler: handler, rm: .general, hasImmediate: true)
  }

  @inline(__always)
  private static func insert<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type, _ lanes: UInt8
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let value: T = cpu.generalSource(operation) else { return cpu.faulted(operation) }
    let lane = UInt8(truncatingIfNeeded: operation.pointee.immediate) & lanes
    cpu.setXMM(operation.pointee.reg &+ lane &* UInt8(T.byteCount), value)
    return operation.next
  }

  /// A lane goes to a general register, zero-extended, or to memory.
  @inline(__always)
  private static func extract<T: Width>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type, _ lanes: UInt8
  ) -> UnsafeRawPointer? {
    let operation = raw.operation
    let lane = UInt8(truncatingIfNeeded: operation.pointee.immediate) & lanes
    let source = operation.pointee.reg &+ lane &* UInt8(T.byteCount)
    guard operation.isRegister else { return SSE.store(state, raw) { $0.xmm(source, as: T.self) } }
    return SSE.checked(state, raw) { cpu in
      cpu.set(operation.pointee.rm, UInt64(truncatingIfNeeded: cpu.xmm(source, as: T.self)))
    }
  }

  /// INSERTPS: a lane of rm, chosen by bits 6 and 7, goes to the lane in bits 4 and 5; then lanes with a bit
  /// among the low four are cleared.
  private static let insertSingle: Handler = { state, raw in
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    let immediate = UInt8(truncatingIfNeeded: operation.pointee.immediate)
    let value: UInt32
    if operation.isRegister {
      value = cpu.xmm(operation.pointee.rm &+ (immediate &>> 6) &* 4)
    } else {
      guard let loaded = cpu.scalarSource(operation, as: UInt32.self) else { return cpu.faulted(operation) }
      value = loaded
    }
    var lanes: Doublewords = cpu.xmm(operation.pointee.reg)
    lanes[Int(immediate &>> 4 & 3)] = value
    for lane in 0..<4 where immediate &>> UInt8(lane) & 1 != 0 { lanes[lane] = 0 }
    cpu.setXMM(operation.pointee.reg, lanes)
    return operation.next
  }

  /// PMOVSX…, PMOVZX…, PACKUSDW.
  private static func extension38(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x20: { SSE.widen($0, $1, UInt64.self) { (a: SIMD8<Int8>) in SignedWords(truncatingIfNeeded: a) } }
    case 0x21:
      { SSE.widen($0, $1, UInt32.self) { (a: SIMD4<Int8>) in SignedDoublewords(truncatingIfNeeded: a) } }
    case 0x22:
      { SSE.widen($0, $1, UInt16.self) { (a: SIMD2<Int8>) in SignedQuadwords(truncatingIfNeeded: a) } }
    case 0x23:
      { SSE.widen($0, $1, UInt64.self) { (a: SIMD4<Int16>) in SignedDoublewords(truncatingIfNeeded: a) } }
    case 0x24:
      { SSE.widen($0, $1, UInt32.self) { (a: SIMD2<Int16>) in SignedQuadwords(truncatingIfNeeded: a) } }
    case 0x25:
      { SSE.widen($0, $1, UInt64.self) { (a: SIMD2<Int32>) in SignedQuadwords(truncatingIfNeeded: a) } }
    case 0x30: { SSE.widen($0, $1, UInt64.self) { (a: SIMD8<UInt8>) in Words(truncatingIfNeeded: a) } }
    case 0x31: { SSE.widen($0, $1, UInt32.self) { (a: SIMD4<UInt8>) in Doublewords(truncatingIfNeeded: a) } }
    case 0x32: { SSE.widen($0, $1, UInt16.self) { (a: SIMD2<UInt8>) in Vector(truncatingIfNeeded: a) } }
    case 0x33: { SSE.widen($0, $1, UInt64.self) { (a: SIMD4<UInt16>) in Doublewords(truncatingIfNeeded: a) } }
    case 0x34: { SSE.widen($0, $1, UInt32.self) { (a: SIMD2<UInt16>) in Vector(truncatingIfNeeded: a) } }
    case 0x35: { SSE.widen($0, $1, UInt64.self) { (a: SIMD2<UInt32>) in Vector(truncatingIfNeeded: a) } }
    case 0x2B: { SSE.pack($0, $1, PackedInteger.packUnsignedWords) }
    default: nil
    }
  }

  @inline(__always)
  private static func widen<T: Width, A, R>(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ type: T.Type, _ body: (A) -> R
  ) -> UnsafeRawPointer? {
    let (cpu, operation) = (state.processor, raw.operation)
    guard cpu.vectorsAreUsable else { return cpu.vectorsUnusable(operation) }
    guard let source = cpu.scalarSource(operation, as: T.self) else { return cpu.faulted(operation) }
    let result = body(unsafeBitCast(source, to: A.self))
    cpu.setXMM(operation.pointee.reg, unsafeBitCast(result, to: Vector.self))
    return operation.next
  }

  /// PBLENDVB, BLENDVPS, BLENDVPD: the sign bits of XMM0's lanes choose.
  private static func blendVariable(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x10:
      { state, raw in
        let mask = state.processor.xmm(0, as: SignedBytes.self)
        return SSE.binary(state, raw) { (a: Bytes, b: Bytes) in
          a.replacing(with: b, where: mask .< SignedBytes())
        }
      }
    case 0x14:
      { state, raw in
        let mask = state.processor.xmm(0, as: SignedDoublewords.self)
        return SSE.binary(state, raw) { (a: Doublewords, b: Doublewords) in
          a.replacing(with: b, where: mask .< SignedDoublewords())
        }
      }
    case 0x15:
      { state, raw in
        let mask = state.processor.xmm(0, as: SignedQuadwords.self)
        return SSE.binary(state, raw) { (a: Vector, b: Vector) in
          a.replacing(with: b, where: mask .< SignedQuadwords())
        }
      }
    default: nil
    }
  }

  /// BLENDPS, BLENDPD, PBLENDW, PALIGNR, MPSADBW.
  private static func blendImmediate(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x0C:
      { SSE.binaryImmediate($0, $1) { (a: Doublewords, b: Doublewords, choice) in SSE.blend(a, b, choice) } }
    case 0x0D: { SSE.binaryImmediate($0, $1) { (a: Vector, b: Vector, choice) in SSE.blend(a, b, choice) } }
    case 0x0E: { SSE.binaryImmediate($0, $1) { (a: Words, b: Words, choice) in SSE.blend(a, b, choice) } }
    case 0x0F:
      { SSE.binaryImmediate($0, $1) { (a: Vector, b: Vector, count) in SSE.bytesFrom(b, a, UInt64(count)) } }
    case 0x42:
      { SSE.binaryImmediate($0, $1) { (a: Bytes, b: Bytes, blocks) in SSE.blockDifferences(a, b, blocks) } }
    default: nil
    }
  }

  @inline(__always)
  private static func blend<V: SIMD>(_ a: V, _ b: V, _ choice: UInt8) -> V {
    var result = a
    for lane in 0..<V.scalarCount where choice &>> UInt8(lane) & 1 != 0 { result[lane] = b[lane] }
    return result
  }

  /// MPSADBW: sums of absolute differences of a block of 4 bytes of `b` to 8 blocks of `a`.
  @inline(__always)
  private static func blockDifferences(_ a: Bytes, _ b: Bytes, _ blocks: UInt8) -> Words {
    let first = Int(blocks & 4)
    let second = Int(blocks & 3) * 4
    var result = Words()
    for lane in 0..<8 {
      var sum: UInt16 = 0
      for byte in 0..<4 {
        let (x, y) = (a[first + lane + byte], b[second + byte])
        sum &+= UInt16(x > y ? x &- y : y &- x)
      }
      result[lane] = sum
    }
    return result
  }
}

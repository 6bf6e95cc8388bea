// SPDX-License-Identifier: GPL-2.0-or-later

/// Logic and packed integer arithmetic of two maps: SSE2 and the lane by lane part of SSSE3 to SSE4.2.
extension SSE {
  typealias Bytes = SIMD16<UInt8>
  typealias SignedBytes = SIMD16<Int8>
  typealias Words = SIMD8<UInt16>
  typealias SignedWords = SIMD8<Int16>
  typealias Doublewords = SIMD4<UInt32>
  typealias SignedDoublewords = SIMD4<Int32>
  typealias SignedQuadwords = SIMD2<Int64>

  static func integer(_ opcode: VectorOpcode) -> VectorInstruction? {
    let handler: Handler? =
      switch (opcode.map, opcode.prefix) {
      case (.map0F, .none), (.map0F, .x66):
        logic(opcode.opcode)
          ?? (opcode.prefix == .x66
            ? arithmetic(opcode.opcode) ?? comparison(opcode.opcode) ?? saturating(opcode.opcode)
              ?? shift(opcode.opcode) : nil)
      case (.map0F38, .x66): supplemental(opcode.opcode) ?? minimumMaximum(opcode.opcode)
      default: nil
      }
    if let handler { return VectorInstruction(handler: handler) }
    guard opcode.map == .map0F && opcode.prefix == .x66 && opcode.isRegister else { return nil }
    return immediateShift(opcode).map { VectorInstruction(handler: $0, hasImmediate: true) }
  }

  /// ANDPS, ANDNPS, ORPS, XORPS, and the same of doubles.
  private static func logic(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x54: and
    case 0x55: andNot
    case 0x56: or
    case 0x57: exclusiveOr
    default: nil
    }
  }

  private static let and: Handler = { SSE.binary($0, $1) { (a: Vector, b: Vector) in a & b } }
  private static let andNot: Handler = { SSE.binary($0, $1) { (a: Vector, b: Vector) in ~a & b } }
  private static let or: Handler = { SSE.binary($0, $1) { (a: Vector, b: Vector) in a | b } }
  private static let exclusiveOr: Handler = { SSE.binary($0, $1) { (a: Vector, b: Vector) in a ^ b } }

  /// Sums, differences, products.
  private static func arithmetic(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0xDB: and
    case 0xDF: andNot
    case 0xEB: or
    case 0xEF: exclusiveOr
    case 0xFC: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in a &+ b } }
    case 0xFD: { SSE.binary($0, $1) { (a: Words, b: Words) in a &+ b } }
    case 0xFE: { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a &+ b } }
    case 0xD4: { SSE.binary($0, $1) { (a: Vector, b: Vector) in a &+ b } }
    case 0xF8: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in a &- b } }
    case 0xF9: { SSE.binary($0, $1) { (a: Words, b: Words) in a &- b } }
    case 0xFA: { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a &- b } }
    case 0xFB: { SSE.binary($0, $1) { (a: Vector, b: Vector) in a &- b } }
    case 0xD5: { SSE.binary($0, $1) { (a: Words, b: Words) in a &* b } }
    case 0xE4: { SSE.binary($0, $1) { (a: Words, b: Words) in PackedInteger.multiplyHigh(a, b) } }
    case 0xE5: { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in PackedInteger.multiplyHigh(a, b) } }
    case 0xF4: { SSE.binary($0, $1) { (a: Vector, b: Vector) in (a & 0xFFFF_FFFF) &* (b & 0xFFFF_FFFF) } }
    case 0xF5: { SSE.halves($0, $1, PackedInteger.multiplyAddWords) }
    case 0xF6: { SSE.halves($0, $1, PackedInteger.sumOfDifferences) }
    case 0xE0: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in (a | b) &- ((a ^ b) &>> 1) } }
    case 0xE3: { SSE.binary($0, $1) { (a: Words, b: Words) in (a | b) &- ((a ^ b) &>> 1) } }
    case 0xDA: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in a.replacing(with: b, where: b .< a) } }
    case 0xDE: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in a.replacing(with: b, where: b .> a) } }
    case 0xEA:
      { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in a.replacing(with: b, where: b .< a) } }
    case 0xEE:
      { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in a.replacing(with: b, where: b .> a) } }
    default: nil
    }
  }

  /// PCMPEQ and PCMPGT of bytes, words and doublewords: a mask's lanes are 0 or -1, as the instructions'.
  private static func comparison(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x64: { SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in a .> b } }
    case 0x65: { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in a .> b } }
    case 0x66: { SSE.binary($0, $1) { (a: SignedDoublewords, b: SignedDoublewords) in a .> b } }
    case 0x74: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in a .== b } }
    case 0x75: { SSE.binary($0, $1) { (a: Words, b: Words) in a .== b } }
    case 0x76: { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a .== b } }
    default: nil
    }
  }

  /// PADDS, PADDUS, PSUBS, PSUBUS. Where a signed lane overflows, the result is the extreme of
  /// the sign of `a`. (Comparing with a vector is fast; comparing with a scalar is a loop.)
  private static func saturating(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0xD8:
      { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in (a &- b).replacing(with: 0, where: a .< b) } }
    case 0xD9:
      { SSE.binary($0, $1) { (a: Words, b: Words) in (a &- b).replacing(with: 0, where: a .< b) } }
    case 0xDC:
      { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in (a &+ b).replacing(with: .max, where: a &+ b .< a) } }
    case 0xDD:
      { SSE.binary($0, $1) { (a: Words, b: Words) in (a &+ b).replacing(with: .max, where: a &+ b .< a) } }
    case 0xE8:
      {
        SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in
          let difference = a &- b
          return difference.replacing(
            with: (a &>> 7) ^ .max, where: (a ^ b) & (a ^ difference) .< SignedBytes())
        }
      }
    case 0xE9:
      {
        SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in
          let difference = a &- b
          return difference.replacing(
            with: (a &>> 15) ^ .max, where: (a ^ b) & (a ^ difference) .< SignedWords())
        }
      }
    case 0xEC:
      {
        SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in
          let sum = a &+ b
          return sum.replacing(with: (a &>> 7) ^ .max, where: (a ^ sum) & (b ^ sum) .< SignedBytes())
        }
      }
    case 0xED:
      {
        SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in
          let sum = a &+ b
          return sum.replacing(with: (a &>> 15) ^ .max, where: (a ^ sum) & (b ^ sum) .< SignedWords())
        }
      }
    default: nil
    }
  }

  /// Shifts by the low quadword of rm.
  private static func shift(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0xD1: { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftRight(a, b.x, as: Words.self) } }
    case 0xD2:
      { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftRight(a, b.x, as: Doublewords.self) } }
    case 0xD3: { SSE.binary($0, $1) { (a: Vector, b: Vector) in PackedInteger.shiftRight(a, b.x) } }
    case 0xE1:
      { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftRight(a, b.x, as: SignedWords.self) } }
    case 0xE2:
      { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftRight(a, b.x, as: SignedDoublewords.self) } }
    case 0xF1: { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftLeft(a, b.x, as: Words.self) } }
    case 0xF2:
      { SSE.binary($0, $1) { (a: Vector, b: Vector) in SSE.shiftLeft(a, b.x, as: Doublewords.self) } }
    case 0xF3: { SSE.binary($0, $1) { (a: Vector, b: Vector) in PackedInteger.shiftLeft(a, b.x) } }
    default: nil
    }
  }

  @inline(__always)
  private static func shiftRight<V: SIMD>(_ a: Vector, _ count: UInt64, as type: V.Type) -> V
  where V.Scalar: FixedWidthInteger {
    PackedInteger.shiftRight(unsafeBitCast(a, to: V.self), count)
  }

  @inline(__always)
  private static func shiftLeft<V: SIMD>(_ a: Vector, _ count: UInt64, as type: V.Type) -> V
  where V.Scalar: FixedWidthInteger {
    PackedInteger.shiftLeft(unsafeBitCast(a, to: V.self), count)
  }

  /// Groups 12, 13 and 14: shifts by an immediate.
  private static func immediateShift(_ opcode: VectorOpcode) -> Handler? {
    switch (opcode.opcode, opcode.modRM >> 3 & 7) {
    case (0x71, 2): { SSE.shiftImmediate($0, $1) { (a: Words, count) in PackedInteger.shiftRight(a, count) } }
    case (0x71, 4):
      { SSE.shiftImmediate($0, $1) { (a: SignedWords, count) in PackedInteger.shiftRight(a, count) } }
    case (0x71, 6): { SSE.shiftImmediate($0, $1) { (a: Words, count) in PackedInteger.shiftLeft(a, count) } }
    case (0x72, 2):
      { SSE.shiftImmediate($0, $1) { (a: Doublewords, count) in PackedInteger.shiftRight(a, count) } }
    case (0x72, 4):
      { SSE.shiftImmediate($0, $1) { (a: SignedDoublewords, count) in PackedInteger.shiftRight(a, count) } }
    case (0x72, 6):
      { SSE.shiftImmediate($0, $1) { (a: Doublewords, count) in PackedInteger.shiftLeft(a, count) } }
    case (0x73, 2):
      { SSE.shiftImmediate($0, $1) { (a: Vector, count) in PackedInteger.shiftRight(a, count) } }
    case (0x73, 3): { SSE.shiftImmediate($0, $1) { (a: Vector, count) in SSE.bytesFrom(a, Vector(), count) } }
    case (0x73, 6): { SSE.shiftImmediate($0, $1) { (a: Vector, count) in PackedInteger.shiftLeft(a, count) } }
    case (0x73, 7):
      {
        SSE.shiftImmediate($0, $1) { (a: Vector, count) in
          count < 16 ? SSE.bytesFrom(Vector(), a, 16 - count) : Vector()
        }
      }
    default: nil
    }
  }

  /// PALIGNR, PSRLDQ, PSLLDQ: 16 bytes from byte `count` on of `low` with `high` and zeros after it.
  @inline(__always)
  static func bytesFrom(_ low: Vector, _ high: Vector, _ count: UInt64) -> Vector {
    let bits = UInt128(truncatingIfNeeded: count &* 8)
    let low = unsafeBitCast(low, to: UInt128.self)
    let high = unsafeBitCast(high, to: UInt128.self)
    let result: UInt128 =
      switch count {
      case 0: low
      case 1..<16: low &>> bits | high &<< (128 &- bits)
      case 16..<32: high &>> (bits &- 128)
      default: 0
      }
    return unsafeBitCast(result, to: Vector.self)
  }

  /// An instruction that does the same with both halves.
  @inline(__always)
  static func halves(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (UInt64, UInt64) -> UInt64
  ) -> UnsafeRawPointer? {
    SSE.binary(state, raw) { (a: Vector, b: Vector) in Vector(body(a.x, b.x), body(a.y, b.y)) }
  }

  /// An instruction that makes a low half of its first operand and a high half of its second.
  @inline(__always)
  static func pack(
    _ state: UnsafeMutableRawPointer, _ raw: UnsafeRawPointer, _ body: (UInt64) -> UInt32
  ) -> UnsafeRawPointer? {
    SSE.binary(state, raw) { (a: Vector, b: Vector) in
      Vector(PackedInteger.join(body(a.x), body(a.y)), PackedInteger.join(body(b.x), body(b.y)))
    }
  }

  /// 0F 38: SSSE3, and the arithmetic of SSE4.1 and SSE4.2.
  private static func supplemental(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x00: { SSE.binary($0, $1) { (a: Bytes, b: Bytes) in PackedInteger.shuffle(a, b) } }
    case 0x01: { SSE.pack($0, $1, PackedInteger.addPairsOfWords) }
    case 0x02: { SSE.pack($0, $1, PackedInteger.addPairOfDoublewords) }
    case 0x03: { SSE.pack($0, $1, PackedInteger.addPairsOfWordsSaturating) }
    case 0x04: { SSE.halves($0, $1, PackedInteger.multiplyAddBytes) }
    case 0x05: { SSE.pack($0, $1, PackedInteger.subtractPairsOfWords) }
    case 0x06: { SSE.pack($0, $1, PackedInteger.subtractPairOfDoublewords) }
    case 0x07: { SSE.pack($0, $1, PackedInteger.subtractPairsOfWordsSaturating) }
    case 0x08: { SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in PackedInteger.sign(a, b) } }
    case 0x09: { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in PackedInteger.sign(a, b) } }
    case 0x0A:
      { SSE.binary($0, $1) { (a: SignedDoublewords, b: SignedDoublewords) in PackedInteger.sign(a, b) } }
    case 0x0B:
      { SSE.binary($0, $1) { (a: SignedWords, b: SignedWords) in PackedInteger.multiplyRound(a, b) } }
    case 0x1C: { SSE.binary($0, $1) { (_: SignedBytes, b: SignedBytes) in PackedInteger.absolute(b) } }
    case 0x1D: { SSE.binary($0, $1) { (_: SignedWords, b: SignedWords) in PackedInteger.absolute(b) } }
    case 0x1E:
      { SSE.binary($0, $1) { (_: SignedDoublewords, b: SignedDoublewords) in PackedInteger.absolute(b) } }
    case 0x28:
      {
        SSE.halves($0, $1) { a, b in
          let a = Int64(Int32(truncatingIfNeeded: a))
          let b = Int64(Int32(truncatingIfNeeded: b))
          return UInt64(bitPattern: a &* b)
        }
      }
    case 0x29: { SSE.binary($0, $1) { (a: Vector, b: Vector) in a .== b } }
    case 0x37: { SSE.binary($0, $1) { (a: SignedQuadwords, b: SignedQuadwords) in a .> b } }
    case 0x40: { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a &* b } }
    case 0x41: { SSE.binary($0, $1) { (_: Words, b: Words) in SSE.smallestWord(b) } }
    default: nil
    }
  }

  /// PHMINPOSUW: the smallest word and where it is first.
  @inline(__always)
  private static func smallestWord(_ words: Words) -> Words {
    var position: UInt16 = 0
    for lane in 1..<8 where words[lane] < words[Int(position)] { position = UInt16(truncatingIfNeeded: lane) }
    return Words(words[Int(position & 7)], position, 0, 0, 0, 0, 0, 0)
  }

  /// 0F 38: PMINSB … PMAXUD.
  private static func minimumMaximum(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x38:
      { SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in a.replacing(with: b, where: b .< a) } }
    case 0x39:
      {
        SSE.binary($0, $1) { (a: SignedDoublewords, b: SignedDoublewords) in
          a.replacing(with: b, where: b .< a)
        }
      }
    case 0x3A: { SSE.binary($0, $1) { (a: Words, b: Words) in a.replacing(with: b, where: b .< a) } }
    case 0x3B:
      { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a.replacing(with: b, where: b .< a) } }
    case 0x3C:
      { SSE.binary($0, $1) { (a: SignedBytes, b: SignedBytes) in a.replacing(with: b, where: b .> a) } }
    case 0x3D:
      {
        SSE.binary($0, $1) { (a: SignedDoublewords, b: SignedDoublewords) in
          a.replacing(with: b, where: b .> a)
        }
      }
    case 0x3E: { SSE.binary($0, $1) { (a: Words, b: Words) in a.replacing(with: b, where: b .> a) } }
    case 0x3F:
      { SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in a.replacing(with: b, where: b .> a) } }
    default: nil
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// What the packed integer instructions do with their lanes, for MMX and XMM registers alike.
///
/// Instructions that work on each lane for itself are generic over the vector: `SIMD8<UInt8>` is an MMX
/// register, `SIMD16<UInt8>` an XMM register, and the scalar's type says whether lanes are signed.
/// Instructions that move lanes about or change their width are given for 64-bit halves: an MMX instruction
/// uses them once or twice, an XMM instruction for each half of its operands.
enum PackedInteger {
  /// `body` of each lane.
  @inline(__always)
  static func map<V: SIMD>(_ a: V, _ body: (V.Scalar) -> V.Scalar) -> V {
    var result = a
    for lane in 0..<V.scalarCount { result[lane] = body(a[lane]) }
    return result
  }

  /// `body` of each pair of lanes.
  @inline(__always)
  static func map<V: SIMD>(_ a: V, _ b: V, _ body: (V.Scalar, V.Scalar) -> V.Scalar) -> V {
    var result = a
    for lane in 0..<V.scalarCount { result[lane] = body(a[lane], b[lane]) }
    return result
  }
}

// MARK: Lane by lane

extension PackedInteger {
  /// PADDB, PADDW, PADDD, PADDQ.
  @inline(__always)
  static func add<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger { a &+ b }

  /// PSUBB, PSUBW, PSUBD, PSUBQ.
  @inline(__always)
  static func subtract<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger { a &- b }

  /// PADDSB, PADDSW, PADDUSB, PADDUSW.
  @inline(__always)
  static func addSaturating<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in
      let (value, overflow) = a.addingReportingOverflow(b)
      return overflow ? (V.Scalar.isSigned && b < 0 ? .min : .max) : value
    }
  }

  /// PSUBSB, PSUBSW, PSUBUSB, PSUBUSW.
  @inline(__always)
  static func subtractSaturating<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in
      let (value, overflow) = a.subtractingReportingOverflow(b)
      return overflow ? (V.Scalar.isSigned && b < 0 ? .max : .min) : value
    }
  }

  /// PCMPEQB, PCMPEQW, PCMPEQD, PCMPEQQ.
  @inline(__always)
  static func equal<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in a == b ? ~0 : 0 }
  }

  /// PCMPGTB, PCMPGTW, PCMPGTD, PCMPGTQ, with signed lanes.
  @inline(__always)
  static func greater<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in a > b ? ~0 : 0 }
  }

  /// PMINUB, PMINSW …
  @inline(__always)
  static func minimum<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in a < b ? a : b }
  }

  /// PMAXUB, PMAXSW …
  @inline(__always)
  static func maximum<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in a > b ? a : b }
  }

  /// PAVGB, PAVGW, with unsigned lanes: half the sum, rounded up.
  @inline(__always)
  static func average<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in (a | b) &- ((a ^ b) &>> 1) }
  }

  /// PMULLW, PMULLD.
  @inline(__always)
  static func multiplyLow<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger { a &* b }

  /// PMULHW, PMULHUW.
  @inline(__always)
  static func multiplyHigh<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in a.multipliedFullWidth(by: b).high }
  }

  /// PMULHRSW: the product of 1.15 fixed point numbers, rounded.
  @inline(__always)
  static func multiplyRound<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar == Int16 {
    map(a, b) { a, b in
      Int16(truncatingIfNeeded: (((Int32(a) &* Int32(b)) &>> 14) &+ 1) &>> 1)
    }
  }

  /// PABSB, PABSW, PABSD, with signed lanes.
  @inline(__always)
  static func absolute<V: SIMD>(_ a: V) -> V where V.Scalar: FixedWidthInteger {
    map(a) { a in a < 0 ? 0 &- a : a }
  }

  /// PSIGNB, PSIGNW, PSIGND, with signed lanes: `a` with its sign changed, kept or 0 as that of `b` says.
  @inline(__always)
  static func sign<V: SIMD>(_ a: V, _ b: V) -> V where V.Scalar: FixedWidthInteger {
    map(a, b) { a, b in b < 0 ? 0 &- a : b == 0 ? 0 : a }
  }

  /// PSLLW, PSLLD, PSLLQ.
  @inline(__always)
  static func shiftLeft<V: SIMD>(_ a: V, _ count: UInt64) -> V where V.Scalar: FixedWidthInteger {
    if count >= UInt64(V.Scalar.bitWidth) { return V(repeating: 0) }
    let count = V.Scalar(truncatingIfNeeded: count)
    return map(a) { a in a &<< count }
  }

  /// PSRLW, PSRLD, PSRLQ with unsigned lanes; PSRAW, PSRAD with signed ones.
  @inline(__always)
  static func shiftRight<V: SIMD>(_ a: V, _ count: UInt64) -> V where V.Scalar: FixedWidthInteger {
    let bits = UInt64(V.Scalar.bitWidth)
    if count >= bits && !V.Scalar.isSigned { return V(repeating: 0) }
    let count = V.Scalar(truncatingIfNeeded: count < bits ? count : bits - 1)
    return map(a) { a in a &>> count }
  }

  /// PSHUFB: the lanes of `a` that the lanes of `control` name, or 0 where their bit 7 is set.
  @inline(__always)
  static func shuffle<V: SIMD>(_ a: V, _ control: V) -> V where V.Scalar == UInt8 {
    map(control) { lane in lane & 0x80 != 0 ? 0 : a[Int(lane) & (V.scalarCount - 1)] }
  }

  /// PMOVMSKB, MOVMSKPS, MOVMSKPD: the highest bit of each lane.
  @inline(__always)
  static func signMask<V: SIMD>(_ a: V) -> UInt32 where V.Scalar: FixedWidthInteger {
    var mask: UInt32 = 0
    for lane in 0..<V.scalarCount {
      let bit = UInt32(truncatingIfNeeded: a[lane] &>> V.Scalar(V.Scalar.bitWidth - 1)) & 1
      mask |= bit &<< UInt32(lane)
    }
    return mask
  }
}

// MARK: Halves

extension PackedInteger {
  /// The lanes of a 64-bit half.
  @inline(__always)
  static func lanes<V: SIMD>(_ half: UInt64, as type: V.Type = V.self) -> V {
    unsafeBitCast(half, to: V.self)
  }

  /// The 64-bit half that lanes make.
  @inline(__always)
  static func half<V: SIMD>(_ lanes: V) -> UInt64 { unsafeBitCast(lanes, to: UInt64.self) }

  /// Two 32-bit results as a half.
  @inline(__always)
  static func join(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(low) | UInt64(high) &<< 32 }

  @inline(__always)
  static func low(_ half: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: half) }

  @inline(__always)
  static func high(_ half: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: half &>> 32) }

  /// PACKSSWB of a half.
  @inline(__always)
  static func packSignedBytes(_ half: UInt64) -> UInt32 {
    let words = lanes(half, as: SIMD4<Int16>.self)
    return unsafeBitCast(SIMD4<Int8>(clamping: words), to: UInt32.self)
  }

  /// PACKUSWB of a half.
  @inline(__always)
  static func packUnsignedBytes(_ half: UInt64) -> UInt32 {
    let words = lanes(half, as: SIMD4<Int16>.self)
    return unsafeBitCast(SIMD4<UInt8>(clamping: words), to: UInt32.self)
  }

  /// PACKSSDW of a half.
  @inline(__always)
  static func packSignedWords(_ half: UInt64) -> UInt32 {
    let doublewords = lanes(half, as: SIMD2<Int32>.self)
    return unsafeBitCast(SIMD2<Int16>(clamping: doublewords), to: UInt32.self)
  }

  /// PACKUSDW of a half.
  @inline(__always)
  static func packUnsignedWords(_ half: UInt64) -> UInt32 {
    let doublewords = lanes(half, as: SIMD2<Int32>.self)
    return unsafeBitCast(SIMD2<UInt16>(clamping: doublewords), to: UInt32.self)
  }

  /// PUNPCKLBW, PUNPCKHBW: the bytes of `a` and `b` in turn.
  @inline(__always)
  static func interleaveBytes(_ a: UInt32, _ b: UInt32) -> UInt64 {
    let a = unsafeBitCast(a, to: SIMD4<UInt8>.self)
    let b = unsafeBitCast(b, to: SIMD4<UInt8>.self)
    return half(SIMD8<UInt8>(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]))
  }

  /// PUNPCKLWD, PUNPCKHWD: the words of `a` and `b` in turn.
  @inline(__always)
  static func interleaveWords(_ a: UInt32, _ b: UInt32) -> UInt64 {
    let a = unsafeBitCast(a, to: SIMD2<UInt16>.self)
    let b = unsafeBitCast(b, to: SIMD2<UInt16>.self)
    return half(SIMD4<UInt16>(a[0], b[0], a[1], b[1]))
  }

  /// PMADDWD of halves: sums of the products of two neighbours.
  @inline(__always)
  static func multiplyAddWords(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let a = SIMD4<Int32>(truncatingIfNeeded: lanes(a, as: SIMD4<Int16>.self))
    let b = SIMD4<Int32>(truncatingIfNeeded: lanes(b, as: SIMD4<Int16>.self))
    let products = a &* b
    return half(products.evenHalf &+ products.oddHalf)
  }

  /// PMADDUBSW of halves: saturated sums of the products of two neighbours, unsigned in `a`, signed in `b`.
  @inline(__always)
  static func multiplyAddBytes(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let a = SIMD8<Int16>(truncatingIfNeeded: lanes(a, as: SIMD8<UInt8>.self))
    let b = SIMD8<Int16>(truncatingIfNeeded: lanes(b, as: SIMD8<Int8>.self))
    let products = a &* b
    return half(addSaturating(products.evenHalf, products.oddHalf))
  }

  /// PMULUDQ of halves: the product of the low doublewords.
  @inline(__always)
  static func multiplyLong(_ a: UInt64, _ b: UInt64) -> UInt64 { UInt64(low(a)) &* UInt64(low(b)) }

  /// PSADBW of halves: the sum of the absolute differences of the bytes.
  @inline(__always)
  static func sumOfDifferences(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let a = SIMD8<Int16>(truncatingIfNeeded: lanes(a, as: SIMD8<UInt8>.self))
    let b = SIMD8<Int16>(truncatingIfNeeded: lanes(b, as: SIMD8<UInt8>.self))
    return UInt64(UInt16(bitPattern: absolute(a &- b).wrappedSum()))
  }

  /// PHADDW of a half: sums of neighbours.
  @inline(__always)
  static func addPairsOfWords(_ a: UInt64) -> UInt32 {
    let words = lanes(a, as: SIMD4<UInt16>.self)
    return unsafeBitCast(words.evenHalf &+ words.oddHalf, to: UInt32.self)
  }

  /// PHSUBW of a half: differences of neighbours.
  @inline(__always)
  static func subtractPairsOfWords(_ a: UInt64) -> UInt32 {
    let words = lanes(a, as: SIMD4<UInt16>.self)
    return unsafeBitCast(words.evenHalf &- words.oddHalf, to: UInt32.self)
  }

  /// PHADDSW of a half.
  @inline(__always)
  static func addPairsOfWordsSaturating(_ a: UInt64) -> UInt32 {
    let words = lanes(a, as: SIMD4<Int16>.self)
    return unsafeBitCast(addSaturating(words.evenHalf, words.oddHalf), to: UInt32.self)
  }

  /// PHSUBSW of a half.
  @inline(__always)
  static func subtractPairsOfWordsSaturating(_ a: UInt64) -> UInt32 {
    let words = lanes(a, as: SIMD4<Int16>.self)
    return unsafeBitCast(subtractSaturating(words.evenHalf, words.oddHalf), to: UInt32.self)
  }

  /// PHADDD of a half.
  @inline(__always)
  static func addPairOfDoublewords(_ a: UInt64) -> UInt32 { low(a) &+ high(a) }

  /// PHSUBD of a half.
  @inline(__always)
  static func subtractPairOfDoublewords(_ a: UInt64) -> UInt32 { low(a) &- high(a) }

  /// PSHUFW, and PSHUFLW and PSHUFHW of the half they change: words by the 2-bit fields of `order`.
  @inline(__always)
  static func shuffleWords(_ a: UInt64, _ order: UInt8) -> UInt64 {
    var result: UInt64 = 0
    for lane in 0..<UInt64(4) {
      let source = UInt64(order) &>> (lane &* 2) & 3
      result |= (a &>> (source &* 16) & 0xFFFF) &<< (lane &* 16)
    }
    return result
  }

  /// PALIGNR of an MMX register: 8 bytes from byte `count` on of `low` with `high` after it.
  @inline(__always)
  static func align(high: UInt64, low: UInt64, count: UInt8) -> UInt64 {
    switch count {
    case 0: low
    case 1..<8: low &>> (UInt64(count) &* 8) | high &<< (64 &- UInt64(count) &* 8)
    case 8..<16: high &>> (UInt64(count - 8) &* 8)
    default: 0
    }
  }
}

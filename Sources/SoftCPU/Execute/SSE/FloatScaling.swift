// SPDX-License-Identifier: GPL-2.0-or-later

/// How the operands of an instruction whose result overflows or underflows are brought to ones with the same digits whose
/// result does not: whether that is inexact is what PE tells if the exception is not masked. Sums need none: those that
/// underflow are exact.
enum FloatScaling {
  case none
  /// Products and quotients: their digits are those of the operands' digits.
  case singles
  case doubles
  /// Doubles that become singles.
  case narrowing

  /// The operands, with exponent 0 in the lanes whose `result` is not in the middle of the range; nil if there is no way.
  /// - Parameter zeroes: MXCSR.DAZ: subnormal operands are zeroes, and stay so.
  func scaled(_ a: Vector, _ b: Vector, _ result: Vector, zeroes: Bool) -> (Vector, Vector)? {
    switch self {
    case .none: return nil
    case .doubles:
      let x = Self.doubles(a.x, b.x, result.x, zeroes)
      let y = Self.doubles(a.y, b.y, result.y, zeroes)
      return (Vector(x.0, y.0), Vector(x.1, y.1))
    case .singles:
      let x = Self.singles(a.x, b.x, result.x, zeroes)
      let y = Self.singles(a.y, b.y, result.y, zeroes)
      return (Vector(x.0, y.0), Vector(x.1, y.1))
    case .narrowing:
      func narrowed(_ source: UInt64, _ result: UInt32) -> UInt64 {
        Self.isExtreme(result) ? Self.digits(source, zeroes) ?? source : source
      }
      return (
        a,
        Vector(narrowed(b.x, PackedInteger.low(result.x)), narrowed(b.y, PackedInteger.high(result.x)))
      )
    }
  }

  private static func doubles(_ a: UInt64, _ b: UInt64, _ result: UInt64, _ zeroes: Bool) -> (UInt64, UInt64)
  {
    guard isExtreme(result), let scaledA = digits(a, zeroes), let scaledB = digits(b, zeroes) else {
      return (a, b)
    }
    return (scaledA, scaledB)
  }

  private static func singles(_ a: UInt64, _ b: UInt64, _ result: UInt64, _ zeroes: Bool) -> (UInt64, UInt64)
  {
    func lane(_ a: UInt32, _ b: UInt32, _ result: UInt32) -> (UInt32, UInt32) {
      guard isExtreme(result), let scaledA = digits(a, zeroes), let scaledB = digits(b, zeroes) else {
        return (a, b)
      }
      return (scaledA, scaledB)
    }
    let low = lane(PackedInteger.low(a), PackedInteger.low(b), PackedInteger.low(result))
    let high = lane(PackedInteger.high(a), PackedInteger.high(b), PackedInteger.high(result))
    return (PackedInteger.join(low.0, high.0), PackedInteger.join(low.1, high.1))
  }

  /// Whether it, or what it was before it was rounded, may have been outside of the range.
  private static func isExtreme(_ value: UInt64) -> Bool {
    let exponent = value >> 52 & 0x7FF
    return exponent <= 1 || exponent >= 0x7FE
  }

  private static func isExtreme(_ value: UInt32) -> Bool {
    let exponent = value >> 23 & 0xFF
    return exponent <= 1 || exponent >= 0xFE
  }

  /// The same sign and digits, 1 … 2; nil if it has none.
  private static func digits(_ value: UInt64, _ zeroes: Bool) -> UInt64? {
    let (exponent, fraction) = (value >> 52 & 0x7FF, value & 0xF_FFFF_FFFF_FFFF)
    guard exponent != 0x7FF, zeroes ? exponent != 0 : exponent | fraction != 0 else { return nil }
    let normal = exponent != 0 ? fraction : fraction << UInt64(fraction.leadingZeroBitCount - 11)
    return value & 1 << 63 | 1023 << 52 | normal & 0xF_FFFF_FFFF_FFFF
  }

  private static func digits(_ value: UInt32, _ zeroes: Bool) -> UInt32? {
    let (exponent, fraction) = (value >> 23 & 0xFF, value & 0x7F_FFFF)
    guard exponent != 0xFF, zeroes ? exponent != 0 : exponent | fraction != 0 else { return nil }
    let normal = exponent != 0 ? fraction : fraction << UInt32(fraction.leadingZeroBitCount - 8)
    return value & 1 << 31 | 127 << 23 | normal & 0x7F_FFFF
  }
}

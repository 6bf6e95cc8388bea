// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport

/// Random values in which the edges of every format are frequent.
struct OperandValues {
  private var generator: SeededGenerator
  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func bits() -> UInt64 { generator.next() }
  /// 0 to `count` - 1.
  mutating func below(_ count: Int) -> Int {
    Int(truncatingIfNeeded: ((bits() >> 32) &* UInt64(count)) >> 32)
  }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func one<T>(of values: [T]) -> T { values[below(values.count)] }

  private static let edges: [UInt64] = [
    0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 32, 63, 64, 0x7F, 0x80, 0x81, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF,
    0x1_0000,
    0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000,
    0xFFFF_FFFF_8000_0000, 0xFFFF_FFFF_0000_0000, .max, .max - 1, 0xAAAA_AAAA_AAAA_AAAA,
    0x5555_5555_5555_5555,
    0x0F0F_0F0F_0F0F_0F0F, 0x8080_8080_8080_8080, 0x7F7F_7F7F_7F7F_7F7F, 0x8000_8000_8000_8000, 0x99, 0x9999,
  ]

  mutating func integer() -> UInt64 {
    let choice = below(16)
    switch choice {
    case 0..<6: return Self.edges[below(Self.edges.count)]
    case 6: return bits() & 0xFF
    case 7: return bits() & 0xFFFF
    case 8, 9: return bits() & 0xFFFF_FFFF
    case 10: return UInt64(1) << UInt64(below(64))
    case 11: return UInt64(bitPattern: Int64(below(256)) - 128)
    case 12: return ~(UInt64(1) << UInt64(below(64)))
    default: return bits()
    }
  }

  mutating func shiftCount() -> UInt64 {
    chance(70)
      ? one(of: [0, 1, 1, 2, 3, 7, 8, 9, 15, 16, 17, 18, 31, 32, 33, 34, 63, 64, 65, 0x80, 0xFF])
      : bits() & 0xFF
  }

  /// An IEEE 754 number of `exponentBits` and `fractionBits`.
  private mutating func float(exponentBits: UInt64, fractionBits: UInt64) -> UInt64 {
    let fractionMask = (UInt64(1) << fractionBits) - 1
    let maximum = (UInt64(1) << exponentBits) - 1
    let bias = maximum >> 1
    let sign = (bits() & 1) << (exponentBits + fractionBits)
    func make(_ exponent: UInt64, _ fraction: UInt64) -> UInt64 {
      sign | (exponent & maximum) << fractionBits | (fraction & fractionMask)
    }
    switch below(20) {
    case 0: return make(0, 0)
    case 1: return make(maximum, 0)
    case 2: return make(maximum, bits() | (1 << (fractionBits - 1)))  // quiet NaN
    case 3: return make(maximum, (bits() & (fractionMask >> 1)) | 1)  // signalling NaN
    case 4: return make(0, bits())  // denormal
    case 5: return make(0, 1 + UInt64(below(3)))
    case 6: return make(1, below(2) == 0 ? 0 : bits())
    case 7: return make(maximum - 1, below(2) == 0 ? fractionMask : bits())
    case 8: return make(bias, 0)
    case 9: return make(bias + UInt64(below(70)), 0)  // powers of two, past what integers hold
    case 10:  // near the limits of integers
      return make(bias + one(of: [6, 7, 14, 15, 30, 31, 62, 63]), below(2) == 0 ? fractionMask : bits())
    case 11: return make(bias - 1, below(2) == 0 ? 0 : bits())
    case 12: return make(bias + UInt64(below(10)), bits() & ~(fractionMask >> UInt64(below(8))))  // halves
    case 13..<18: return make(bias &+ UInt64(below(40)) &- 20, bits())
    default: return bits() & ((1 << (exponentBits + fractionBits + 1)) &- 1)
    }
  }
  mutating func single() -> UInt64 { float(exponentBits: 8, fractionBits: 23) }
  mutating func double() -> UInt64 { float(exponentBits: 11, fractionBits: 52) }

  /// An 80-bit number: significand, and sign with exponent.
  mutating func extended() -> (UInt64, UInt16) {
    let sign = UInt16(truncatingIfNeeded: bits() & 0x8000)
    let one = UInt64(1) << 63
    switch below(24) {
    case 0: return (0, sign)
    case 1: return (one, sign | 0x7FFF)  // infinity
    case 2: return (bits() | 3 << 62, sign | 0x7FFF)  // quiet NaN
    case 3: return ((bits() >> 2) | one | 1, sign | 0x7FFF)  // signalling NaN
    case 4: return (bits() >> 1, sign)  // denormal
    case 5: return (bits() | one, sign)  // pseudo-denormal
    case 6: return (bits() >> 1, sign | UInt16(1 + below(0x7FFE)))  // unnormal
    case 7: return (below(2) == 0 ? 0 : bits() >> 1, sign | 0x7FFF)  // pseudo-infinity, pseudo-NaN
    case 8: return (one | (below(2) == 0 ? 0 : bits()), sign | 1)
    case 9: return (below(2) == 0 ? .max : bits() | one, sign | 0x7FFE)
    case 10: return (one, sign | 0x3FFF)
    case 11: return (one, sign | UInt16(0x3FFF + below(70)))
    case 12:
      return (
        below(2) == 0 ? .max : bits() | one,
        sign | UInt16(0x3FFF + self.one(of: [14, 15, 30, 31, 52, 62, 63]))
      )
    case 13:
      return (one | (bits() & ~(UInt64.max >> UInt64(1 + below(10)))), sign | UInt16(0x3FFE + below(10)))
    case 14: return (one | bits(), sign | UInt16(0x3FFF - 1080 + below(200)))  // around double's denormals
    case 15: return (one | bits(), sign | UInt16(0x3FFF + 1000 + below(60)))
    case 16: return (one | bits(), sign | UInt16(0x3FFF - 160 + below(60)))  // around single's
    case 17: return (one | bits(), sign | UInt16(1 + below(0x7FFE)))
    case 18: return (bits(), UInt16(truncatingIfNeeded: bits()))
    default: return (one | bits(), sign | UInt16(0x3FFF - 20 + below(40)))
    }
  }

  /// Eight bytes that are a double, two singles or integers.
  mutating func lane() -> UInt64 {
    switch below(4) {
    case 0: double()
    case 1, 2: single() | single() << 32
    default: integer()
    }
  }
}

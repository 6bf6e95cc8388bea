// SPDX-License-Identifier: GPL-2.0-or-later

/// AESENC, AESENCLAST, AESDEC, AESDECLAST, AESIMC, AESKEYGENASSIST, PCLMULQDQ.
extension SSE {
  static func cryptography(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch (opcode.map, opcode.prefix, opcode.opcode) {
    case (.map0F38, .x66, 0xDB):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (_: Doublewords, b: Doublewords) in AES.inverseMixColumns(b) }
      })
    case (.map0F38, .x66, 0xDC):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in AES.encrypt(a) ^ b }
      })
    case (.map0F38, .x66, 0xDD):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in AES.encryptLast(a) ^ b }
      })
    case (.map0F38, .x66, 0xDE):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in AES.decrypt(a) ^ b }
      })
    case (.map0F38, .x66, 0xDF):
      VectorInstruction(handler: {
        SSE.binary($0, $1) { (a: Doublewords, b: Doublewords) in AES.decryptLast(a) ^ b }
      })
    case (.map0F3A, .x66, 0xDF):
      VectorInstruction(
        handler: {
          SSE.binaryImmediate($0, $1) { (_: Doublewords, b: Doublewords, constant) in
            AES.keyAssist(b, constant)
          }
        }, hasImmediate: true)
    case (.map0F3A, .x66, 0x44):
      VectorInstruction(
        handler: {
          SSE.binaryImmediate($0, $1) { (a: Vector, b: Vector, choice) in
            SSE.multiplyWithoutCarry(choice & 1 == 0 ? a.x : a.y, choice & 0x10 == 0 ? b.x : b.y)
          }
        }, hasImmediate: true)
    default: nil
    }
  }

  /// The product of polynomials over GF(2), by four bits of `b` at a time.
  @inline(never)
  private static func multiplyWithoutCarry(_ a: UInt64, _ b: UInt64) -> Vector {
    let a = UInt128(a)
    var multiples = InlineArray<16, UInt128>(repeating: 0)
    for factor in 1..<16 {
      multiples[factor] = (multiples[factor &>> 1] &<< 1) ^ (factor & 1 == 0 ? 0 : a)
    }
    var product: UInt128 = 0
    for shift in stride(from: UInt64(60), through: 0, by: -4) {
      product = (product &<< 4) ^ multiples[Int(truncatingIfNeeded: b &>> shift & 15)]
    }
    return unsafeBitCast(product, to: Vector.self)
  }
}

/// The rounds of AES (FIPS 197) on a state whose columns are doublewords, without the addition of the key.
enum AES {
  /// 256 entries each.
  private struct Tables {
    let substitution = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    let inverse = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    /// MixColumns of a column whose first byte is the substitute of the index and whose others are 0.
    let mixed = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
    /// InverseMixColumns of a column whose first byte is the inverse substitute of the index.
    let inverseMixed = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)

    init() {
      // p runs through all but 0 as powers of 3, q through their inverses (FIPS 197, section 5.1.1).
      var p: UInt8 = 1
      var q: UInt8 = 1
      repeat {
        p = multiply(p, 3)
        q = multiply(q, 0xF6)
        let affine = q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4)
        substitution[Int(p)] = affine ^ 0x63
      } while p != 1
      substitution[0] = 0x63
      for index in 0..<256 { inverse[Int(substitution[index])] = UInt8(index) }
      for index in 0..<256 {
        let s = substitution[index]
        mixed[index] = column(multiply(s, 2), s, s, multiply(s, 3))
        let i = inverse[index]
        inverseMixed[index] = column(multiply(i, 14), multiply(i, 9), multiply(i, 13), multiply(i, 11))
      }
    }

    private func rotate(_ byte: UInt8, _ count: UInt8) -> UInt8 { byte &<< count | byte &>> (8 &- count) }

    private func column(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> UInt32 {
      UInt32(a) | UInt32(b) &<< 8 | UInt32(c) &<< 16 | UInt32(d) &<< 24
    }

    /// In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
    private func multiply(_ a: UInt8, _ b: UInt8) -> UInt8 {
      var (a, b, product) = (a, b, UInt8(0))
      while b != 0 {
        if b & 1 != 0 { product ^= a }
        a = a &<< 1 ^ (a & 0x80 != 0 ? 0x1B : 0)
        b &>>= 1
      }
      return product
    }
  }

  // Guarded by its own initialisation: never written to afterwards.
  nonisolated(unsafe) private static let tables = Tables()

  @inline(__always)
  private static func byte(_ word: UInt32, _ row: UInt32) -> Int {
    Int(truncatingIfNeeded: word &>> (row &* 8) & 0xFF)
  }

  @inline(__always)
  private static func rotateLeft(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word &<< count | word &>> (32 &- count)
  }

  /// ShiftRows (`step` 1) or its inverse (`step` 3), then a table of columns.
  @inline(__always)
  private static func round(
    _ state: SIMD4<UInt32>, _ table: UnsafeMutablePointer<UInt32>, step: Int
  ) -> SIMD4<UInt32> {
    var result = SIMD4<UInt32>()
    for column in 0..<4 {
      result[column] =
        table[byte(state[column], 0)]
        ^ rotateLeft(table[byte(state[(column + step) & 3], 1)], 8)
        ^ rotateLeft(table[byte(state[(column + 2) & 3], 2)], 16)
        ^ rotateLeft(table[byte(state[(column + 3 * step) & 3], 3)], 24)
    }
    return result
  }

  /// ShiftRows (`step` 1) or its inverse (`step` 3), then a table of bytes.
  @inline(__always)
  private static func lastRound(
    _ state: SIMD4<UInt32>, _ table: UnsafeMutablePointer<UInt8>, step: Int
  ) -> SIMD4<UInt32> {
    var result = SIMD4<UInt32>()
    for column in 0..<4 {
      result[column] =
        UInt32(table[byte(state[column], 0)])
        | UInt32(table[byte(state[(column + step) & 3], 1)]) &<< 8
        | UInt32(table[byte(state[(column + 2) & 3], 2)]) &<< 16
        | UInt32(table[byte(state[(column + 3 * step) & 3], 3)]) &<< 24
    }
    return result
  }

  static func encrypt(_ state: SIMD4<UInt32>) -> SIMD4<UInt32> { round(state, tables.mixed, step: 1) }

  static func encryptLast(_ state: SIMD4<UInt32>) -> SIMD4<UInt32> {
    lastRound(state, tables.substitution, step: 1)
  }

  static func decrypt(_ state: SIMD4<UInt32>) -> SIMD4<UInt32> { round(state, tables.inverseMixed, step: 3) }

  static func decryptLast(_ state: SIMD4<UInt32>) -> SIMD4<UInt32> {
    lastRound(state, tables.inverse, step: 3)
  }

  /// Substitution undoes the inverse substitution that the table begins with.
  static func inverseMixColumns(_ state: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var result = SIMD4<UInt32>()
    for column in 0..<4 {
      let word = substitute(state[column])
      result[column] =
        tables.inverseMixed[byte(word, 0)] ^ rotateLeft(tables.inverseMixed[byte(word, 1)], 8)
        ^ rotateLeft(tables.inverseMixed[byte(word, 2)], 16)
        ^ rotateLeft(tables.inverseMixed[byte(word, 3)], 24)
    }
    return result
  }

  private static func substitute(_ word: UInt32) -> UInt32 {
    UInt32(tables.substitution[byte(word, 0)])
      | UInt32(tables.substitution[byte(word, 1)]) &<< 8
      | UInt32(tables.substitution[byte(word, 2)]) &<< 16
      | UInt32(tables.substitution[byte(word, 3)]) &<< 24
  }

  /// What a key schedule needs of the second and the last doubleword.
  static func keyAssist(_ state: SIMD4<UInt32>, _ constant: UInt8) -> SIMD4<UInt32> {
    let (second, last) = (substitute(state.y), substitute(state.w))
    return SIMD4(
      second, rotateLeft(second, 24) ^ UInt32(constant), last, rotateLeft(last, 24) ^ UInt32(constant))
  }
}

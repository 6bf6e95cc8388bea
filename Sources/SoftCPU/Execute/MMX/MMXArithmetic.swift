// SPDX-License-Identifier: GPL-2.0-or-later

/// Handlers of MMX instructions that compute, and their extensions by SSE, SSE2 and SSSE3.
enum MMXArithmetic {
  static let paddb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.add(a, b) }
  }
  static let paddw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.add(a, b) }
  }
  static let paddd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<UInt32>.self) { a, b in PackedInteger.add(a, b) }
  }
  static let psubb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.subtract(a, b) }
  }
  static let psubw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.subtract(a, b) }
  }
  static let psubd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<UInt32>.self) { a, b in PackedInteger.subtract(a, b) }
  }
  static let paddsb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<Int8>.self) { a, b in PackedInteger.addSaturating(a, b) }
  }
  static let paddsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.addSaturating(a, b) }
  }
  static let paddusb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.addSaturating(a, b) }
  }
  static let paddusw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.addSaturating(a, b) }
  }
  static let psubsb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<Int8>.self) { a, b in PackedInteger.subtractSaturating(a, b) }
  }
  static let psubsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.subtractSaturating(a, b) }
  }
  static let psubusb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.subtractSaturating(a, b) }
  }
  static let psubusw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.subtractSaturating(a, b) }
  }
  static let pcmpeqb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.equal(a, b) }
  }
  static let pcmpeqw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.equal(a, b) }
  }
  static let pcmpeqd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<UInt32>.self) { a, b in PackedInteger.equal(a, b) }
  }
  static let pcmpgtb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<Int8>.self) { a, b in PackedInteger.greater(a, b) }
  }
  static let pcmpgtw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.greater(a, b) }
  }
  static let pcmpgtd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<Int32>.self) { a, b in PackedInteger.greater(a, b) }
  }
  static let pminub: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.minimum(a, b) }
  }
  static let pminsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.minimum(a, b) }
  }
  static let pmaxub: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.maximum(a, b) }
  }
  static let pmaxsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.maximum(a, b) }
  }
  static let pavgb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.average(a, b) }
  }
  static let pavgw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.average(a, b) }
  }
  static let pmullw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.multiplyLow(a, b) }
  }
  static let pmulhw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.multiplyHigh(a, b) }
  }
  static let pmulhuw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<UInt16>.self) { a, b in PackedInteger.multiplyHigh(a, b) }
  }
  static let pmulhrsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.multiplyRound(a, b) }
  }
  static let psignb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<Int8>.self) { a, b in PackedInteger.sign(a, b) }
  }
  static let psignw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { a, b in PackedInteger.sign(a, b) }
  }
  static let psignd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<Int32>.self) { a, b in PackedInteger.sign(a, b) }
  }
  static let pshufb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<UInt8>.self) { a, b in PackedInteger.shuffle(a, b) }
  }
  static let pabsb: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD8<Int8>.self) { _, b in PackedInteger.absolute(b) }
  }
  static let pabsw: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD4<Int16>.self) { _, b in PackedInteger.absolute(b) }
  }
  static let pabsd: Handler = { state, raw in
    state.processor.mmx(raw.operation, SIMD2<Int32>.self) { _, b in PackedInteger.absolute(b) }
  }
  static let paddq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in a &+ b }
  }
  static let psubq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in a &- b }
  }
  static let pand: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in a & b }
  }
  static let pandn: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in ~a & b }
  }
  static let por: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in a | b }
  }
  static let pxor: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in a ^ b }
  }
  static let pmuludq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in PackedInteger.multiplyLong(a, b) }
  }
  static let pmaddwd: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in PackedInteger.multiplyAddWords(a, b) }
  }
  static let pmaddubsw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in PackedInteger.multiplyAddBytes(a, b) }
  }
  static let psadbw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in PackedInteger.sumOfDifferences(a, b) }
  }
  static let packsswb: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.packSignedBytes(a), PackedInteger.packSignedBytes(b))
    }
  }
  static let packuswb: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.packUnsignedBytes(a), PackedInteger.packUnsignedBytes(b))
    }
  }
  static let packssdw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.packSignedWords(a), PackedInteger.packSignedWords(b))
    }
  }
  static let phaddw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.addPairsOfWords(a), PackedInteger.addPairsOfWords(b))
    }
  }
  static let phaddd: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.addPairOfDoublewords(a), PackedInteger.addPairOfDoublewords(b))
    }
  }
  static let phaddsw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(
        PackedInteger.addPairsOfWordsSaturating(a), PackedInteger.addPairsOfWordsSaturating(b))
    }
  }
  static let phsubw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.subtractPairsOfWords(a), PackedInteger.subtractPairsOfWords(b))
    }
  }
  static let phsubd: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(
        PackedInteger.subtractPairOfDoublewords(a), PackedInteger.subtractPairOfDoublewords(b))
    }
  }
  static let phsubsw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(
        PackedInteger.subtractPairsOfWordsSaturating(a), PackedInteger.subtractPairsOfWordsSaturating(b))
    }
  }
  static let punpcklbw: Handler = { state, raw in
    state.processor.mmx(raw.operation, memory: UInt32.self) { a, b in
      PackedInteger.interleaveBytes(PackedInteger.low(a), PackedInteger.low(b))
    }
  }
  static let punpcklwd: Handler = { state, raw in
    state.processor.mmx(raw.operation, memory: UInt32.self) { a, b in
      PackedInteger.interleaveWords(PackedInteger.low(a), PackedInteger.low(b))
    }
  }
  static let punpckldq: Handler = { state, raw in
    state.processor.mmx(raw.operation, memory: UInt32.self) { a, b in
      PackedInteger.join(PackedInteger.low(a), PackedInteger.low(b))
    }
  }
  static let punpckhbw: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.interleaveBytes(PackedInteger.high(a), PackedInteger.high(b))
    }
  }
  static let punpckhwd: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.interleaveWords(PackedInteger.high(a), PackedInteger.high(b))
    }
  }
  static let punpckhdq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, b in
      PackedInteger.join(PackedInteger.high(a), PackedInteger.high(b))
    }
  }
  static let psrlw: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD4<UInt16>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psrlwImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD4<UInt16>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psrld: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD2<UInt32>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psrldImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD2<UInt32>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psraw: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD4<Int16>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psrawImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD4<Int16>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psrad: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD2<Int32>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psradImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD2<Int32>.self) { a, count in
      PackedInteger.shiftRight(a, count)
    }
  }
  static let psllw: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD4<UInt16>.self) { a, count in
      PackedInteger.shiftLeft(a, count)
    }
  }
  static let psllwImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD4<UInt16>.self) { a, count in
      PackedInteger.shiftLeft(a, count)
    }
  }
  static let pslld: Handler = { state, raw in
    state.processor.mmxShift(raw.operation, SIMD2<UInt32>.self) { a, count in
      PackedInteger.shiftLeft(a, count)
    }
  }
  static let pslldImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation, SIMD2<UInt32>.self) { a, count in
      PackedInteger.shiftLeft(a, count)
    }
  }
  static let psrlq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, count in count < 64 ? a &>> count : 0 }
  }
  static let psrlqImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation) { a, count in count < 64 ? a &>> count : 0 }
  }
  static let psllq: Handler = { state, raw in
    state.processor.mmx(raw.operation) { a, count in count < 64 ? a &<< count : 0 }
  }
  static let psllqImmediate: Handler = { state, raw in
    state.processor.mmxShiftImmediate(raw.operation) { a, count in count < 64 ? a &<< count : 0 }
  }
  static let pshufw: Handler = { state, raw in
    let order = UInt8(truncatingIfNeeded: raw.operation.pointee.immediate)
    return state.processor.mmx(raw.operation) { _, b in PackedInteger.shuffleWords(b, order) }
  }
  static let palignr: Handler = { state, raw in
    let count = UInt8(truncatingIfNeeded: raw.operation.pointee.immediate)
    return state.processor.mmx(raw.operation) { a, b in
      PackedInteger.align(high: a, low: b, count: count)
    }
  }
}

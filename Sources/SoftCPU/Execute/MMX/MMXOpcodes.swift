// SPDX-License-Identifier: GPL-2.0-or-later

/// The MMX instructions by opcode (SDM volume 2, appendix A): those without a mandatory prefix.
extension Decoder {
  /// The MMX instruction of an opcode, if there is one.
  static func mmxInstruction(_ opcode: VectorOpcode) -> VectorInstruction? {
    guard opcode.prefix == .none else { return nil }
    switch opcode.map {
    case .map0F:
      return mmxMove(opcode) ?? mmxShift(opcode)
        ?? mmxArithmetic(opcode.opcode).map { VectorInstruction(handler: $0, reg: .mmx, rm: .mmx) }
    case .map0F38:
      return mmxSSSE3(opcode.opcode).map { VectorInstruction(handler: $0, reg: .mmx, rm: .mmx) }
    case .map0F3A:
      guard opcode.opcode == 0x0F else { return nil }
      return VectorInstruction(handler: MMXArithmetic.palignr, reg: .mmx, rm: .mmx, hasImmediate: true)
    }
  }

  private static func mmxMove(_ opcode: VectorOpcode) -> VectorInstruction? {
    switch opcode.opcode {
    case 0x6E:
      let handler = opcode.isWide ? MMXMoves.loadQuadword : MMXMoves.loadDoubleword
      return VectorInstruction(handler: handler, reg: .mmx, rm: .general)
    case 0x7E:
      let handler = opcode.isWide ? MMXMoves.storeQuadword : MMXMoves.storeDoubleword
      return VectorInstruction(handler: handler, reg: .mmx, rm: .general)
    case 0x6F: return VectorInstruction(handler: MMXMoves.load, reg: .mmx, rm: .mmx)
    case 0x7F: return VectorInstruction(handler: MMXMoves.store, reg: .mmx, rm: .mmx)
    case 0x70:
      return VectorInstruction(handler: MMXArithmetic.pshufw, reg: .mmx, rm: .mmx, hasImmediate: true)
    case 0x77: return VectorInstruction(handler: MMXMoves.empty, reg: .mmx, rm: .mmx)
    case 0xC4:
      return VectorInstruction(handler: MMXMoves.insertWord, reg: .mmx, rm: .general, hasImmediate: true)
    case 0xC5 where opcode.isRegister:
      return VectorInstruction(handler: MMXMoves.extractWord, reg: .general, rm: .mmx, hasImmediate: true)
    case 0xD7 where opcode.isRegister:
      return VectorInstruction(handler: MMXMoves.signMask, reg: .general, rm: .mmx)
    case 0xE7 where !opcode.isRegister:
      return VectorInstruction(handler: MMXMoves.store, reg: .mmx, rm: .mmx)
    case 0xF7 where opcode.isRegister:
      return VectorInstruction(handler: MMXMoves.storeMasked, reg: .mmx, rm: .mmx)
    default: return nil
    }
  }

  /// Shifts by an immediate count: the register field of the ModRM byte says which.
  private static func mmxShift(_ opcode: VectorOpcode) -> VectorInstruction? {
    guard opcode.isRegister else { return nil }
    let handler: Handler
    switch (opcode.opcode, opcode.modRM >> 3 & 7) {
    case (0x71, 2): handler = MMXArithmetic.psrlwImmediate
    case (0x71, 4): handler = MMXArithmetic.psrawImmediate
    case (0x71, 6): handler = MMXArithmetic.psllwImmediate
    case (0x72, 2): handler = MMXArithmetic.psrldImmediate
    case (0x72, 4): handler = MMXArithmetic.psradImmediate
    case (0x72, 6): handler = MMXArithmetic.pslldImmediate
    case (0x73, 2): handler = MMXArithmetic.psrlqImmediate
    case (0x73, 6): handler = MMXArithmetic.psllqImmediate
    default: return nil
    }
    return VectorInstruction(handler: handler, reg: .mmx, rm: .mmx, hasImmediate: true)
  }

  private static func mmxArithmetic(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x60: MMXArithmetic.punpcklbw
    case 0x61: MMXArithmetic.punpcklwd
    case 0x62: MMXArithmetic.punpckldq
    case 0x63: MMXArithmetic.packsswb
    case 0x64: MMXArithmetic.pcmpgtb
    case 0x65: MMXArithmetic.pcmpgtw
    case 0x66: MMXArithmetic.pcmpgtd
    case 0x67: MMXArithmetic.packuswb
    case 0x68: MMXArithmetic.punpckhbw
    case 0x69: MMXArithmetic.punpckhwd
    case 0x6A: MMXArithmetic.punpckhdq
    case 0x6B: MMXArithmetic.packssdw
    case 0x74: MMXArithmetic.pcmpeqb
    case 0x75: MMXArithmetic.pcmpeqw
    case 0x76: MMXArithmetic.pcmpeqd
    case 0xD1: MMXArithmetic.psrlw
    case 0xD2: MMXArithmetic.psrld
    case 0xD3: MMXArithmetic.psrlq
    case 0xD4: MMXArithmetic.paddq
    case 0xD5: MMXArithmetic.pmullw
    case 0xD8: MMXArithmetic.psubusb
    case 0xD9: MMXArithmetic.psubusw
    case 0xDA: MMXArithmetic.pminub
    case 0xDB: MMXArithmetic.pand
    case 0xDC: MMXArithmetic.paddusb
    case 0xDD: MMXArithmetic.paddusw
    case 0xDE: MMXArithmetic.pmaxub
    case 0xDF: MMXArithmetic.pandn
    case 0xE0: MMXArithmetic.pavgb
    case 0xE1: MMXArithmetic.psraw
    case 0xE2: MMXArithmetic.psrad
    case 0xE3: MMXArithmetic.pavgw
    case 0xE4: MMXArithmetic.pmulhuw
    case 0xE5: MMXArithmetic.pmulhw
    case 0xE8: MMXArithmetic.psubsb
    case 0xE9: MMXArithmetic.psubsw
    case 0xEA: MMXArithmetic.pminsw
    case 0xEB: MMXArithmetic.por
    case 0xEC: MMXArithmetic.paddsb
    case 0xED: MMXArithmetic.paddsw
    case 0xEE: MMXArithmetic.pmaxsw
    case 0xEF: MMXArithmetic.pxor
    case 0xF1: MMXArithmetic.psllw
    case 0xF2: MMXArithmetic.pslld
    case 0xF3: MMXArithmetic.psllq
    case 0xF4: MMXArithmetic.pmuludq
    case 0xF5: MMXArithmetic.pmaddwd
    case 0xF6: MMXArithmetic.psadbw
    case 0xF8: MMXArithmetic.psubb
    case 0xF9: MMXArithmetic.psubw
    case 0xFA: MMXArithmetic.psubd
    case 0xFB: MMXArithmetic.psubq
    case 0xFC: MMXArithmetic.paddb
    case 0xFD: MMXArithmetic.paddw
    case 0xFE: MMXArithmetic.paddd
    default: nil
    }
  }

  private static func mmxSSSE3(_ opcode: UInt8) -> Handler? {
    switch opcode {
    case 0x00: MMXArithmetic.pshufb
    case 0x01: MMXArithmetic.phaddw
    case 0x02: MMXArithmetic.phaddd
    case 0x03: MMXArithmetic.phaddsw
    case 0x04: MMXArithmetic.pmaddubsw
    case 0x05: MMXArithmetic.phsubw
    case 0x06: MMXArithmetic.phsubd
    case 0x07: MMXArithmetic.phsubsw
    case 0x08: MMXArithmetic.psignb
    case 0x09: MMXArithmetic.psignw
    case 0x0A: MMXArithmetic.psignd
    case 0x0B: MMXArithmetic.pmulhrsw
    case 0x1C: MMXArithmetic.pabsb
    case 0x1D: MMXArithmetic.pabsw
    case 0x1E: MMXArithmetic.pabsd
    default: nil
    }
  }
}

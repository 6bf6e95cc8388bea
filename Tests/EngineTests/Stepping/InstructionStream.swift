// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport

/// The modes in which streams are executed.
enum StreamMode: String, CaseIterable, CustomStringConvertible, Sendable {
  case real
  case protected16 = "16-bit protected"
  case protected32 = "32-bit protected"
  case long

  var description: String { rawValue }
  /// Whether the default operand and address size is 16 bits.
  var is16Bit: Bool { self == .real || self == .protected16 }
}

/// One instruction of a stream.
struct StreamedInstruction {
  var name: String
  var bytes: [UInt8]
  /// Flags that the manual leaves undefined after it.
  var undefined: UInt64
  /// What comes behind it would be executed somewhere else, or with other tables.
  var ends: Bool
  /// It is executed as often as RCX says.
  var isRepeated: Bool
}

/// Makes random instructions, of the integer and of the system kind, that do not depend on time, devices or the CPU's
/// model.
struct InstructionStream {
  /// What of the manual's notation an encoding needs.
  private struct Encoding {
    enum Operands {
      /// Nothing.
      case none
      /// A byte, a word, an operand-sized immediate (at most 32 bits), an address.
      case byte, word, immediate, offset
      /// A ModRM byte with a register (`digit` nil) or an opcode extension, and what is behind it.
      case modRM(digit: UInt8?, Tail)
      /// Register or memory only.
      case memory(digit: UInt8?)
      case register(digit: UInt8?)
      /// A far pointer to this mode's own code segment.
      case far
    }
    enum Tail { case none, byte, immediate }
    var name: String
    var opcode: [UInt8]
    var operands: Operands
    var undefined: UInt64 = 0
    var ends = false
    var isString = false
    var isIn64Bit = true
    /// Only in 64-bit code, or only outside real mode.
    var isOnly64Bit = false
    /// In words it has undefined results.
    var isNotForWords = false
  }

  private static let (carry, parity, adjust, zero, sign, overflow) = (
    UInt64(1), UInt64(4), UInt64(0x10), UInt64(0x40), UInt64(0x80), UInt64(0x800)
  )
  static let arithmetic = carry | parity | adjust | zero | sign | overflow

  private let mode: StreamMode
  private let encodings: [Encoding]
  var random: SeededGenerator

  init(mode: StreamMode, seed: UInt64) {
    self.mode = mode
    random = SeededGenerator(seed: seed)
    encodings = Self.all.filter { mode == .long ? $0.isIn64Bit : !$0.isOnly64Bit }
  }

  /// The next instruction.
  /// - Parameter codeSelector: for far pointers.
  mutating func next(codeSelector: UInt16) -> StreamedInstruction {
    let encoding = encodings[Int.random(in: encodings.indices, using: &random)]
    var bytes: [UInt8] = []
    var operandBytes = mode.is16Bit ? 2 : 4
    var addressBytes = mode == .long ? 8 : mode.is16Bit ? 2 : 4
    if chance(20) || encoding.isNotForWords && operandBytes == 2 {
      if !(encoding.isNotForWords && operandBytes == 4) {
        bytes.append(0x66)
        operandBytes = 6 - operandBytes
      }
    }
    if chance(8) {
      bytes.append(0x67)
      addressBytes = mode == .long ? 4 : 6 - addressBytes
    }
    // In 64-bit code ES's, SS's and DS's prefix do nothing, but with KVM they decide between #SS and #GP.
    let segments: [UInt8] = mode == .long ? [0x64, 0x65] : [0x26, 0x36, 0x3E, 0x64, 0x65]
    if chance(5) { bytes.append(segments[Int.random(in: segments.indices, using: &random)]) }
    if chance(2) { bytes.append(0xF0) }
    var isRepeated = false
    if encoding.isString, chance(50) {
      bytes.append(chance(50) ? 0xF2 : 0xF3)
      isRepeated = true
    }
    if mode == .long, chance(40) {
      let rex = UInt8.random(in: 0x40...0x4F, using: &random)
      bytes.append(rex)
      if rex & 8 != 0 { operandBytes = 8 }
    }
    bytes += encoding.opcode
    func immediate() -> Int { min(operandBytes, 4) }
    switch encoding.operands {
    case .none: break
    case .byte: bytes.append(smallByte())
    case .word: append(&bytes, 2)
    case .immediate: append(&bytes, immediate())
    case .offset: appendOffset(&bytes, addressBytes)
    case .modRM(let digit, let tail):
      appendModRM(&bytes, digit, addressBytes, isRegister: chance(50))
      switch tail {
      case .none: break
      case .byte: bytes.append(smallByte())
      case .immediate: append(&bytes, immediate())
      }
    case .memory(let digit): appendModRM(&bytes, digit, addressBytes, isRegister: false)
    case .register(let digit): appendModRM(&bytes, digit, addressBytes, isRegister: true)
    case .far:
      append(&bytes, immediate())
      bytes += [UInt8(truncatingIfNeeded: codeSelector), UInt8(codeSelector >> 8)]
    }
    return StreamedInstruction(
      name: encoding.name, bytes: bytes, undefined: encoding.undefined, ends: encoding.ends,
      isRepeated: isRepeated)
  }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  /// Bytes as shift counts and the like want them.
  private mutating func smallByte() -> UInt8 {
    chance(60) ? UInt8.random(in: 0..<34, using: &random) : UInt8.random(in: .min ... .max, using: &random)
  }

  private mutating func append(_ bytes: inout [UInt8], _ count: Int) {
    var value = random.next()
    if chance(40) { value = chance(50) ? value & 15 : ~0 &- value & 15 }
    for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))) }
  }

  /// An address in the scratch memory.
  private mutating func appendOffset(_ bytes: inout [UInt8], _ count: Int) {
    let value = UInt64.random(in: 0..<0x7FF0, using: &random) + (count > 2 ? 0x10000 : 0)
    let place = count > 2 && mode != .long ? value & 0xFFFF : value
    for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: place >> UInt64(byte * 8))) }
  }

  private mutating func appendModRM(
    _ bytes: inout [UInt8], _ digit: UInt8?, _ addressBytes: Int, isRegister: Bool
  ) {
    let reg = (digit ?? UInt8.random(in: 0..<8, using: &random)) << 3
    if isRegister {
      bytes.append(0xC0 | reg | UInt8.random(in: 0..<8, using: &random))
    } else if addressBytes == 2 {
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        bytes.append(reg | 6)
        appendOffset(&bytes, 2)
      case 1: bytes += [0x40 | reg | UInt8.random(in: 0..<8, using: &random), smallByte()]
      default:
        bytes.append(0x80 | reg | UInt8.random(in: 0..<8, using: &random))
        appendOffset(&bytes, 2)
      }
    } else {
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        // An absolute address, by way of SIB.
        bytes += [reg | 4, 0x25]
        appendOffset(&bytes, 4)
      case 1:
        let base = UInt8.random(in: 0..<8, using: &random)
        bytes.append(0x40 | reg | base)
        if base == 4 { bytes.append(UInt8.random(in: .min ... .max, using: &random)) }
        bytes.append(smallByte())
      default:
        // Base, index and scale.
        bytes += [0x40 | reg | 4, UInt8.random(in: .min ... .max, using: &random), smallByte()]
      }
    }
  }

  // MARK: The encodings

  private static let all: [Encoding] =
    aluEncodings + unaryEncodings + bitEncodings + moveEncodings
    + stackEncodings + controlEncodings + decimalEncodings + systemEncodings

  private static var aluEncodings: [Encoding] {
    var list: [Encoding] = []
    for (number, name) in ["ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"].enumerated() {
      let (digit, base) = (UInt8(number), UInt8(number * 8))
      let undefined = [1, 4, 6].contains(number) ? adjust : 0
      for opcode in 0..<4 as Range<UInt8> {
        list.append(
          Encoding(
            name: name, opcode: [base + opcode], operands: .modRM(digit: nil, .none), undefined: undefined))
      }
      list.append(Encoding(name: name, opcode: [base + 4], operands: .byte, undefined: undefined))
      list.append(Encoding(name: name, opcode: [base + 5], operands: .immediate, undefined: undefined))
      list.append(
        Encoding(name: name, opcode: [0x80], operands: .modRM(digit: digit, .byte), undefined: undefined))
      list.append(
        Encoding(name: name, opcode: [0x81], operands: .modRM(digit: digit, .immediate), undefined: undefined)
      )
      list.append(
        Encoding(name: name, opcode: [0x83], operands: .modRM(digit: digit, .byte), undefined: undefined))
    }
    for opcode in [0x84, 0x85] as [UInt8] {
      list.append(
        Encoding(name: "TEST", opcode: [opcode], operands: .modRM(digit: nil, .none), undefined: adjust))
    }
    list.append(Encoding(name: "TEST", opcode: [0xA8], operands: .byte, undefined: adjust))
    list.append(Encoding(name: "TEST", opcode: [0xA9], operands: .immediate, undefined: adjust))
    return list
  }

  private static var unaryEncodings: [Encoding] {
    var list: [Encoding] = []
    for opcode in [0xF6, 0xF7] as [UInt8] {
      let product = sign | zero | adjust | parity
      list += [
        Encoding(
          name: "TEST", opcode: [opcode], operands: .modRM(digit: 0, opcode == 0xF6 ? .byte : .immediate),
          undefined: adjust),
        Encoding(name: "NOT", opcode: [opcode], operands: .modRM(digit: 2, .none)),
        Encoding(name: "NEG", opcode: [opcode], operands: .modRM(digit: 3, .none)),
        Encoding(name: "MUL", opcode: [opcode], operands: .modRM(digit: 4, .none), undefined: product),
        Encoding(name: "IMUL", opcode: [opcode], operands: .modRM(digit: 5, .none), undefined: product),
        Encoding(name: "DIV", opcode: [opcode], operands: .modRM(digit: 6, .none), undefined: arithmetic),
        Encoding(name: "IDIV", opcode: [opcode], operands: .modRM(digit: 7, .none), undefined: arithmetic),
      ]
    }
    for opcode in [0xFE, 0xFF] as [UInt8] {
      list.append(Encoding(name: "INC", opcode: [opcode], operands: .modRM(digit: 0, .none)))
      list.append(Encoding(name: "DEC", opcode: [opcode], operands: .modRM(digit: 1, .none)))
    }
    for register in 0..<8 as Range<UInt8> {
      list.append(Encoding(name: "INC", opcode: [0x40 + register], operands: .none, isIn64Bit: false))
      list.append(Encoding(name: "DEC", opcode: [0x48 + register], operands: .none, isIn64Bit: false))
    }
    let product = sign | zero | adjust | parity
    list += [
      Encoding(name: "IMUL", opcode: [0x69], operands: .modRM(digit: nil, .immediate), undefined: product),
      Encoding(name: "IMUL", opcode: [0x6B], operands: .modRM(digit: nil, .byte), undefined: product),
      Encoding(name: "IMUL", opcode: [0x0F, 0xAF], operands: .modRM(digit: nil, .none), undefined: product),
    ]
    return list
  }

  private static var bitEncodings: [Encoding] {
    var list: [Encoding] = []
    for (digit, name) in [(0, "ROL"), (1, "ROR"), (2, "RCL"), (3, "RCR"), (4, "SHL"), (5, "SHR"), (7, "SAR")]
      as [(UInt8, String)]
    {
      // By more than one bit, OF is undefined; by more than the operand has, CF, too.
      let undefined = digit < 4 ? overflow : overflow | adjust | (digit < 7 ? carry : 0)
      for opcode in [0xC0, 0xC1] as [UInt8] {
        list.append(
          Encoding(name: name, opcode: [opcode], operands: .modRM(digit: digit, .byte), undefined: undefined))
      }
      for opcode in [0xD0, 0xD1] as [UInt8] {
        list.append(
          Encoding(
            name: name, opcode: [opcode], operands: .modRM(digit: digit, .none),
            undefined: digit < 4 ? 0 : adjust))
      }
      for opcode in [0xD2, 0xD3] as [UInt8] {
        list.append(
          Encoding(name: name, opcode: [opcode], operands: .modRM(digit: digit, .none), undefined: undefined))
      }
    }
    for (opcode, name) in [(0xA4, "SHLD"), (0xAC, "SHRD")] as [(UInt8, String)] {
      list.append(
        Encoding(
          name: name, opcode: [0x0F, opcode], operands: .modRM(digit: nil, .byte),
          undefined: overflow | adjust,
          isNotForWords: true))
      list.append(
        Encoding(
          name: name, opcode: [0x0F, opcode + 1], operands: .modRM(digit: nil, .none),
          undefined: overflow | adjust, isNotForWords: true))
    }
    let tested = overflow | sign | adjust | parity
    for (number, name) in ["BT", "BTS", "BTR", "BTC"].enumerated() {
      list.append(
        Encoding(
          name: name, opcode: [0x0F, 0xA3 + UInt8(number) * 8], operands: .register(digit: nil),
          undefined: tested))
      list.append(
        Encoding(
          name: name, opcode: [0x0F, 0xBA], operands: .modRM(digit: 4 + UInt8(number), .byte),
          undefined: tested))
    }
    for (opcode, name) in [(0xBC, "BSF"), (0xBD, "BSR")] as [(UInt8, String)] {
      list.append(
        Encoding(
          name: name, opcode: [0x0F, opcode], operands: .modRM(digit: nil, .none),
          undefined: arithmetic & ~zero))
    }
    return list
  }

  private static var moveEncodings: [Encoding] {
    var list: [Encoding] = []
    for opcode in 0x86...0x8B as ClosedRange<UInt8> {
      list.append(
        Encoding(
          name: opcode < 0x88 ? "XCHG" : "MOV", opcode: [opcode], operands: .modRM(digit: nil, .none)))
    }
    for opcode in 0xA0...0xA3 as ClosedRange<UInt8> {
      list.append(Encoding(name: "MOV", opcode: [opcode], operands: .offset))
    }
    for register in 0..<8 as Range<UInt8> {
      list.append(Encoding(name: "MOV", opcode: [0xB0 + register], operands: .byte))
      list.append(Encoding(name: "XCHG", opcode: [0x90 + register], operands: .none))
      list.append(
        Encoding(name: "BSWAP", opcode: [0x0F, 0xC8 + register], operands: .none, isNotForWords: true))
    }
    for condition in 0..<16 as Range<UInt8> {
      list.append(
        Encoding(name: "SETcc", opcode: [0x0F, 0x90 + condition], operands: .modRM(digit: 0, .none)))
      list.append(
        Encoding(name: "CMOVcc", opcode: [0x0F, 0x40 + condition], operands: .modRM(digit: nil, .none)))
    }
    for (opcode, name) in [
      (0xB6, "MOVZX"), (0xB7, "MOVZX"), (0xBE, "MOVSX"), (0xBF, "MOVSX"), (0xC0, "XADD"), (0xC1, "XADD"),
      (0xB0, "CMPXCHG"), (0xB1, "CMPXCHG"),
    ] as [(UInt8, String)] {
      list.append(Encoding(name: name, opcode: [0x0F, opcode], operands: .modRM(digit: nil, .none)))
    }
    for opcode in [0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF] as [UInt8] {
      list.append(Encoding(name: "string", opcode: [opcode], operands: .none, isString: true))
    }
    return list + [
      Encoding(name: "MOV", opcode: [0xC6], operands: .modRM(digit: 0, .byte)),
      Encoding(name: "MOV", opcode: [0xC7], operands: .modRM(digit: 0, .immediate)),
      Encoding(name: "LEA", opcode: [0x8D], operands: .memory(digit: nil)),
      Encoding(name: "CMPXCHG8B", opcode: [0x0F, 0xC7], operands: .memory(digit: 1)),
      Encoding(name: "CBW", opcode: [0x98], operands: .none),
      Encoding(name: "CWD", opcode: [0x99], operands: .none),
      Encoding(name: "XLAT", opcode: [0xD7], operands: .none),
      Encoding(name: "MOVSXD", opcode: [0x63], operands: .modRM(digit: nil, .none), isOnly64Bit: true),
      Encoding(name: "NOP", opcode: [0x0F, 0x1F], operands: .modRM(digit: 0, .none)),
    ]
  }

  private static var stackEncodings: [Encoding] {
    var list: [Encoding] = []
    for register in 0..<8 as Range<UInt8> {
      list.append(Encoding(name: "PUSH", opcode: [0x50 + register], operands: .none))
      list.append(Encoding(name: "POP", opcode: [0x58 + register], operands: .none))
    }
    for opcode in [0x06, 0x0E, 0x16, 0x1E] as [UInt8] {
      list.append(Encoding(name: "PUSH sreg", opcode: [opcode], operands: .none, isIn64Bit: false))
    }
    for opcode in [0x07, 0x1F] as [UInt8] {
      list.append(Encoding(name: "POP sreg", opcode: [opcode], operands: .none, isIn64Bit: false))
    }
    for opcode in [0xA0, 0xA8] as [UInt8] {
      list.append(Encoding(name: "PUSH sreg", opcode: [0x0F, opcode], operands: .none))
      list.append(Encoding(name: "POP sreg", opcode: [0x0F, opcode + 1], operands: .none))
    }
    return list + [
      Encoding(name: "PUSH", opcode: [0x68], operands: .immediate),
      Encoding(name: "PUSH", opcode: [0x6A], operands: .byte),
      Encoding(name: "PUSH", opcode: [0xFF], operands: .modRM(digit: 6, .none)),
      Encoding(name: "POP", opcode: [0x8F], operands: .modRM(digit: 0, .none)),
      Encoding(name: "PUSHA", opcode: [0x60], operands: .none, isIn64Bit: false),
      Encoding(name: "POPA", opcode: [0x61], operands: .none, isIn64Bit: false),
      Encoding(name: "PUSHF", opcode: [0x9C], operands: .none),
      Encoding(name: "ENTER", opcode: [0xC8, 0x10, 0x00, 0x00], operands: .none),
      Encoding(name: "ENTER", opcode: [0xC8, 0x20, 0x00, 0x03], operands: .none),
      Encoding(name: "LEAVE", opcode: [0xC9], operands: .none),
    ]
  }

  private static var controlEncodings: [Encoding] {
    var list: [Encoding] = []
    for condition in 0..<16 as Range<UInt8> {
      list.append(Encoding(name: "Jcc", opcode: [0x70 + condition, 0], operands: .none))
      list.append(Encoding(name: "Jcc", opcode: [0x70 + condition], operands: .byte, ends: true))
    }
    for opcode in 0xE0...0xE3 as ClosedRange<UInt8> {
      list.append(Encoding(name: "LOOP", opcode: [opcode, 0], operands: .none))
    }
    return list + [
      Encoding(name: "CALL", opcode: [0xE8], operands: .immediate, ends: true),
      Encoding(name: "JMP", opcode: [0xE9], operands: .immediate, ends: true),
      Encoding(name: "JMP", opcode: [0xEB], operands: .byte, ends: true),
      Encoding(name: "RET", opcode: [0xC3], operands: .none, ends: true),
      Encoding(name: "RET", opcode: [0xC2], operands: .word, ends: true),
      Encoding(name: "CALL", opcode: [0xFF], operands: .modRM(digit: 2, .none), ends: true),
      Encoding(name: "JMP", opcode: [0xFF], operands: .modRM(digit: 4, .none), ends: true),
      Encoding(name: "far CALL", opcode: [0x9A], operands: .far, ends: true, isIn64Bit: false),
      Encoding(name: "far JMP", opcode: [0xEA], operands: .far, ends: true, isIn64Bit: false),
      Encoding(name: "far CALL", opcode: [0xFF], operands: .memory(digit: 3), ends: true),
      Encoding(name: "far JMP", opcode: [0xFF], operands: .memory(digit: 5), ends: true),
      Encoding(name: "far RET", opcode: [0xCB], operands: .none, ends: true),
      Encoding(name: "far RET", opcode: [0xCA], operands: .word, ends: true),
      Encoding(name: "INT3", opcode: [0xCC], operands: .none, ends: true),
      Encoding(name: "INT", opcode: [0xCD, 0x10], operands: .none, ends: true),
      Encoding(name: "INTO", opcode: [0xCE], operands: .none, ends: true, isIn64Bit: false),
      Encoding(name: "UD2", opcode: [0x0F, 0x0B], operands: .none, ends: true),
    ]
  }

  private static var decimalEncodings: [Encoding] {
    let ascii = overflow | sign | zero | parity
    return [
      Encoding(name: "DAA", opcode: [0x27], operands: .none, undefined: overflow, isIn64Bit: false),
      Encoding(name: "DAS", opcode: [0x2F], operands: .none, undefined: overflow, isIn64Bit: false),
      Encoding(name: "AAA", opcode: [0x37], operands: .none, undefined: ascii, isIn64Bit: false),
      Encoding(name: "AAS", opcode: [0x3F], operands: .none, undefined: ascii, isIn64Bit: false),
      Encoding(
        name: "AAM", opcode: [0xD4], operands: .byte, undefined: overflow | adjust | carry, isIn64Bit: false),
      Encoding(
        name: "AAD", opcode: [0xD5], operands: .byte, undefined: overflow | adjust | carry, isIn64Bit: false),
      Encoding(name: "SALC", opcode: [0xD6], operands: .none, isIn64Bit: false),
    ]
  }

  private static var systemEncodings: [Encoding] {
    var list: [Encoding] = []
    for (opcode, name) in [
      (0x9E, "SAHF"), (0x9F, "LAHF"), (0xF5, "CMC"), (0xF8, "CLC"), (0xF9, "STC"), (0xFA, "CLI"),
      (0xFB, "STI"),
      (0xFC, "CLD"), (0xFD, "STD"),
    ] as [(UInt8, String)] { list.append(Encoding(name: name, opcode: [opcode], operands: .none)) }
    for (opcode, name) in [(0xC4, "LES"), (0xC5, "LDS")] as [(UInt8, String)] {
      list.append(Encoding(name: name, opcode: [opcode], operands: .memory(digit: nil), isIn64Bit: false))
    }
    for (opcode, name) in [(0xB2, "LSS"), (0xB4, "LFS"), (0xB5, "LGS")] as [(UInt8, String)] {
      list.append(Encoding(name: name, opcode: [0x0F, opcode], operands: .memory(digit: nil)))
    }
    for digit in [0, 3, 4, 5] as [UInt8] {
      list.append(Encoding(name: "MOV sreg", opcode: [0x8E], operands: .modRM(digit: digit, .none)))
    }
    for digit in 0..<6 as Range<UInt8> {
      list.append(Encoding(name: "MOV from sreg", opcode: [0x8C], operands: .modRM(digit: digit, .none)))
    }
    for number in [0, 3, 4] as [UInt8] {
      list.append(Encoding(name: "MOV from CR", opcode: [0x0F, 0x20], operands: .register(digit: number)))
    }
    for number in [0, 1, 2, 3, 6, 7] as [UInt8] {
      list.append(Encoding(name: "MOV from DR", opcode: [0x0F, 0x21], operands: .register(digit: number)))
    }
    for number in [0, 2, 3, 4] as [UInt8] {
      list.append(
        Encoding(name: "MOV to CR", opcode: [0x0F, 0x22], operands: .register(digit: number), ends: true))
    }
    return list + [
      Encoding(name: "SLDT", opcode: [0x0F, 0x00], operands: .modRM(digit: 0, .none)),
      Encoding(name: "STR", opcode: [0x0F, 0x00], operands: .modRM(digit: 1, .none)),
      Encoding(name: "LLDT", opcode: [0x0F, 0x00], operands: .modRM(digit: 2, .none)),
      Encoding(name: "LTR", opcode: [0x0F, 0x00], operands: .modRM(digit: 3, .none), ends: true),
      Encoding(name: "VERR", opcode: [0x0F, 0x00], operands: .modRM(digit: 4, .none)),
      Encoding(name: "VERW", opcode: [0x0F, 0x00], operands: .modRM(digit: 5, .none)),
      Encoding(name: "LAR", opcode: [0x0F, 0x02], operands: .modRM(digit: nil, .none)),
      Encoding(name: "LSL", opcode: [0x0F, 0x03], operands: .modRM(digit: nil, .none)),
      Encoding(name: "SGDT", opcode: [0x0F, 0x01], operands: .memory(digit: 0)),
      Encoding(name: "SIDT", opcode: [0x0F, 0x01], operands: .memory(digit: 1)),
      Encoding(name: "LGDT", opcode: [0x0F, 0x01], operands: .memory(digit: 2), ends: true),
      Encoding(name: "LIDT", opcode: [0x0F, 0x01], operands: .memory(digit: 3), ends: true),
      Encoding(name: "SMSW", opcode: [0x0F, 0x01], operands: .modRM(digit: 4, .none)),
      Encoding(name: "LMSW", opcode: [0x0F, 0x01], operands: .modRM(digit: 6, .none), ends: true),
      Encoding(name: "INVLPG", opcode: [0x0F, 0x01], operands: .memory(digit: 7)),
      Encoding(name: "CLTS", opcode: [0x0F, 0x06], operands: .none),
      Encoding(name: "WBINVD", opcode: [0x0F, 0x09], operands: .none),
      Encoding(name: "ARPL", opcode: [0x63], operands: .modRM(digit: nil, .none), isIn64Bit: false),
      Encoding(name: "BOUND", opcode: [0x62], operands: .memory(digit: nil), isIn64Bit: false),
      Encoding(name: "IRET", opcode: [0xCF], operands: .none, ends: true),
    ]
  }
}

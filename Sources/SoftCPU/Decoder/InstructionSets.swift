// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// The groups of instructions that CPUID tells of one by one. What CPUID does not show, the decoder refuses: both come
/// from the same ``CPUFeatures``.
struct InstructionSets: OptionSet {
  let rawValue: UInt32

  static let timeStamp = Self(rawValue: 1 << 0)
  static let compareExchange8 = Self(rawValue: 1 << 1)
  static let compareExchange16 = Self(rawValue: 1 << 2)
  static let sysenter = Self(rawValue: 1 << 3)
  static let conditionalMove = Self(rawValue: 1 << 4)
  static let cacheLineFlush = Self(rawValue: 1 << 5)
  static let mmx = Self(rawValue: 1 << 6)
  static let fxsave = Self(rawValue: 1 << 7)
  static let sse = Self(rawValue: 1 << 8)
  static let sse2 = Self(rawValue: 1 << 9)
  static let sse3 = Self(rawValue: 1 << 10)
  static let ssse3 = Self(rawValue: 1 << 11)
  static let sse41 = Self(rawValue: 1 << 12)
  static let sse42 = Self(rawValue: 1 << 13)
  static let carrylessMultiplication = Self(rawValue: 1 << 14)
  static let aes = Self(rawValue: 1 << 15)
  static let movbe = Self(rawValue: 1 << 16)
  static let populationCount = Self(rawValue: 1 << 17)
  static let xsave = Self(rawValue: 1 << 18)
  static let xsaveopt = Self(rawValue: 1 << 19)
  static let rdrand = Self(rawValue: 1 << 20)
  static let rdseed = Self(rawValue: 1 << 21)
  static let fsgsbase = Self(rawValue: 1 << 22)
  static let bmi1 = Self(rawValue: 1 << 23)
  static let bmi2 = Self(rawValue: 1 << 24)
  static let adx = Self(rawValue: 1 << 25)
  static let supervisorAccessPrevention = Self(rawValue: 1 << 26)
  static let syscall = Self(rawValue: 1 << 27)
  static let rdtscp = Self(rawValue: 1 << 28)
  static let lahfInLongMode = Self(rawValue: 1 << 29)
  static let leadingZeroCount = Self(rawValue: 1 << 30)

  /// Where CPUID tells of each.
  private static let bits: [(Self, CPUIDWord, UInt32)] = [
    (.timeStamp, .leaf1EDX, 4), (.compareExchange8, .leaf1EDX, 8), (.sysenter, .leaf1EDX, 11),
    (.conditionalMove, .leaf1EDX, 15), (.cacheLineFlush, .leaf1EDX, 19), (.mmx, .leaf1EDX, 23),
    (.fxsave, .leaf1EDX, 24), (.sse, .leaf1EDX, 25), (.sse2, .leaf1EDX, 26), (.sse3, .leaf1ECX, 0),
    (.carrylessMultiplication, .leaf1ECX, 1), (.ssse3, .leaf1ECX, 9), (.compareExchange16, .leaf1ECX, 13),
    (.sse41, .leaf1ECX, 19), (.sse42, .leaf1ECX, 20), (.movbe, .leaf1ECX, 22),
    (.populationCount, .leaf1ECX, 23),
    (.aes, .leaf1ECX, 25), (.xsave, .leaf1ECX, 26), (.rdrand, .leaf1ECX, 30), (.fsgsbase, .leaf7EBX, 0),
    (.bmi1, .leaf7EBX, 3), (.bmi2, .leaf7EBX, 8), (.rdseed, .leaf7EBX, 18), (.adx, .leaf7EBX, 19),
    (.supervisorAccessPrevention, .leaf7EBX, 20), (.xsaveopt, .leafDSubleaf1EAX, 0),
    (.syscall, .extended1EDX, 11),
    (.rdtscp, .extended1EDX, 27), (.lahfInLongMode, .extended1ECX, 0), (.leadingZeroCount, .extended1ECX, 5),
  ]

  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Those of a processor with these features.
  init(_ features: CPUFeatures) {
    self = []
    for (set, word, bit) in Self.bits where features[word] >> bit & 1 != 0 { insert(set) }
  }
}

extension VectorOpcode {
  /// What the instruction of this opcode belongs to, if there is one (SDM volume 2, the columns "CPUID Feature Flag").
  var instructionSet: InstructionSets {
    switch (map, opcode) {
    case (.map0F38, 0x00...0x0B), (.map0F38, 0x1C...0x1E), (.map0F3A, 0x0F): return .ssse3
    case (.map0F38, 0x37), (.map0F3A, 0x60...0x63): return .sse42
    case (.map0F38, 0xDB...0xDF), (.map0F3A, 0xDF): return .aes
    case (.map0F3A, 0x44): return .carrylessMultiplication
    case (.map0F38, _), (.map0F3A, _): return .sse41
    case (.map0F, _): break
    }
    switch (prefix, opcode) {
    // CVTPS2PD, CVTDQ2PS, PADDQ, PMULUDQ, PSUBQ.
    case (.none, 0x5A), (.none, 0x5B), (.none, 0xD4), (.none, 0xF4), (.none, 0xFB): return .sse2
    case (.none, 0x10...0x17), (.none, 0x28...0x2F), (.none, 0x50...0x5F), (.none, 0xC2), (.none, 0xC6):
      return .sse
    // What SSE added to MMX.
    case (.none, 0x70), (.none, 0xC4), (.none, 0xC5), (.none, 0xD7), (.none, 0xDA), (.none, 0xDE),
      (.none, 0xE0),
      (.none, 0xE3), (.none, 0xE4), (.none, 0xE7), (.none, 0xEA), (.none, 0xEE), (.none, 0xF6), (.none, 0xF7):
      return .sse
    case (.none, _): return .mmx
    case (.x66, 0x7C), (.x66, 0x7D), (.x66, 0xD0), (.xF2, 0x7C), (.xF2, 0x7D), (.xF2, 0xD0), (.xF2, 0xF0),
      (.xF2, 0x12), (.xF3, 0x12), (.xF3, 0x16):
      return .sse3
    case (.xF3, 0x10), (.xF3, 0x11), (.xF3, 0x2A), (.xF3, 0x2C), (.xF3, 0x2D), (.xF3, 0x51...0x53),
      (.xF3, 0x58),
      (.xF3, 0x59), (.xF3, 0x5C...0x5F), (.xF3, 0xC2):
      return .sse
    default: return .sse2
    }
  }
}

extension Decoder {
  /// Whether the processor has the instructions of a set.
  func has(_ set: InstructionSets) -> Bool { instructions.isSuperset(of: set) }

  /// What an x87 opcode belongs to besides the x87: FCMOVcc, FCOMI and FUCOMI; FISTTP.
  static func x87InstructionSet(opcode: UInt8, modRM: UInt8) -> InstructionSets {
    switch (opcode & 7, modRM >> 3 & 7) {
    case (2, 0...3) where modRM >= 0xC0, (3, 0...3) where modRM >= 0xC0, (3, 5...6) where modRM >= 0xC0,
      (7, 5...6) where modRM >= 0xC0:
      .conditionalMove
    case (3, 1) where modRM < 0xC0, (5, 1) where modRM < 0xC0, (7, 1) where modRM < 0xC0: .sse3
    default: []
    }
  }
}

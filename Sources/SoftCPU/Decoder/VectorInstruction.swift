// SPDX-License-Identifier: GPL-2.0-or-later

/// A two-byte or three-byte opcode map (SDM volume 2, appendix A).
enum OpcodeMap: UInt8 {
  case map0F = 1
  case map0F38 = 2
  case map0F3A = 3
}

/// The prefix that selects among the instructions of one opcode.
enum MandatoryPrefix: UInt8 {
  case none
  case x66
  case xF3
  case xF2
}

/// What an operand field of a vector instruction names.
enum VectorOperand {
  case general
  case mmx
  case xmm
}

/// An MMX or SSE instruction, as the vector tables describe it to the decoder.
struct VectorInstruction {
  /// Its semantics. ``Operation/reg`` and ``Operation/rm`` are byte offsets: 8 a general register, 16 an MMX
  /// or XMM register. ``Operation/immediate`` holds the immediate byte, if there is one.
  var handler: Handler
  /// What ModRM.reg names.
  var reg = VectorOperand.xmm
  /// What ModRM.rm names when it is a register.
  var rm = VectorOperand.xmm
  var hasImmediate = false
}

/// An opcode as the vector tables look it up.
struct VectorOpcode {
  var map: OpcodeMap
  var opcode: UInt8
  var prefix: MandatoryPrefix
  /// The ModRM byte.
  var modRM: UInt8
  /// REX.W in 64-bit code.
  var isWide: Bool
  var isRegister: Bool { modRM >= 0xC0 }
}

// SPDX-License-Identifier: GPL-2.0-or-later

extension Decoder {
  /// What an opcode with a mandatory prefix means as an instruction of SSE … SSE4.2, AES or PCLMULQDQ; nil if
  /// it is none.
  static func sseInstruction(_ opcode: VectorOpcode) -> VectorInstruction? {
    SSE.move(opcode) ?? SSE.integer(opcode) ?? SSE.shuffle(opcode) ?? SSE.floatingPoint(opcode)
      ?? SSE.test(opcode) ?? SSE.compareStrings(opcode) ?? SSE.cryptography(opcode)
  }
}

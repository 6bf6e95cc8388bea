// SPDX-License-Identifier: GPL-2.0-or-later

/// Turns the bytes of instructions into text in AT&T's syntax, with Debian's Capstone (package `libcapstone4`).
struct Disassembler {
  struct Instruction {
    let byteCount: Int
    let name: String
    let operands: String
  }

  /// No x86 instruction has more bytes (SDM volume 2, section 2.3.11).
  static let longestInstruction = 15

  private let library: CapstoneLibrary
  private let bits: Int

  /// A disassembler for code of 16, 32 or 64 bits.
  /// - Throws: a sentence if the library is not installed.
  init(bits: Int) throws(HumanError) {
    guard let library = CapstoneLibrary.shared else {
      throw .failed(
        "instructions are shown with the library Capstone 4, which is not installed: package libcapstone4")
    }
    (self.library, self.bits) = (library, bits)
  }

  /// The instruction at the start of `bytes`, or its first byte if there is none.
  func instruction(_ bytes: [UInt8], at address: UInt64) -> Instruction {
    library.decode(bytes, at: address, bits: bits)
      ?? Instruction(byteCount: 1, name: ".byte", operands: "0x" + Digits.hex(bytes.first ?? 0, 2))
  }
}

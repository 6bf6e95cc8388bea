// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import Testing

@testable import SoftCPU

/// Instructions of sets that `-cpu` switched off are none.
@Suite struct InstructionSetTests {
  /// A feature, and instructions in 64-bit code that are there only with it.
  struct Group: Sendable, CustomTestStringConvertible {
    let feature: String
    let instructions: [[UInt8]]
    /// Only #UD can be told without a whole processor.
    var ends = false
    var testDescription: String { feature }
    init(_ feature: String, _ instructions: [UInt8]..., ends: Bool = false) {
      (self.feature, self.instructions, self.ends) = (feature, instructions, ends)
    }
  }

  private static let groups = [
    Group("tsc", [0x0F, 0x31]),
    Group("cx8", [0x0F, 0xC7, 0x0E]),
    Group("cx16", [0x48, 0x0F, 0xC7, 0x0E]),
    Group("sep", [0x0F, 0x34], [0x0F, 0x35], ends: true),
    Group("cmov", [0x0F, 0x44, 0xC1], [0xDA, 0xC1], [0xDB, 0xE9], [0xDB, 0xF1], [0xDF, 0xE9]),
    Group("clflush", [0x0F, 0xAE, 0x3E]),
    Group("mmx", [0x0F, 0x6F, 0xC1], [0x0F, 0xFE, 0xC1], [0x0F, 0x77], [0x0F, 0x6E, 0xC0]),
    Group("fxsr", [0x0F, 0xAE, 0x06], [0x0F, 0xAE, 0x0E]),
    Group(
      "sse", [0x0F, 0x58, 0xC1], [0xF3, 0x0F, 0x58, 0xC1], [0x0F, 0x28, 0xC1], [0x0F, 0x70, 0xC1, 0],
      [0x0F, 0xAE, 0x16], [0x0F, 0xAE, 0xF8], [0x0F, 0xC6, 0xC1, 0]),
    Group(
      "sse2", [0x66, 0x0F, 0x58, 0xC1], [0xF2, 0x0F, 0x58, 0xC1], [0x66, 0x0F, 0x6F, 0xC1],
      [0x0F, 0xD4, 0xC1],
      [0xF3, 0x0F, 0xE6, 0xC1], [0x0F, 0x5B, 0xC1], [0x0F, 0xC3, 0x06], [0x0F, 0xAE, 0xE8],
      [0x0F, 0xAE, 0xF0]),
    Group(
      "sse3", [0xF2, 0x0F, 0x12, 0xC1], [0xF3, 0x0F, 0x12, 0xC1], [0xF3, 0x0F, 0x16, 0xC1],
      [0x66, 0x0F, 0x7C, 0xC1], [0xF2, 0x0F, 0xD0, 0xC1], [0xF2, 0x0F, 0xF0, 0x06], [0xDB, 0x0E],
      [0xDD, 0x0E]),
    Group("ssse3", [0x66, 0x0F, 0x38, 0x00, 0xC1], [0x0F, 0x38, 0x1C, 0xC1], [0x0F, 0x3A, 0x0F, 0xC1, 4]),
    Group(
      "sse4.1", [0x66, 0x0F, 0x38, 0x40, 0xC1], [0x66, 0x0F, 0x3A, 0x0E, 0xC1, 1],
      [0x66, 0x0F, 0x38, 0x2A, 0x06],
      [0x66, 0x0F, 0x38, 0x17, 0xC1], [0x66, 0x0F, 0x3A, 0x14, 0xC1, 1]),
    Group(
      "sse4.2", [0x66, 0x0F, 0x38, 0x37, 0xC1], [0x66, 0x0F, 0x3A, 0x63, 0xC1, 0],
      [0xF2, 0x0F, 0x38, 0xF1, 0xC1]),
    Group("aes", [0x66, 0x0F, 0x38, 0xDC, 0xC1], [0x66, 0x0F, 0x3A, 0xDF, 0xC1, 1]),
    Group("pclmulqdq", [0x66, 0x0F, 0x3A, 0x44, 0xC1, 0]),
    Group("movbe", [0x0F, 0x38, 0xF0, 0x06], [0x0F, 0x38, 0xF1, 0x06]),
    Group("popcnt", [0xF3, 0x0F, 0xB8, 0xC1]),
    Group("rdrand", [0x0F, 0xC7, 0xF0]),
    Group("rdseed", [0x0F, 0xC7, 0xF8]),
    Group("adx", [0x66, 0x0F, 0x38, 0xF6, 0xC1], [0xF3, 0x0F, 0x38, 0xF6, 0xC1]),
    Group(
      "bmi1", [0xC4, 0xE2, 0x70, 0xF2, 0xC1], [0xC4, 0xE2, 0x78, 0xF3, 0xC9], [0xC4, 0xE2, 0x70, 0xF7, 0xC1]),
    Group(
      "bmi2", [0xC4, 0xE2, 0x70, 0xF5, 0xC1], [0xC4, 0xE2, 0x72, 0xF5, 0xC1], [0xC4, 0xE2, 0x73, 0xF6, 0xC1],
      [0xC4, 0xE2, 0x71, 0xF7, 0xC1], [0xC4, 0xE3, 0x7B, 0xF0, 0xC1, 4]),
    Group("fsgsbase", [0xF3, 0x48, 0x0F, 0xAE, 0xC0], [0xF3, 0x48, 0x0F, 0xAE, 0xD8], ends: true),
    Group("smap", [0x0F, 0x01, 0xCA], [0x0F, 0x01, 0xCB], ends: true),
    Group("rdtscp", [0x0F, 0x01, 0xF9]),
    Group("lahf-lm", [0x9E], [0x9F]),
    Group("xsave", [0x0F, 0xAE, 0x26], [0x0F, 0xAE, 0x2E], [0x0F, 0x01, 0xD0]),
    Group("xsaveopt", [0x0F, 0xAE, 0x36]),
    Group("syscall", [0x0F, 0x05], [0x0F, 0x07], ends: true),
  ]

  private func decode(_ code: [UInt8], _ sets: InstructionSets, _ mode: ExecutionMode) -> Decoder {
    (code + Array(repeating: 0x90, count: 15 - code.count)).withUnsafeBufferPointer { bytes in
      var decoder = Decoder(
        bytes: bytes.baseAddress!, available: 15, mode: mode, instructions: sets,
        rip: 0x1000)
      decoder.decode()
      return decoder
    }
  }

  private func sets(removed: [String] = []) throws -> InstructionSets {
    try SoftCPUID(CPUModelRequest(removed: removed), topology: CPUTopology(), index: 0).instructions
  }

  @Test(arguments: groups)
  func whatCPUIDDoesNotShowIsRefused(group: Group) throws {
    let processor = BareProcessor()
    let mode = processor.cpu.pointee.mode
    let (all, less) = (try sets(), try sets(removed: [group.feature]))
    for code in group.instructions {
      let present = decode(code, all, mode)
      if !group.ends { #expect(!present.endsBlock && Int(present.operation.length) == code.count, "\(code)") }
      let absent = decode(code, less, mode)
      #expect(absent.endsBlock && processor.execute(absent.operation) == 6, "\(code)")
    }
    // All the other groups are still there.
    for other in Self.groups where other.feature != group.feature && !other.ends {
      for code in other.instructions { #expect(!decode(code, less, mode).endsBlock, "\(code)") }
    }
  }

  /// TZCNT and LZCNT are BSF and BSR where they are not known.
  @Test func countsBecomeScans() throws {
    let processor = BareProcessor()
    let mode = processor.cpu.pointee.mode
    for (code, feature, count, scan) in [
      ([0xF3, 0x0F, 0xBC, 0xC1], "bmi1", 32, 77), ([0xF3, 0x0F, 0xBD, 0xC1], "abm", 32, 77),
    ] as [([UInt8], String, UInt64, UInt64)] {
      for (sets, expected) in [(try sets(), count), (try sets(removed: [feature]), scan)] {
        processor.cpu.rax = 77
        processor.cpu.rcx = 0
        #expect(processor.execute(decode(code, sets, mode).operation) == nil && processor.cpu.rax == expected)
      }
    }
  }

  /// In a guest: CPUID does not show it, and it is #UD.
  @Test func pmulldInAGuest() throws {
    let code: [UInt8] = [0xB8, 1, 0, 0, 0, 0x0F, 0xA2, 0x66, 0x0F, 0x38, 0x40, 0xC1, 0xF4]
    for (removed, vector) in [([], nil), (["sse4.1"], 6)] as [([String], UInt8?)] {
      let guest = try LongModeGuest(CPUModelRequest(removed: removed))
      try guest.cpu.setRegisters(guest.state(code))
      #expect(guest.run() == vector && guest.cpu.activity == .halted)
      #expect((guest.cpu.registers().general[1] >> 19 & 1 == 1) == removed.isEmpty)
    }
  }

  /// What a feature is switched on by in CR4 and EFER is reserved without it.
  @Test(
    arguments: [
      ("xsave", 0x4_0000), ("fsgsbase", 0x1_0000), ("smep", 0x10_0000), ("smap", 0x20_0000), ("umip", 0x800),
    ] as [(String, UInt64)])
  func controlBitsNeedTheFeature(feature: String, bit: UInt64) throws {
    for (removed, vector) in [([], nil), ([feature], 13)] as [([String], UInt8?)] {
      let guest = try LongModeGuest(CPUModelRequest(removed: removed))
      // The pages are the user's, which a supervisor must not execute with SMEP.
      if feature == "smep" {
        for table in [0x1000, 0x2000, 0x3000] {
          let entry = guest.ram.hostAddress.load(fromByteOffset: table, as: UInt64.self)
          guest.ram.hostAddress.storeBytes(of: entry & ~4, toByteOffset: table, as: UInt64.self)
        }
      }
      // MOV CR4, RAX.
      var state = guest.state([0x0F, 0x22, 0xE0, 0xF4])
      state.general[0] = state.cr4 | bit
      try guest.cpu.setRegisters(state)
      #expect(guest.run() == vector && guest.cpu.activity == .halted)
    }
  }

  @Test func noExecuteNeedsTheFeature() throws {
    for (removed, vector) in [([], nil), (["nx"], 13)] as [([String], UInt8?)] {
      let guest = try LongModeGuest(CPUModelRequest(removed: removed))
      var state = guest.state([0x0F, 0x30, 0xF4])
      (state.general[0], state.general[1], state.general[2]) = (0xD01, 0xC000_0080, 0)
      state.efer = 0x501
      try guest.cpu.setRegisters(state)
      #expect(guest.run() == vector && guest.cpu.activity == .halted)
    }
  }
}

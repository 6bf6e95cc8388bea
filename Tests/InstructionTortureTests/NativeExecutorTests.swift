// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor
import InstructionTorture
import Testing

/// The host's CPU does what the manual says, as far as the harness sees it.
@Suite struct NativeExecutorTests {
  private let native: NativeExecutor
  private static let data = UInt64(NATIVE_DATA)
  private static let status = Flag.status

  init() throws { native = try NativeExecutor(contents: scratchContents) }

  private func run(
    _ code: [UInt8], is32Bit: Bool = false, memory: [UInt8] = [],
    prepare: (UnsafeMutablePointer<native_state>) -> Void = { _ in }
  ) throws -> native_outcome {
    var it = native_case(code, is32Bit: is32Bit, prepare: prepare)
    if !memory.isEmpty { it.setMemory(memory, at: Self.data) }
    var native = self.native
    return try native.run(it)
  }

  /// Code, registers before (RAX, RCX, RDX, RBX), flags before, RAX and RDX after, status flags after, and which
  /// of them count.
  struct Example: Sendable, CustomStringConvertible {
    var description: String
    var code: [UInt8]
    var before: [UInt64] = [0, 0, 0, 0]
    var flags: UInt64 = 0
    var rax: UInt64
    var rdx: UInt64 = 0
    var after: UInt64 = 0
    var defined = Flag.status
  }

  static let examples: [Example] = [
    Example(
      description: "add al, cl", code: [0x00, 0xC8], before: [0x7F, 1, 0, 0], rax: 0x80,
      after: Flag.of | Flag.sf | Flag.af),
    Example(
      description: "add rax, rcx", code: [0x48, 0x01, 0xC8], before: [.max, 1, 0, 0], rax: 0,
      after: Flag.cf | Flag.zf | Flag.af | Flag.pf),
    Example(
      description: "adc eax, ecx", code: [0x11, 0xC8], before: [0xFFFF_FFFF_0000_0001, 2, 0, 0],
      flags: Flag.cf, rax: 4),
    Example(
      description: "sub ax, cx", code: [0x66, 0x29, 0xC8], before: [0x1_0000, 1, 0, 0], rax: 0x1_FFFF,
      after: Flag.cf | Flag.sf | Flag.af | Flag.pf),
    Example(
      description: "sbb ah, ch", code: [0x18, 0xEC], before: [0x1000, 0x0F00, 0, 0], flags: Flag.cf, rax: 0,
      after: Flag.zf | Flag.pf | Flag.af),
    Example(
      description: "and eax, ecx", code: [0x21, 0xC8], before: [0xF0F0, 0x8000_FF00, 0, 0], rax: 0xF000,
      after: Flag.pf, defined: Flag.status & ~Flag.af),
    Example(
      description: "xor rax, rax", code: [0x48, 0x31, 0xC0], before: [5, 0, 0, 0], rax: 0,
      after: Flag.zf | Flag.pf, defined: Flag.status & ~Flag.af),
    Example(
      description: "cmp eax, imm8", code: [0x83, 0xF8, 0xFF], before: [1, 0, 0, 0], rax: 1,
      after: Flag.cf | Flag.af),
    Example(
      description: "inc eax keeps CF", code: [0xFF, 0xC0], before: [0x7FFF_FFFF, 0, 0, 0], flags: Flag.cf,
      rax: 0x8000_0000, after: Flag.cf | Flag.of | Flag.sf | Flag.af | Flag.pf),
    Example(
      description: "dec al", code: [0xFE, 0xC8], before: [0x80, 0, 0, 0], rax: 0x7F, after: Flag.of | Flag.af),
    Example(
      description: "neg rax", code: [0x48, 0xF7, 0xD8], before: [1, 0, 0, 0], rax: .max,
      after: Flag.cf | Flag.sf | Flag.af | Flag.pf),
    Example(
      description: "not eax", code: [0xF7, 0xD0], before: [0, 0, 0, 0], flags: Flag.zf, rax: 0xFFFF_FFFF,
      after: Flag.zf),
    Example(
      description: "mul rcx", code: [0x48, 0xF7, 0xE1], before: [1 << 63, 6, 0, 0], rax: 0, rdx: 3,
      after: Flag.cf | Flag.of, defined: Flag.cf | Flag.of),
    Example(
      description: "imul eax, ecx, -2", code: [0x6B, 0xC1, 0xFE], before: [0, 5, 0, 0], rax: 0xFFFF_FFF6,
      defined: Flag.cf | Flag.of),
    Example(description: "div ecx", code: [0xF7, 0xF1], before: [17, 5, 0, 0], rax: 3, rdx: 2, defined: 0),
    Example(
      description: "idiv rcx", code: [0x48, 0xF7, 0xF9], before: [UInt64(bitPattern: -17), 5, .max, 0],
      rax: UInt64(bitPattern: -3), rdx: UInt64(bitPattern: -2), defined: 0),
    Example(
      description: "shl al, 1", code: [0xD0, 0xE0], before: [0x81, 0, 0, 0], rax: 2, after: Flag.cf | Flag.of,
      defined: Flag.status & ~Flag.af),
    Example(
      description: "sar eax, cl", code: [0xD3, 0xF8], before: [0x8000_0000, 31, 0, 0], rax: 0xFFFF_FFFF,
      after: Flag.sf | Flag.pf, defined: Flag.status & ~(Flag.af | Flag.of)),
    Example(
      description: "shift by 0 keeps flags", code: [0xD3, 0xE0], before: [1, 32, 0, 0], flags: Flag.status,
      rax: 1, after: Flag.status),
    Example(
      description: "rcr rax, 1", code: [0x48, 0xD1, 0xD8], before: [1, 0, 0, 0], flags: Flag.cf, rax: 1 << 63,
      after: Flag.cf | Flag.of),
    Example(
      description: "shld eax, ecx, 8", code: [0x0F, 0xA4, 0xC8, 8], before: [0x1234_5678, 0xAB00_0000, 0, 0],
      rax: 0x3456_78AB, after: 0, defined: Flag.cf | Flag.sf | Flag.zf),
    Example(
      description: "bts eax, 3", code: [0x0F, 0xBA, 0xE8, 35], before: [0, 0, 0, 0], rax: 8, defined: Flag.cf),
    Example(
      description: "bsf eax, ecx", code: [0x0F, 0xBC, 0xC1], before: [0, 0x50, 0, 0], rax: 4, defined: Flag.zf
    ),
    Example(
      description: "movsx rax, cl", code: [0x48, 0x0F, 0xBE, 0xC1], before: [0, 0x80, 0, 0],
      rax: 0xFFFF_FFFF_FFFF_FF80),
    Example(
      description: "movzx eax, ch", code: [0x0F, 0xB6, 0xC5], before: [.max, 0xAB00, 0, 0], rax: 0xAB),
    Example(
      description: "cmovc clears the upper half", code: [0x0F, 0x42, 0xC1], before: [.max, 1, 0, 0],
      rax: 0xFFFF_FFFF),
    Example(
      description: "sete al", code: [0x0F, 0x94, 0xC0], before: [0xFF00, 0, 0, 0], flags: Flag.zf,
      rax: 0xFF01, after: Flag.zf),
    Example(
      description: "xadd eax, edx", code: [0x0F, 0xC1, 0xD0], before: [2, 0, 3, 0], rax: 5, rdx: 2,
      after: Flag.pf),
    Example(
      description: "cmpxchg ecx, edx", code: [0x0F, 0xB1, 0xD1], before: [7, 9, 3, 0], rax: 9, rdx: 3,
      after: Flag.cf | Flag.sf | Flag.af),
    Example(
      description: "bswap rax", code: [0x48, 0x0F, 0xC8], before: [0x0102_0304_0506_0708, 0, 0, 0],
      rax: 0x0807_0605_0403_0201),
    Example(description: "cqo", code: [0x48, 0x99], before: [1 << 63, 0, 0, 0], rax: 1 << 63, rdx: .max),
    Example(description: "cwde", code: [0x98], before: [0x8000, 0, 0, 0], rax: 0xFFFF_8000),
    Example(
      description: "lea eax, [rcx+rdx*4-1]", code: [0x8D, 0x44, 0x91, 0xFF], before: [0, 3, 2, 0], rax: 10,
      rdx: 2),
    Example(
      description: "sahf", code: [0x9E], before: [0xD500, 0, 0, 0], rax: 0xD500,
      after: Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf),
    Example(
      description: "lahf", code: [0x9F], before: [0, 0, 0, 0], flags: Flag.cf | Flag.sf, rax: 0x8300,
      after: Flag.cf | Flag.sf),
  ]

  @Test(arguments: examples) func integerInstruction(_ example: Example) throws {
    let outcome = try run(example.code) { state in
      for (index, value) in example.before.enumerated() { state.gpr[index] = value }
      state.pointee.rflags = example.flags
    }
    #expect(outcome.end == UInt32(NATIVE_ENDED))
    #expect(outcome.after.rip == UInt64(NATIVE_CODE) + 0x100 + UInt64(example.code.count))
    #expect(outcome.gpr(0) == example.rax)
    #expect(outcome.gpr(2) == example.rdx)
    #expect(outcome.after.rflags & example.defined == example.after & example.defined)
    #expect(outcome.line_count == 0)
  }

  @Test func everyRegisterGoesInAndOut() throws {
    let outcome = try run([0x90]) { state in
      for index in 0..<16 where index != 4 { state.gpr[index] = UInt64(index + 1) << 56 | 0x11 }
      for index in 0..<256 {
        state.fx.storeBytes(of: UInt8(index), toByteOffset: FXSAVE.xmm + index, as: UInt8.self)
      }
      state.pointee.rflags = Flag.df | Flag.of | Flag.pf
    }
    for index in 0..<16 where index != 4 { #expect(outcome.gpr(index) == UInt64(index + 1) << 56 | 0x11) }
    #expect(outcome.gpr(4) == Self.data + 0x1800)
    #expect(outcome.fx(FXSAVE.xmm, 256) == (0..<256).map { UInt8($0) })
    #expect(outcome.after.rflags & (Flag.status | Flag.df) == Flag.df | Flag.of | Flag.pf)
  }

  @Test func memoryIsSeen() throws {
    let push = try run([0x50]) { $0.gpr[0] = 0x1122_3344_5566_7788 }
    #expect(push.gpr(4) == Self.data + 0x17F8)
    #expect(
      (0..<8).map { push.memory(Self.data + 0x17F8 + $0) } == [
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      ])
    // rep movsb backwards
    let copy = try run([0xF3, 0xA4], memory: [1, 2, 3]) { state in
      state.gpr[6] = Self.data + 2
      state.gpr[7] = Self.data + 0x42
      state.gpr[1] = 3
      state.pointee.rflags = Flag.df
    }
    #expect((0..<3).map { copy.memory(Self.data + 0x40 + $0) } == [1, 2, 3])
    #expect(copy.gpr(1) == 0 && copy.gpr(6) == Self.data - 1 && copy.gpr(7) == Self.data + 0x3F)
    // What a case changes the next one does not see.
    let load = try run([0x8A, 0x04, 0x25, 0x40, 0x00, 0x00, 0x20])
    #expect(load.gpr(0) == UInt64(scratchContents[0x40]))
  }

  @Test func x87AndSSE() throws {
    let add = try run([0xD8, 0xC1]) { state in  // fadd st, st1: 1 + 2
      state.fx.storeBytes(of: 3, toByteOffset: FXSAVE.ftw, as: UInt16.self)
      for (index, exponent) in [UInt64(0x3FFF), 0x4000].enumerated() {
        state.fx.storeBytes(of: 1 << 63, toByteOffset: FXSAVE.st + index * 16, as: UInt64.self)
        state.fx.storeBytes(of: exponent, toByteOffset: FXSAVE.st + index * 16 + 8, as: UInt64.self)
      }
    }
    #expect(add.fx(FXSAVE.st, 10) == [0, 0, 0, 0, 0, 0, 0, 0xC0, 0x00, 0x40])
    let divide = try run([0xF2, 0x0F, 0x5E, 0xC1]) { state in  // divsd xmm0, xmm1: 1 / 3
      state.fx.storeBytes(of: 1.0, toByteOffset: FXSAVE.xmm, as: Double.self)
      state.fx.storeBytes(of: 3.0, toByteOffset: FXSAVE.xmm + 16, as: Double.self)
    }
    #expect(divide.fx(FXSAVE.xmm, 8) == [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xD5, 0x3F])
    #expect(divide.fx(FXSAVE.mxcsr, 2) == [0xA0, 0x1F])  // PE
  }

  @Test func compatibilityMode() throws {
    let outcome = try run([0x27], is32Bit: true) { state in  // daa
      state.gpr[0] = 0x9A
      state.gpr[15] = 0x1234_5678_9ABC
    }
    #expect(outcome.end == UInt32(NATIVE_ENDED) && outcome.gpr(0) == 0 && outcome.gpr(15) == 0x1234_5678_9ABC)
    #expect(outcome.after.rflags & (Flag.cf | Flag.af | Flag.zf) == Flag.cf | Flag.af | Flag.zf)
  }

  struct Fault: Sendable, CustomStringConvertible {
    var description: String
    var code: [UInt8]
    var vector: UInt32
    var error: UInt64 = 0
    var cr2: UInt64 = 0
    var rip: UInt64 = 0
  }

  static let faults: [Fault] = [
    Fault(description: "read of nothing", code: [0x8B, 0x04, 0x25, 0, 0, 0, 0], vector: 14, error: 4),
    Fault(
      description: "read across the end", code: [0x8B, 0x04, 0x25, 0xFE, 0x3F, 0x00, 0x20], vector: 14,
      error: 4, cr2: data + 0x4000),
    Fault(
      description: "write of nothing", code: [0x89, 0x04, 0x25, 0xFC, 0xFF, 0xFF, 0x1F], vector: 14, error: 6,
      cr2: data - 4),
    Fault(
      description: "write to read-only", code: [0x88, 0x04, 0x25, 0x10, 0x30, 0x00, 0x20], vector: 14,
      error: 7, cr2: data + 0x3010),
    Fault(
      description: "execution of data", code: [0xE9, 0xFB, 0xFE, 0xFF, 0x0F], vector: 14, error: 0x15,
      cr2: data, rip: data),
    Fault(description: "division by zero", code: [0xF7, 0xF1], vector: 0),
    Fault(description: "ud2", code: [0x0F, 0x0B], vector: 6),
    Fault(description: "lock on a register", code: [0xF0, 0x01, 0xC0], vector: 6),
    Fault(description: "hlt", code: [0xF4], vector: 13),
    Fault(description: "16 bytes", code: [UInt8](repeating: 0x3E, count: 15) + [0x90], vector: 13),
    Fault(description: "misaligned movaps", code: [0x0F, 0x28, 0x04, 0x25, 1, 0, 0, 0x20], vector: 13),
    Fault(
      description: "not canonical", code: [0x50 | 8, 0x8B, 0x08], vector: 13, rip: UInt64(NATIVE_CODE) + 0x101
    ),
    Fault(description: "int3", code: [0xCC], vector: 3, rip: UInt64(NATIVE_CODE) + 0x101),
  ]

  @Test(arguments: faults) func fault(_ fault: Fault) throws {
    var it = native_case(fault.code)
    // "Not canonical" pops this into RAX and loads from it.
    it.setMemory([0, 0, 0, 0, 0, 0, 0, 0x80], at: Self.data + 0x1800)
    var native = self.native
    let outcome = try native.run(it)
    #expect(outcome.end == UInt32(NATIVE_FAULTED))
    #expect(outcome.vector == fault.vector)
    #expect(outcome.error_code == fault.error)
    #expect(outcome.cr2 == fault.cr2)
    #expect(outcome.after.rip == (fault.rip == 0 ? UInt64(NATIVE_CODE) + 0x100 : fault.rip))
  }

  @Test func unmaskedFloatingPointExceptions() throws {
    let x87 = try run([0x9B]) { state in
      state.fx.storeBytes(of: 0x37B, toByteOffset: FXSAVE.fcw, as: UInt16.self)
      state.fx.storeBytes(of: 0x8084, toByteOffset: FXSAVE.fsw, as: UInt16.self)
    }
    #expect(x87.end == UInt32(NATIVE_FAULTED) && x87.vector == 16)
    let sse = try run([0xF3, 0x0F, 0x5E, 0xC1]) { state in  // divss: 1 / 0
      state.fx.storeBytes(of: 0x1D80, toByteOffset: FXSAVE.mxcsr, as: UInt32.self)
      state.fx.storeBytes(of: Float(1).bitPattern, toByteOffset: FXSAVE.xmm, as: UInt32.self)
    }
    #expect(sse.end == UInt32(NATIVE_FAULTED) && sse.vector == 19)
    #expect(sse.fx(FXSAVE.mxcsr, 2) == [0x84, 0x1D])
  }

  /// An endless loop and a dead child are told, and the cases around them have their results.
  @Test func lostCasesAreTold() throws {
    let cases = Batch<native_case>(count: 5)
    let outcomes = Batch<native_outcome>(count: 5)
    let increment: [UInt8] = [0xFF, 0xC0]
    let exit: [UInt8] = [0x31, 0xFF, 0xB8, 60, 0, 0, 0, 0x0F, 0x05]  // exit(0)
    for (index, code) in [increment, [0xEB, 0xFE], increment, exit, increment].enumerated() {
      cases.elements[index] = native_case(code)
    }
    try native.run(UnsafeBufferPointer(cases.elements), into: outcomes.elements)
    #expect(
      outcomes.elements.map(\.end)
        == [NATIVE_ENDED, NATIVE_HUNG, NATIVE_ENDED, NATIVE_CRASHED, NATIVE_ENDED].map { UInt32($0) })
    #expect([0, 2, 4].map { outcomes.elements[$0].gpr(0) } == [1, 1, 1])
    #expect(native.restarts == 1)
  }
}

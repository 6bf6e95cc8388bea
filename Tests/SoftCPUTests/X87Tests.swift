// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import SoftCPU

/// What the manuals say of x87 and MMX instructions, by hand.
@Suite struct X87Tests {
  private let processor = BareProcessor()
  private var cpu: CPU { processor.cpu }

  init() {
    cpu.initializeX87()
    cpu.rsi = processor.linear(0)
  }

  /// Executes an instruction, expecting no exception.
  private func run(_ opcode: UInt8, _ modRM: UInt8) {
    #expect(processor.execute(processor.x87(opcode, modRM)) == nil)
  }

  /// Executes an instruction with its operand at `offset`.
  private func run(_ opcode: UInt8, extension number: UInt8, at offset: Int) {
    cpu.rsi = processor.linear(offset)
    run(opcode, number << 3 | 6)
  }

  private func put<T: BitwiseCopyable>(_ value: T, at offset: Int = 0) {
    processor.memory.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }

  private func get<T: BitwiseCopyable>(_ offset: Int = 0, as type: T.Type) -> T {
    processor.memory.loadUnaligned(fromByteOffset: offset, as: T.self)
  }

  private func mmx(_ opcode: UInt8, _ modRM: UInt8, _ immediate: UInt8 = 0) -> UInt8? {
    let vector = VectorOpcode(map: .map0F, opcode: opcode, prefix: .none, modRM: modRM, isWide: false)
    guard let found = Decoder.mmxInstruction(vector) else { return 6 }
    var operation = Operation(handler: found.handler)
    operation.reg = (modRM >> 3 & 7) * 16
    operation.rm = (modRM & 7) * 16
    operation.flags = Operation.isRegister
    operation.immediate = UInt64(immediate)
    return processor.execute(operation)
  }

  // MARK: Numbers

  @Test func addsAndStores() {
    put(1.5)
    run(0xDD, extension: 0, at: 0)
    run(0xD9, 0xE8)  // FLD1
    run(0xDE, 0xC1)  // FADDP
    run(0xDD, extension: 3, at: 8)
    #expect(get(8, as: Double.self) == 2.5)
    #expect(cpu.tagWord == 0xFFFF && cpu.statusWord == 0)
  }

  @Test func roundsAsTheControlWordSays() {
    put(UInt16(0x0F7F))
    run(0xD9, extension: 5, at: 0)  // towards zero
    put(-2.75)
    run(0xDD, extension: 0, at: 0)
    run(0xDB, extension: 3, at: 16)  // FISTP m32
    #expect(get(16, as: Int32.self) == -2)
    #expect(cpu.statusWord & 0x220 == 0x20)
  }

  @Test func storesDecimals() {
    put(Int64(-123_456_789))
    run(0xDF, extension: 5, at: 0)
    run(0xDF, extension: 6, at: 16)  // FBSTP
    #expect(get(16, as: UInt64.self) == 0x1_2345_6789)
    #expect(get(24, as: UInt16.self) == 0x8000)
    run(0xDF, extension: 4, at: 16)  // FBLD
    run(0xDF, extension: 7, at: 0)
    #expect(get(0, as: Int64.self) == -123_456_789)
  }

  @Test func comparesIntoFlags() {
    run(0xD9, 0xE8)
    run(0xD9, 0xEE)  // ST0 = 0, ST1 = 1
    cpu.arithmeticFlags = Flag.arithmetic
    run(0xDB, 0xF1)  // FCOMI
    #expect(cpu.arithmeticFlags == Flag.carry)
    run(0xDF, 0xF0)  // FCOMIP with itself
    #expect(cpu.arithmeticFlags == Flag.zero)
    #expect(!cpu.isEmpty(0) && cpu.isEmpty(1))
  }

  // MARK: The stack

  @Test func overflowsWithTheIndefinite() {
    for _ in 0..<9 { run(0xD9, 0xE8) }
    #expect(cpu.st(0).pointee.significand == 0xC000_0000_0000_0000)
    #expect(cpu.st(0).pointee.exponent == 0xFFFF)
    #expect(cpu.statusWord == 0x3A41)
  }

  @Test func underflowsWithTheIndefinite() {
    run(0xD8, 0xC1)
    #expect(cpu.st(0).pointee.exponent == 0xFFFF && !cpu.isEmpty(0))
    #expect(cpu.statusWord == 0x0041)
  }

  // MARK: Exceptions

  @Test func reportsUnmaskedExceptionsLater() {
    put(UInt16(0x37B))  // division by zero is not masked
    run(0xD9, extension: 5, at: 0)
    run(0xD9, 0xE8)
    run(0xD9, 0xEE)
    run(0xDE, 0xF9)  // 1 / 0
    #expect(cpu.statusWord & 0x80FF == 0x8084)
    #expect(cpu.st(0).pointee.significand == 0 && cpu.st(1).pointee.exponent == 0x3FFF)
    #expect(processor.execute(processor.x87(0xD9, 0xE8)) == 16)
    #expect(mmx(0xEF, 0xC0) == 16)
    // Instructions that do not wait.
    run(0xDF, 0xE0)
    #expect(cpu.rax & 0x80FF == 0x8084)
    run(0xDB, 0xE2)
    run(0xD9, 0xE8)
  }

  @Test func isNotAvailable() {
    for bit in [ControlRegister0.emulation, ControlRegister0.taskSwitched] {
      let before = cpu.pointee.cr0
      cpu.pointee.cr0 |= bit
      for (opcode, modRM) in [(0xD9, 0xE8), (0xDB, 0xE3), (0xDF, 0xE0), (0xD8, 0x06)] as [(UInt8, UInt8)] {
        #expect(processor.execute(processor.x87(opcode, modRM)) == 7)
      }
      #expect(mmx(0xEF, 0xC0) == (bit == ControlRegister0.emulation ? 6 : 7))
      cpu.pointee.cr0 = before
    }
    #expect(cpu.tagWord == 0xFFFF)
  }

  @Test func undefinedOpcodes() {
    for (opcode, modRM) in [
      (0xD9, 0x0E), (0xD9, 0xD1), (0xDA, 0xE8), (0xDB, 0x26), (0xDB, 0xF8), (0xDD, 0xF0), (0xDE, 0xD8),
      (0xDF, 0xE1), (0xDF, 0xF8),
    ] as [(UInt8, UInt8)] {
      #expect(processor.execute(processor.x87(opcode, modRM)) == 6)
    }
  }

  // MARK: State

  /// The environment in each of its formats.
  @Test(arguments: [false, true], [false, true])
  func environment(isProtected: Bool, is32: Bool) {
    cpu.pointee.fip = 0x12345
    cpu.pointee.fcs = 0x8
    cpu.pointee.fdp = 0x6789
    cpu.pointee.fds = 0x10
    cpu.pointee.fop = 0x1E8
    cpu.pointee.top = 3
    cpu.pointee.x87Valid = 0x08
    cpu.st(0).pointee = .init(significand: 0, exponent: 0)
    cpu.pointee.mode.bits = (isProtected ? ExecutionMode.protected : 0) | (is32 ? ExecutionMode.code32 : 0)
    // FNSTENV, at the addresses of 64-bit code.
    run(0xD9, extension: 6, at: 128)
    let stride = is32 ? 4 : 2
    func field(_ index: Int) -> UInt32 {
      is32
        ? get(128 + index * stride, as: UInt32.self) : UInt32(get(128 + index * stride, as: UInt16.self))
    }
    let fields = (0..<7).map(field)
    #expect(fields[0] & 0xFFFF == 0x37F && fields[1] & 0xFFFF == 0x1800 && fields[2] & 0xFFFF == 0xFF7F)
    switch (isProtected, is32) {
    case (true, true): #expect(fields[3...5] == [0x12345, 0x1E8_0008, 0x6789])
    case (true, false): #expect(fields[3...] == [0x2345, 8, 0x6789, 0x10])
    default:
      // Linear addresses: 123C5, 6889.
      #expect(fields[3] & 0xFFFF == 0x23C5 && fields[4] == 0x11E8)
      #expect(fields[5] & 0xFFFF == 0x6889 && fields[6] == 0)
    }
  }

  @Test func savesAndRestores() {
    put(3.25)
    run(0xDD, extension: 0, at: 0)
    run(0xD9, 0xEB)
    let (status, tags) = (cpu.statusWord, cpu.tagWord)
    let numbers = (UInt8(0)..<8).map {
      [cpu.st($0).pointee.significand, UInt64(cpu.st($0).pointee.exponent)]
    }
    run(0xDD, extension: 6, at: 128)
    #expect(cpu.tagWord == 0xFFFF && cpu.statusWord == 0)
    run(0xDD, extension: 4, at: 128)
    #expect(cpu.statusWord == status && cpu.tagWord == tags)
    #expect(
      (UInt8(0)..<8).map { [cpu.st($0).pointee.significand, UInt64(cpu.st($0).pointee.exponent)] } == numbers)
    // And as an FXSAVE image.
    cpu.storeLegacyFloatingPoint(to: processor.memory)
    cpu.initializeX87()
    cpu.loadLegacyFloatingPoint(from: processor.memory)
    #expect(cpu.statusWord == status && cpu.tagWord == tags)
  }

  @Test func anyImageCanBeLoaded() {
    for byte: UInt8 in [0, 0x55, 0xFF] {
      processor.memory.initializeMemory(as: UInt8.self, repeating: byte, count: 512)
      cpu.loadLegacyFloatingPoint(from: processor.memory)
      #expect(cpu.controlWord & 0xE0C0 == 0x40 && cpu.pointee.top < 8)
      #expect((cpu.statusWord & 0x80 != 0) == (cpu.statusWord & ~cpu.controlWord & 0x3F != 0))
    }
  }

  // MARK: MMX

  @Test func mmxUsesTheRegistersOfTheStack() {
    run(0xD9, 0xE8)
    run(0xD9, 0xE8)  // the physical registers 7 and 6
    #expect(mmx(0x6F, 0xC7) == nil)  // MOVQ MM0, MM7
    #expect(cpu.mm(0) == 0x8000_0000_0000_0000)
    #expect(cpu.pointee.top == 0 && cpu.tagWord == 0x0556)
    #expect(cpu.st(0).pointee.exponent == 0xFFFF && cpu.st(7).pointee.exponent == 0x3FFF)
    #expect(mmx(0x77, 0xC0) == nil)
    #expect(cpu.tagWord == 0xFFFF)
  }

  @Test func mmxComputes() {
    cpu.setMM(0, 0x7FFF_8000_0001_FFFF)
    cpu.setMM(16, 0x0001_FFFF_0002_0001)
    #expect(mmx(0xED, 0xC1) == nil)  // PADDSW
    #expect(cpu.mm(0) == 0x7FFF_8000_0003_0000)
    #expect(mmx(0x71, 0xD0, 4) == nil)  // PSRLW MM0, 4
    #expect(cpu.mm(0) == 0x07FF_0800_0000_0000)
    #expect(mmx(0x70, 0xC8, 0x1B) == nil)  // PSHUFW MM1, MM0
    #expect(cpu.mm(16) == 0x0000_0000_0800_07FF)
    #expect(mmx(0x71, 0xC0, 4) == 6)
  }
}

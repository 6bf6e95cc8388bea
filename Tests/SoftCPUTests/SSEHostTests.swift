// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import SoftCPU

/// SSE, AES and PCLMULQDQ instructions on random states, compared with the host's processor bit by bit.
@Suite(.serialized) struct SSEHostTests {
  private typealias State = HostVectorInstruction.State

  private let seed: UInt64 = 0x5353_4531

  /// All of them, on registers and memory, each with many operands, rounding modes, DAZ and FTZ.
  @Test(.enabled(if: HostVectorInstruction.hostHasAll)) func all() throws {
    let host = try #require(HostVectorInstruction())
    let processor = BareProcessor()
    processor.cpu.pointee.cr4 = 0x600
    var random = SeededGenerator(seed: seed)
    var forms = 0
    var failures = 0
    for map in [OpcodeMap.map0F, .map0F38, .map0F3A] {
      for prefix in [MandatoryPrefix.none, .x66, .xF3, .xF2] {
        for opcode in UInt8.min...UInt8.max {
          for modRM in [0x0E, 0xCA] + ((0x71...0x73).contains(opcode) ? [0xD2, 0xDA, 0xE2, 0xF2, 0xFA] : []) {
            let wide = Bool.random(using: &random)
            let vector = VectorOpcode(
              map: map, opcode: opcode, prefix: prefix, modRM: UInt8(modRM), isWide: wide)
            // MASKMOVDQU stores at RDI.
            guard let found = Decoder.sseInstruction(vector), opcode != 0xF7 else { continue }
            forms += 1
            for _ in 0..<8 {
              guard let difference = compare(host, processor, vector, found, &random) else { continue }
              failures += 1
              if failures <= 20 { Issue.record("seed \(seed), \(vector): \(difference)") }
            }
          }
        }
      }
    }
    #expect(forms > 400)
    #expect(failures == 0)
  }

  /// An instruction whose exception is not masked does not take place.
  @Test func unmasked() throws {
    let processor = BareProcessor()
    let cpu = processor.cpu
    let divide = try #require(
      Decoder.sseInstruction(
        VectorOpcode(map: .map0F, opcode: 0x5E, prefix: .x66, modRM: 0xCA, isWide: false)))
    var operation = Operation(handler: divide.handler)
    (operation.reg, operation.rm, operation.flags) = (16, 32, Operation.isRegister)
    cpu.pointee.cr4 = 0x600
    cpu.pointee.mxcsr = 0x1F80 & ~0x200
    let ones = SIMD2(repeating: (1.0).bitPattern)
    cpu.setXMM(16, ones)
    cpu.setXMM(32, SIMD2<UInt64>(0, (3.0).bitPattern))
    cpu.activateSIMD()
    #expect(processor.execute(operation) == ExceptionVector.simdFloatingPoint.rawValue)
    cpu.deactivateSIMD()
    #expect(cpu.xmm(16) == ones)
    // ZE, and not PE, which the other lane would have had.
    #expect(cpu.pointee.mxcsr == 0x1D84)
    cpu.pointee.cr4 = 0x200
    cpu.activateSIMD()
    #expect(processor.execute(operation) == ExceptionVector.invalidOpcode.rawValue)
    cpu.deactivateSIMD()
    cpu.pointee.mxcsr = 0x1F80
    cpu.activateSIMD()
    #expect(processor.execute(operation) == nil)
    cpu.deactivateSIMD()
    #expect(cpu.xmm(16) == SIMD2(Double.infinity.bitPattern, (1.0 / 3).bitPattern))
    #expect(cpu.pointee.mxcsr == 0x1FA4)
  }

  /// What keeps the instructions from being executed, and misaligned operands.
  @Test func faults() throws {
    let processor = BareProcessor()
    let cpu = processor.cpu
    let move = try #require(
      Decoder.sseInstruction(
        VectorOpcode(map: .map0F, opcode: 0x28, prefix: .none, modRM: 0x0E, isWide: false)))
    var operation = Operation(handler: move.handler)
    (operation.reg, operation.base) = (16, 6 * 8)
    cpu.rsi = processor.linear(0)
    #expect(processor.execute(operation) == ExceptionVector.invalidOpcode.rawValue)
    cpu.pointee.cr4 = 0x200
    #expect(processor.execute(operation) == nil)
    cpu.pointee.cr0 |= 8
    #expect(processor.execute(operation) == ExceptionVector.deviceNotAvailable.rawValue)
    cpu.pointee.cr0 ^= 0xC
    #expect(processor.execute(operation) == ExceptionVector.invalidOpcode.rawValue)
    cpu.pointee.cr0 ^= 4
    cpu.rsi += 8
    #expect(processor.execute(operation) == ExceptionVector.generalProtection.rawValue)
  }

  // MARK: Comparison

  /// What is different after an instruction was executed here and there; nil if nothing is.
  private func compare(
    _ host: HostVectorInstruction, _ processor: BareProcessor, _ vector: VectorOpcode,
    _ found: VectorInstruction, _ random: inout SeededGenerator
  ) -> String? {
    let immediate = UInt8.random(in: .min ... .max, using: &random)
    let before = randomState(&random)
    let state = processor.memory.bindMemory(to: State.self, capacity: 1)

    state.pointee = before
    let raised = execute(processor, vector, found, immediate, state)
    if let raised { return "exception \(raised)" }
    let here = state.pointee

    state.pointee = before
    host.execute(bytes(vector, found, immediate), state)
    state.pointee.rflags = state.pointee.rflags & Flag.arithmetic | 2
    let there = state.pointee
    let isSame = withUnsafeBytes(of: here) { here in
      withUnsafeBytes(of: there) { there in here.elementsEqual(there) }
    }
    return isSame ? nil : "immediate \(immediate)\n\(before)\nhere  \(here)\nthere \(there)"
  }

  private func execute(
    _ processor: BareProcessor, _ vector: VectorOpcode, _ found: VectorInstruction, _ immediate: UInt8,
    _ state: UnsafeMutablePointer<State>
  ) -> UInt8? {
    let cpu = processor.cpu
    for register in 0..<3 { cpu.setXMM(UInt8(register * 16), state.pointee.xmm[register]) }
    for register in 0..<2 { cpu.setMM(UInt8(register * 16 + 16), state.pointee.mmx[register]) }
    (cpu.rax, cpu.rcx, cpu.rdx) = (state.pointee.rax, state.pointee.rcx, state.pointee.rdx)
    cpu.rsi = processor.linear(48)
    cpu.arithmeticFlags = state.pointee.rflags
    cpu.pointee.mxcsr = state.pointee.mxcsr

    var operation = Operation(handler: found.handler)
    operation.immediate = UInt64(immediate)
    operation.reg = (vector.modRM >> 3 & 7) * (found.reg == .general ? 8 : 16)
    if vector.isRegister {
      operation.flags = Operation.isRegister
      operation.rm = (vector.modRM & 7) * (found.rm == .general ? 8 : 16)
    } else {
      operation.base = 6 * 8
    }
    cpu.activateSIMD()
    let raised = processor.execute(operation)
    cpu.deactivateSIMD()

    for register in 0..<3 { state.pointee.xmm[register] = cpu.xmm(UInt8(register * 16)) }
    for register in 0..<2 { state.pointee.mmx[register] = cpu.mm(UInt8(register * 16 + 16)) }
    (state.pointee.rax, state.pointee.rcx, state.pointee.rdx) = (cpu.rax, cpu.rcx, cpu.rdx)
    state.pointee.rflags = cpu.arithmeticFlags | 2
    state.pointee.mxcsr = cpu.pointee.mxcsr
    return raised
  }

  private func bytes(_ vector: VectorOpcode, _ found: VectorInstruction, _ immediate: UInt8) -> [UInt8] {
    let prefix: [UInt8] =
      switch vector.prefix {
      case .none: []
      case .x66: [0x66]
      case .xF3: [0xF3]
      case .xF2: [0xF2]
      }
    let escape: [UInt8] =
      switch vector.map {
      case .map0F: [0x0F]
      case .map0F38: [0x0F, 0x38]
      case .map0F3A: [0x0F, 0x3A]
      }
    return prefix + (vector.isWide ? [0x48] : []) + escape + [vector.opcode, vector.modRM]
      + (found.hasImmediate ? [immediate] : [])
  }

  // MARK: Values

  private func randomState(_ random: inout SeededGenerator) -> State {
    var state = State()
    for register in 0..<3 {
      state.xmm[register] = SIMD2(randomValue(&random), randomValue(&random))
    }
    state.memory = SIMD2(randomValue(&random), randomValue(&random))
    state.mmx = [randomValue(&random), randomValue(&random)]
    state.rcx = randomValue(&random)
    state.rax = Bool.random(using: &random) ? UInt64.random(in: 0...20, using: &random) : randomValue(&random)
    state.rdx = Bool.random(using: &random) ? UInt64.random(in: 0...20, using: &random) : randomValue(&random)
    state.rflags = random.next() & Flag.arithmetic | 2
    state.mxcsr = UInt32(truncatingIfNeeded: random.next()) & 0xFFFF | MXCSR.masks
    return state
  }

  /// Anything, and what is special as a single, a double or a string.
  private func randomValue(_ random: inout SeededGenerator) -> UInt64 {
    switch UInt8.random(in: 0..<7, using: &random) {
    case 0: return random.next()
    case 1: return random.next() & 0x0303_0303_0303_0303
    case 2, 3: return UInt64(randomSingle(&random)) | UInt64(randomSingle(&random)) << 32
    case 4, 5:
      let signExponent = [0, 1, 0x36A, 0x381, 0x3FF, 0x41E, 0x43E, 0x47E, 0x7FE, 0x7FF].randomElement(
        using: &random)
      let fraction: UInt64? = [0, 1, 0xF_FFFF_FFFF_FFFF, 0x8_0000_0000_0000, random.next() >> 12]
        .randomElement(
          using: &random)
      return UInt64(signExponent ?? 0) << 52 | (fraction ?? 0) | random.next() & 1 << 63
    default: return Double.random(in: -3e9...3e9, using: &random).bitPattern
    }
  }

  private func randomSingle(_ random: inout SeededGenerator) -> UInt32 {
    let exponent = [0, 1, 0x3F, 0x7E, 0x7F, 0x80, 0x96, 0x9E, 0xBE, 0xFE, 0xFF].randomElement(using: &random)
    let fraction: UInt32? = [
      0, 1, 0x7F_FFFF, 0x40_0000, UInt32(truncatingIfNeeded: random.next() >> 41),
    ].randomElement(using: &random)
    return UInt32(exponent ?? 0) << 23 | (fraction ?? 0) | UInt32(truncatingIfNeeded: random.next()) & 1 << 31
  }
}

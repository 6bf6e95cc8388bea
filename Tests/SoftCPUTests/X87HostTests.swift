// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import TestSupport
import Testing

@testable import SoftCPU

/// x87 and MMX instructions on random states, compared with the host's processor bit by bit.
@Suite(.serialized, .enabled(if: HostInstruction.hostIsAMD)) struct X87HostTests {
  private let processor = BareProcessor()
  private let image = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 16)
  /// Offsets on the processor's second page.
  private let savedOffset = 4096

  /// All x87 instructions, each with many operands.
  @Test func x87() throws {
    let host = try #require(HostInstruction())
    defer { image.deallocate() }
    var random = SeededGenerator(seed: seed)
    var failures = 0
    for round in 0..<rounds(20) {
      for opcode in UInt8(0xD8)...0xDF {
        let memoryForms = (UInt8(0)..<8).map { $0 << 3 | 6 }
        for modRM in memoryForms + Array(0xC0...0xFF) {
          if isUndefined(opcode, modRM) { continue }
          let isControl = isControl(opcode, modRM)
          let difference = compare(
            host, [opcode, modRM], processor.x87(opcode, modRM),
            pointers: isControl ? 0 : modRM < 0xC0 ? 2 : 1,
            &random)
          if let difference {
            failures += 1
            if failures <= 40 {
              Issue.record(
                "\(hex(UInt64(opcode), 2)) \(hex(UInt64(modRM), 2)), round \(round): \(difference)")
            }
          }
        }
      }
    }
    #expect(failures == 0)
  }

  /// All MMX instructions, each with many operands.
  @Test func mmx() throws {
    let host = try #require(HostInstruction())
    defer { image.deallocate() }
    var random = SeededGenerator(seed: seed)
    var failures = 0
    for round in 0..<rounds(6) {
      for map in [OpcodeMap.map0F, .map0F38, .map0F3A] {
        for opcode in UInt8(0)...255 where !(map == .map0F && opcode == 0xF7) {
          for modRM: UInt8 in [0x06, 0x1E, 0xC0, 0xC1, 0xD0, 0xDC, 0xE0, 0xEB, 0xF0, 0xFE] {
            let vector = VectorOpcode(
              map: map, opcode: opcode, prefix: .none, modRM: modRM, isWide: round % 2 == 1)
            guard let found = Decoder.mmxInstruction(vector) else { continue }
            // RAX is the only general register that is set.
            if found.reg == .general && modRM >> 3 & 7 != 0 || found.rm == .general && modRM >= 0xC1 {
              continue
            }
            let escape: [UInt8] = map == .map0F ? [0x0F] : map == .map0F38 ? [0x0F, 0x38] : [0x0F, 0x3A]
            var bytes = (vector.isWide ? [0x48] : []) + escape + [opcode] + (opcode == 0x77 ? [] : [modRM])
            var operation = Operation(handler: found.handler)
            operation.detail = modRM
            operation.reg = found.reg == .general ? 0 : (modRM >> 3 & 7) * 16
            if modRM >= 0xC0 {
              operation.flags = Operation.isRegister
              operation.rm = found.rm == .general ? 0 : (modRM & 7) * 16
            } else {
              operation.base = 6 * 8
            }
            if found.hasImmediate {
              let immediate = UInt8(truncatingIfNeeded: random.next()) & (round % 3 == 0 ? 0xFF : 0x1F)
              operation.immediate = UInt64(immediate)
              bytes.append(immediate)
            }
            if let difference = compare(host, bytes, operation, pointers: 0, &random) {
              failures += 1
              if failures <= 40 {
                Issue.record("\(bytes.map { hex(UInt64($0), 2) }), round \(round): \(difference)")
              }
            }
          }
        }
      }
    }
    #expect(failures == 0)
  }

  /// MARTLET_SEED chooses others.
  private var seed: UInt64 {
    environment("MARTLET_SEED") ?? 87
  }

  private func environment(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  // MARK: Comparing

  /// Executes an instruction on a random state here and there.
  /// - Parameter pointers: 0 if the pointers to the last instruction stay, 1 if that to the operand does.
  /// - Returns: what differs.
  private func compare(
    _ host: HostInstruction, _ bytes: [UInt8], _ operation: Operation, pointers: Int,
    _ random: inout SeededGenerator
  ) -> String? {
    let cpu = processor.cpu
    makeState(&random)
    let isUnsafeToLoad = bytes[0] == 0xD9 && bytes[1] == 0x26 || bytes[0] == 0xDD && bytes[1] == 0x26
    makeOperand(&random, environment: isUnsafeToLoad)
    let operand = [UInt8](UnsafeRawBufferPointer(start: processor.memory, count: 128))
    let flags = random.next() & Flag.arithmetic | 0x202
    let rax = random.next()
    var registers = [flags, rax]

    // Here.
    cpu.loadLegacyFloatingPoint(from: image, wide: true)
    cpu.arithmeticFlags = flags
    cpu.rax = rax
    cpu.rsi = processor.linear(0)
    cpu.pointee.blockStart = host.address
    let before = describeState()
    let exception = processor.execute(operation)
    let flagsHere = cpu.arithmeticFlags
    let raxHere = cpu.rax
    cpu.rsi = processor.linear(savedOffset)
    _ = processor.execute(processor.x87(0xDD, 0x36))
    let memoryHere = [UInt8](UnsafeRawBufferPointer(start: processor.memory, count: 128))
    let savedHere = [UInt8](UnsafeRawBufferPointer(start: processor.memory + savedOffset, count: 108))
    if let exception { return "exception \(exception); \(before)" }

    // There.
    processor.memory.copyMemory(from: operand, byteCount: 128)
    registers.withUnsafeMutableBytes { registers in
      guard let base = registers.baseAddress else { return }
      host.execute(
        bytes, image: image, memory: processor.memory, registers: base,
        saved: processor.memory + savedOffset)
    }
    let memoryThere = [UInt8](UnsafeRawBufferPointer(start: processor.memory, count: 128))
    let savedThere = [UInt8](UnsafeRawBufferPointer(start: processor.memory + savedOffset, count: 108))

    var differences: [String] = []
    // Where no exception is pending, some hosts lose the pointers when they switch tasks.
    let hasPointers = savedThere[12..<24].contains { $0 != 0 }
    for (name, range) in fields {
      if !hasPointers && (12..<24).contains(range.lowerBound) { continue }
      if name.hasPrefix("instruction") && pointers < 1 || name.hasPrefix("data") && pointers < 2 { continue }
      if savedHere[range] != savedThere[range] {
        differences.append("\(name) is \(number(savedHere[range])), not \(number(savedThere[range]))")
      }
    }
    // An environment that is stored holds pointers which the host may have lost.
    let isEnvironment = bytes[0] == 0xD9 && bytes[1] == 0x36 || bytes[0] == 0xDD && bytes[1] == 0x36
    let compared = isEnvironment ? Array(0..<12) + Array(28..<128) : Array(0..<128)
    if compared.contains(where: { memoryHere[$0] != memoryThere[$0] }) {
      differences.append("memory is \(number(memoryHere[0..<16])), not \(number(memoryThere[0..<16]))")
    }
    if flagsHere != registers[0] & Flag.arithmetic {
      differences.append("flags are \(hex(flagsHere, 3)), not \(hex(registers[0] & Flag.arithmetic, 3))")
    }
    if raxHere != registers[1] {
      differences.append("RAX is \(hex(raxHere, 16)), not \(hex(registers[1], 16))")
    }
    if differences.isEmpty { return nil }
    return differences.joined(separator: "; ") + "; before: " + before + ", memory \(number(operand[0..<16]))"
  }

  /// What is compared of the FNSAVE image: not the selectors, which the host loses when it switches tasks.
  private var fields: [(String, Range<Int>)] {
    [
      ("control", 0..<4), ("status", 4..<8), ("tags", 8..<12), ("instruction pointer", 12..<16),
      ("instruction opcode", 18..<20), ("data pointer", 20..<24),
    ] + (0..<8).map { ("ST\($0)", 28 + $0 * 10..<38 + $0 * 10) }
  }

  private func describeState() -> String {
    let cpu = processor.cpu
    var words = [
      hex(UInt64(cpu.controlWord), 4), hex(UInt64(cpu.statusWord), 4), hex(UInt64(cpu.tagWord), 4),
    ]
    for index in UInt8(0)..<8 {
      let number = cpu.st(index).pointee
      words.append(hex(UInt64(number.exponent), 4) + "_" + hex(number.significand, 16))
    }
    return words.joined(separator: " ")
  }

  // MARK: Making states

  /// A random state without pending exceptions, as an FXSAVE image.
  private func makeState(_ random: inout SeededGenerator) {
    image.initializeMemory(as: UInt8.self, repeating: 0, count: 512)
    let bits = random.next()
    var control = UInt16(truncatingIfNeeded: bits) & 0x0F00
    control |= bits >> 16 & 1 == 0 ? 0x3F : UInt16(truncatingIfNeeded: bits >> 17) & 0x3F
    // Precision control 1 is reserved.
    if control & 0x300 == 0x100 { control |= 0x200 }
    let status = UInt16(truncatingIfNeeded: bits >> 32) & 0x7F7F & (control | 0xFF40)
    image.storeBytes(of: control | 0x40, as: UInt16.self)
    image.storeBytes(of: status, toByteOffset: 2, as: UInt16.self)
    let tags: UInt8 =
      bits >> 50 & 3 == 0 ? UInt8(truncatingIfNeeded: bits >> 52) : bits >> 50 & 1 == 0 ? 0x7F : 0xFF
    image.storeBytes(of: tags, toByteOffset: 4, as: UInt8.self)
    image.storeBytes(of: 0x1F80, toByteOffset: 24, as: UInt32.self)
    for index in 0..<8 {
      let (significand, exponent) = makeNumber(&random)
      image.storeBytes(of: significand, toByteOffset: 32 + index * 16, as: UInt64.self)
      image.storeBytes(of: exponent, toByteOffset: 40 + index * 16, as: UInt16.self)
    }
  }

  /// A number of any kind, those of moderate size more often.
  private func makeNumber(_ random: inout SeededGenerator) -> (UInt64, UInt16) {
    let bits = random.next()
    let sign = UInt16(bits & 1) << 15
    var significand = random.next()
    switch bits >> 1 & 7 {
    case 0: significand = 0x8000_0000_0000_0000
    case 1: significand &= 0xFFFF_0000_0000_0000
    case 2: significand = ~0 << (significand & 63)
    case 3: significand = 0
    default: break
    }
    let wide = UInt16(truncatingIfNeeded: bits >> 32)
    switch bits >> 4 & 15 {
    case 0: return (0, sign)
    case 1: return (significand, sign)
    case 2: return (significand | 1 << 63, sign | 0x7FFF)
    case 3: return (1 << 63, sign | 0x7FFF)
    case 4: return (significand, sign | wide & 0x7FFF)
    case 5: return (significand | 1 << 63, sign | wide & 0x7FFF)
    case 6: return (significand | 1 << 63, sign | 0x3FFF &+ wide & 0x3F)
    case 7: return (significand | 1 << 63, sign | 0x3FC0 &+ wide & 0x7F)
    case 8: return (significand | 1 << 63, sign | 0x3F80 &+ wide & 0xFF)
    case 9:
      return (
        significand | 1 << 63, sign | (wide & 1 == 0 ? 0x7FE0 &+ wide >> 1 & 0x1F : 1 &+ wide >> 1 & 0x3F)
      )
    case 10: return (1 << 63, sign | 0x3FFF)
    default: return (significand | 1 << 63, sign | 0x3FF8 &+ wide & 0xF)
    }
  }

  private func makeOperand(_ random: inout SeededGenerator, environment: Bool) {
    let memory = processor.memory
    for offset in stride(from: 0, to: 128, by: 8) {
      memory.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
    }
    let (significand, exponent) = makeNumber(&random)
    let kind = random.next()
    switch kind & 7 {
    case 0, 1:
      memory.storeBytes(of: significand, as: UInt64.self)
      memory.storeBytes(of: exponent, toByteOffset: 8, as: UInt16.self)
    case 2:
      memory.storeBytes(of: 0, as: UInt64.self)
      memory.storeBytes(of: UInt8(truncatingIfNeeded: kind >> 8) & 0x80, toByteOffset: 9, as: UInt8.self)
    case 3:
      let float: [UInt64] = [
        0x3F80_0000, 0x7F80_0000, 0xFF80_0001, 0x7FC0_0000, 1, 0x8000_0000, 0x7F7F_FFFF, 0xBF80_0000,
      ]
      memory.storeBytes(of: float[Int(kind >> 8 & 7)], as: UInt64.self)
    case 4:
      let double: [UInt64] = [
        0x3FF0 << 48, 0x7FF0 << 48, 0xFFF0 << 48 | 1, 0x7FF8 << 48, 1 << 63, 1, ~0 >> 12, 0xBFF0 << 48,
      ]
      memory.storeBytes(of: double[Int(kind >> 8 & 7)], as: UInt64.self)
    case 5:
      // Decimal digits.
      for offset in 0..<10 {
        let byte = UInt8(truncatingIfNeeded: memory.load(fromByteOffset: offset, as: UInt8.self))
        memory.storeBytes(of: byte & 0x70 % 0xA0 | byte & 7, toByteOffset: offset, as: UInt8.self)
      }
    default: break
    }
  }

  // MARK: The instructions

  private func isUndefined(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
    switch (opcode, modRM) {
    case (0xD9, 0x0E), (0xDB, 0x26), (0xDB, 0x36), (0xDD, 0x2E): true
    case (0xD9, 0xD1...0xD7), (0xD9, 0xE2), (0xD9, 0xE3), (0xD9, 0xE6), (0xD9, 0xE7), (0xD9, 0xEF): true
    case (0xDA, 0xE0...0xE8), (0xDA, 0xEA...0xFF), (0xDB, 0xE5...0xE7), (0xDB, 0xF8...0xFF): true
    case (0xDD, 0xF0...0xFF), (0xDE, 0xD8), (0xDE, 0xDA...0xDF), (0xDF, 0xE1...0xE7), (0xDF, 0xF8...0xFF):
      true
    default: false
    }
  }

  /// Instructions that leave the pointers to the last instruction alone.
  private func isControl(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
    switch (opcode, modRM) {
    case (0xD9, 0x26), (0xD9, 0x2E), (0xD9, 0x36), (0xD9, 0x3E), (0xDB, 0xE0...0xE7): true
    case (0xDD, 0x26), (0xDD, 0x36), (0xDD, 0x3E), (0xDF, 0xE0): true
    default: false
    }
  }

  /// How often each form is tried: MARTLET_TORTURE multiplies it.
  private func rounds(_ count: Int) -> Int {
    count * (Int(environment("MARTLET_TORTURE") ?? 1))
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.reversed().map { hex(UInt64($0), 2) }.joined()
  }

  private func hex(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}

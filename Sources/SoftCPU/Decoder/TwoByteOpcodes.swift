// SPDX-License-Identifier: GPL-2.0-or-later

/// The two-byte opcode map, 0F xx (SDM volume 2, table A-3), and the general instructions of the three-byte
/// maps. MMX and SSE instructions are in the vector tables.
extension Decoder {
  mutating func decodeTwoByte(_ opcode: UInt8) {
    switch opcode {
    case 0x00: decodeGroup6()
    case 0x01: decodeGroup7()
    case 0x02, 0x03:
      fetchModRM(operandSize, rm: .word)
      guard mode.isProtected, !mode.isVirtual8086 else { return undefined() }
      operation.handler =
        opcode == 0x02 ? ProtectionHandlers.lar[operandSize] : ProtectionHandlers.lsl[operandSize]
    case 0x05, 0x07:
      guard has(.syscall) else { return undefined() }
      end(opcode == 0x05 ? FastCallHandlers.syscall : FastCallHandlers.sysret)
    case 0x06: end(SystemHandlers.clts)
    case 0x08: end(SystemHandlers.invd)
    case 0x09: end(SystemHandlers.wbinvd)
    case 0x0D, 0x18...0x1F:
      // Prefetches and hints.
      fetchModRM(operandSize)
      if opcode == 0x0D || opcode == 0x18, isRegister, opcode == 0x0D { return undefined() }
      operation.handler = MiscellaneousHandlers.nop
    case 0x20...0x23:
      modRM = fetch8()
      operation.detail = regNumber
      operation.rm = (modRM & 7 | (rex & 1) << 3) * 8
      switch opcode {
      case 0x20: operation.handler = ControlRegisterHandlers.read
      case 0x21: operation.handler = ControlRegisterHandlers.readDebug
      case 0x22: end(ControlRegisterHandlers.write)
      default: end(ControlRegisterHandlers.writeDebug)
      }
      // LOCK MOV CR0 is AMD's way to CR8; there is none here.
      allowsLock = false
    case 0x30: end(SystemHandlers.wrmsr)
    case 0x31:
      guard has(.timeStamp) else { return undefined() }
      operation.handler = SystemHandlers.rdtsc
    case 0x32: end(SystemHandlers.rdmsr)
    case 0x33: operation.handler = SystemHandlers.rdpmc
    case 0x34, 0x35:
      guard has(.sysenter) else { return undefined() }
      end(opcode == 0x34 ? FastCallHandlers.sysenter : FastCallHandlers.sysexit)
    case 0x38: decodeMap38(fetch8())
    case 0x3A: decodeVector(.map0F3A, fetch8())
    case 0x40...0x4F:
      guard has(.conditionalMove) else { return undefined() }
      fetchModRM(operandSize)
      operation.detail = opcode & 15
      operation.handler = ConditionHandlers.move[operandSize]
    case 0x80...0x8F:
      fetchTarget(branchSize == .word ? .word : .dword)
      operation.handler = ConditionHandlers.jump[Int(opcode & 15)]
    case 0x90...0x9F:
      fetchModRM(.byte)
      operation.handler = ConditionHandlers.set[Int(opcode & 15)]
    case 0xA0, 0xA8:
      operation.detail = opcode == 0xA0 ? 4 : 5
      operation.handler = SegmentHandlers.push[stackSize]
    case 0xA1, 0xA9:
      operation.detail = opcode == 0xA1 ? 4 : 5
      end(SegmentHandlers.pop[stackSize])
    case 0xA2: end(SystemHandlers.cpuid)
    case 0xA3, 0xAB, 0xB3, 0xBB:
      allowsLock = opcode != 0xA3
      fetchModRM(operandSize)
      operation.handler = BitHandlers.group8[Int(opcode >> 3 & 3)][operandSize]
    case 0xA4, 0xA5, 0xAC, 0xAD:
      fetchModRM(operandSize)
      if opcode & 1 == 0 { operation.immediate = UInt64(fetch8()) } else { operation.detail = 1 }
      operation.handler = opcode < 0xA8 ? ShiftHandlers.shld[operandSize] : ShiftHandlers.shrd[operandSize]
    case 0xAE: decodeGroup15()
    case 0xAF:
      fetchModRM(operandSize)
      operation.handler = MultiplyHandlers.imulInto[operandSize]
    case 0xB0, 0xB1:
      allowsLock = true
      let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
      fetchModRM(size)
      operation.handler = MoveHandlers.cmpxchg[size]
    case 0xB2, 0xB4, 0xB5:
      fetchModRM(operandSize)
      guard !isRegister else { return undefined() }
      operation.detail = opcode == 0xB2 ? 2 : opcode & 7
      end(SegmentHandlers.loadPointer[operandSize])
    case 0xB6, 0xB7, 0xBE, 0xBF:
      fetchModRM(operandSize, rm: opcode & 1 == 0 ? .byte : .word)
      switch opcode {
      case 0xB6: operation.handler = MoveHandlers.zeroExtendByte[operandSize]
      case 0xB7: operation.handler = MoveHandlers.zeroExtendWord[operandSize]
      case 0xBE: operation.handler = MoveHandlers.signExtendByte[operandSize]
      default: operation.handler = MoveHandlers.signExtendWord[operandSize]
      }
    case 0xB8:
      guard repeatPrefix == Operation.repeatEqual, has(.populationCount) else { return undefined() }
      fetchModRM(operandSize)
      operation.handler = BitHandlers.popcnt[operandSize]
    case 0xBA:
      fetchModRM(operandSize)
      guard regField >= 4 else { return undefined() }
      allowsLock = regField > 4
      operation.immediate = UInt64(fetch8())
      operation.detail = 1
      operation.handler = BitHandlers.group8[Int(regField & 3)][operandSize]
    case 0xBC, 0xBD:
      fetchModRM(operandSize)
      // Without TZCNT and LZCNT the prefix means nothing.
      let isCount =
        repeatPrefix == Operation.repeatEqual && has(opcode == 0xBC ? .bmi1 : .leadingZeroCount)
      operation.handler =
        opcode == 0xBC
        ? (isCount ? BitHandlers.tzcnt : BitHandlers.bsf)[operandSize]
        : (isCount ? BitHandlers.lzcnt : BitHandlers.bsr)[operandSize]
    case 0xC0, 0xC1:
      allowsLock = true
      let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
      fetchModRM(size)
      operation.handler = MoveHandlers.xadd[size]
    case 0xC3 where repeatPrefix == 0 && !hasOperandPrefix:
      // MOVNTI.
      fetchModRM(operandSize)
      guard !isRegister, has(.sse2) else { return undefined() }
      operation.handler = MoveHandlers.memoryRegister[operandSize]
    case 0xC7: decodeGroup9()
    case 0xC8...0xCF:
      operation.rm = (opcode & 7 | (rex & 1) << 3) * 8
      operation.handler = MoveHandlers.bswap[operandSize]
    case 0x0B, 0xB9, 0xFF:
      if opcode != 0x0B { fetchModRM(operandSize) }
      undefined()
    default: decodeVector(.map0F, opcode)
    }
  }

  /// SLDT, STR, LLDT, LTR, VERR, VERW.
  private mutating func decodeGroup6() {
    fetchModRM(operandSize)
    guard mode.isProtected, !mode.isVirtual8086 else { return undefined() }
    switch regField {
    case 0: operation.handler = TableHandlers.sldt
    case 1: operation.handler = TableHandlers.str
    case 2: end(TableHandlers.lldt)
    case 3: end(TableHandlers.ltr)
    case 4: operation.handler = ProtectionHandlers.verr
    case 5: operation.handler = ProtectionHandlers.verw
    default: undefined()
    }
  }

  /// SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG, and what the register forms stand for.
  private mutating func decodeGroup7() {
    fetchModRM(operandSize)
    if isRegister {
      switch modRM {
      case 0xCA where has(.supervisorAccessPrevention): end(SystemHandlers.clac)
      case 0xCB where has(.supervisorAccessPrevention): end(SystemHandlers.stac)
      case 0xD0 where has(.xsave): operation.handler = SystemHandlers.xgetbv
      case 0xD1 where has(.xsave): end(SystemHandlers.xsetbv)
      case 0xF8 where isLong: end(SystemHandlers.swapgs)
      case 0xF9 where has(.rdtscp): operation.handler = SystemHandlers.rdtscp
      case _ where regField == 4: operation.handler = ControlRegisterHandlers.smsw
      case _ where regField == 6: end(ControlRegisterHandlers.lmsw)
      default: undefined()
      }
      return
    }
    switch regField {
    case 0: operation.handler = TableHandlers.sgdt
    case 1: operation.handler = TableHandlers.sidt
    case 2: end(TableHandlers.lgdt)
    case 3: end(TableHandlers.lidt)
    case 4: operation.handler = ControlRegisterHandlers.smsw
    case 6: end(ControlRegisterHandlers.lmsw)
    case 7: end(SystemHandlers.invlpg)
    default: undefined()
    }
  }

  /// CMPXCHG8B/16B, RDRAND, RDSEED, RDPID.
  private mutating func decodeGroup9() {
    fetchModRM(operandSize)
    if isRegister {
      switch regField {
      case 6 where repeatPrefix == 0 && has(.rdrand): operation.handler = SystemHandlers.rdrand[operandSize]
      case 7 where repeatPrefix == 0 && has(.rdseed): operation.handler = SystemHandlers.rdrand[operandSize]
      default: undefined()
      }
    } else if regField == 1, has(isWide ? .compareExchange16 : .compareExchange8) {
      allowsLock = true
      operation.handler = isWide ? MoveHandlers.cmpxchg16b : MoveHandlers.cmpxchg8b
    } else {
      undefined()
    }
  }

  private static let group15: [InstructionSets] = [
    .fxsave, .fxsave, .sse, .sse, .xsave, .xsave, .xsaveopt, .cacheLineFlush,
  ]

  /// FXSAVE and its kin, fences, CLFLUSH, and the FS and GS base instructions.
  private mutating func decodeGroup15() {
    fetchModRM(operandSize)
    if isRegister {
      if repeatPrefix == Operation.repeatEqual {
        guard isLong, regField < 4, has(.fsgsbase) else { return undefined() }
        operation.detail = regField
        return end(SegmentHandlers.base[operandSize])
      }
      // LFENCE and MFENCE; SFENCE.
      guard regField >= 5, !hasOperandPrefix, repeatPrefix == 0, has(regField == 7 ? .sse : .sse2) else {
        return undefined()
      }
      return operation.handler = MiscellaneousHandlers.nop
    }
    guard repeatPrefix == 0, has(Self.group15[Int(regField)]) else { return undefined() }
    switch regField {
    case 0: operation.handler = FloatingPointStateHandlers.fxsave
    case 1: operation.handler = FloatingPointStateHandlers.fxrstor
    case 2: operation.handler = FloatingPointStateHandlers.ldmxcsr
    case 3: operation.handler = FloatingPointStateHandlers.stmxcsr
    case 4: operation.handler = FloatingPointStateHandlers.xsave
    case 5: operation.handler = FloatingPointStateHandlers.xrstor
    case 6: operation.handler = FloatingPointStateHandlers.xsaveopt
    default: operation.handler = FloatingPointStateHandlers.clflush
    }
  }

  // MARK: Three-byte maps

  private mutating func decodeMap38(_ opcode: UInt8) {
    guard opcode >= 0xF0 else { return decodeVector(.map0F38, opcode) }
    switch (opcode, repeatPrefix) {
    case (0xF0, Operation.repeatNotEqual), (0xF1, Operation.repeatNotEqual):
      let size = opcode == 0xF0 ? OperandSize.byte : operandSize
      guard has(.sse42) else { return undefined() }
      fetchModRM(.dword, rm: size)
      operation.handler = BitHandlers.crc[size]
    case (0xF0, 0), (0xF1, 0):
      fetchModRM(operandSize)
      guard !isRegister, has(.movbe) else { return undefined() }
      operation.handler =
        opcode == 0xF0 ? MoveHandlers.movbeLoad[operandSize] : MoveHandlers.movbeStore[operandSize]
    case (0xF6, Operation.repeatEqual) where has(.adx):
      fetchModRM(isWide ? .qword : .dword)
      operation.handler = BitHandlers.adox[isWide ? .qword : .dword]
    case (0xF6, 0) where hasOperandPrefix && has(.adx):
      fetchModRM(isWide ? .qword : .dword)
      operation.handler = BitHandlers.adcx[isWide ? .qword : .dword]
    default:
      undefined()
    }
  }

  private mutating func decodeVector(_ map: OpcodeMap, _ opcode: UInt8) {
    if map == .map0F, opcode == 0x77 {
      // EMMS has no ModRM byte.
      let emms = VectorOpcode(map: map, opcode: opcode, prefix: .none, modRM: 0xC0, isWide: false)
      guard repeatPrefix == 0, !hasOperandPrefix, has(.mmx), let found = Self.mmxInstruction(emms) else {
        return undefined()
      }
      return operation.handler = found.handler
    }
    modRM = fetch8()
    let prefix: MandatoryPrefix =
      repeatPrefix == Operation.repeatEqual
      ? .xF3 : repeatPrefix == Operation.repeatNotEqual ? .xF2 : hasOperandPrefix ? .x66 : .none
    let vector = VectorOpcode(
      map: map, opcode: opcode, prefix: prefix, modRM: modRM, isWide: isWide && isLong)
    guard let found = Self.sseInstruction(vector) ?? Self.mmxInstruction(vector), has(vector.instructionSet)
    else { return undefined() }
    decodeRM()
    operation.reg = vectorOffset(regNumber, found.reg)
    if isRegister { operation.rm = vectorOffset(modRM & 7 | (rex & 1) << 3, found.rm) }
    // MASKMOVQ and MASKMOVDQU store at DS:rDI.
    if map == .map0F, opcode == 0xF7 { setSegment(3) }
    operation.detail = modRM
    if found.hasImmediate { operation.immediate = UInt64(fetch8()) }
    operation.handler = found.handler
  }

  private func vectorOffset(_ number: UInt8, _ operand: VectorOperand) -> UInt8 {
    switch operand {
    case .general: number * 8
    case .mmx: (number & 7) * 16
    case .xmm: number * 16
    }
  }

  // MARK: VEX

  /// The VEX-encoded instructions on general registers: BMI1 and BMI2.
  mutating func decodeVEX(_ opcode: UInt8) {
    // Only in protected mode, and not after these prefixes (SDM volume 2, section 2.3).
    guard mode.isProtected, !mode.isVirtual8086, rex == 0, !hasOperandPrefix, repeatPrefix == 0, !hasLock
    else {
      return undefined()
    }
    let first = fetch8()
    var map: UInt8 = 1
    var control = first
    rex = 0x40 | (~first >> 5 & 4)
    if opcode == 0xC4 {
      control = fetch8()
      map = first & 31
      rex = 0x40 | ~first >> 5 & 7 | (control & 0x80) >> 4
    }
    if !isLong { rex &= 0x48 }
    let register = isLong ? ~control >> 3 & 15 : ~control >> 3 & 7
    let prefix = control & 3
    let code = fetch8()
    let size = isWide && isLong ? OperandSize.qword : .dword
    if !isLong { rex = 0x40 }
    guard control & 4 == 0, map == 2 || map == 3 else { return undefined() }
    // BMI1: ANDN, BLSR, BLSMSK, BLSI and BEXTR.
    let isFirst = map == 2 && prefix == 0 && code != 0xF5
    guard has(isFirst ? .bmi1 : .bmi2) else { return undefined() }
    fetchModRM(size)
    operation.detail = register * 8
    typealias BMI = BitManipulationHandlers
    switch (map, code, prefix) {
    case (2, 0xF2, 0): operation.handler = BMI.andn[size]
    case (2, 0xF3, 0) where regField >= 1 && regField <= 3:
      operation.handler = [BMI.blsr, BMI.blsmsk, BMI.blsi][Int(regField) - 1][size]
    case (2, 0xF5, 0): operation.handler = BMI.bzhi[size]
    case (2, 0xF5, 2): operation.handler = BMI.pext[size]
    case (2, 0xF5, 3): operation.handler = BMI.pdep[size]
    case (2, 0xF6, 3): operation.handler = BMI.mulx[size]
    case (2, 0xF7, 0): operation.handler = BMI.bextr[size]
    case (2, 0xF7, 1): operation.handler = BMI.shlx[size]
    case (2, 0xF7, 2): operation.handler = BMI.sarx[size]
    case (2, 0xF7, 3): operation.handler = BMI.shrx[size]
    case (3, 0xF0, 3):
      operation.immediate = UInt64(fetch8())
      guard register == (0 as UInt8) else { return undefined() }
      operation.handler = BMI.rorx[size]
    default: undefined()
    }
  }
}

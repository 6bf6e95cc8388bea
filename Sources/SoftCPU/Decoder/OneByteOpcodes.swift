// SPDX-License-Identifier: GPL-2.0-or-later

/// The one-byte opcode map (SDM volume 2, table A-2).
extension Decoder {
  mutating func decodeOneByte(_ opcode: UInt8) {
    switch opcode {
    case 0x00...0x3F: decodeArithmetic(opcode)
    case 0x40...0x4F:
      let forms = opcode < 0x48 ? ArithmeticHandlers.inc : ArithmeticHandlers.dec
      operation.rm = (opcode & 7) * 8
      operation.handler = forms.register[operandSize]
    case 0x50...0x57:
      operation.rm = (opcode & 7 | (rex & 1) << 3) * 8
      operation.handler = StackHandlers.push[stackSize]
    case 0x58...0x5F:
      operation.rm = (opcode & 7 | (rex & 1) << 3) * 8
      operation.handler = StackHandlers.pop[stackSize]
    case 0x60...0x6F: decodeRow6(opcode)
    case 0x70...0x7F:
      fetchTarget(.byte)
      operation.handler = ConditionHandlers.jump[Int(opcode & 15)]
    case 0x80...0x83: decodeGroup1(opcode)
    case 0x84, 0x85:
      let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
      fetchModRM(size)
      operation.handler =
        isRegister
        ? ArithmeticHandlers.test.registerRegister[size] : ArithmeticHandlers.test.memoryRegister[size]
    case 0x86, 0x87:
      allowsLock = true
      let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
      fetchModRM(size)
      operation.handler = MoveHandlers.xchg[size]
    case 0x88...0x8F: decodeMove(opcode)
    case 0x90...0x9F: decodeRow9(opcode)
    case 0xA0...0xAF: decodeRowA(opcode)
    case 0xB0...0xB7:
      operation.rm = registerOffset(opcode & 7 | (rex & 1) << 3, .byte)
      operation.immediate = fetchImmediate(.byte)
      operation.handler = MoveHandlers.registerImmediate.byte
    case 0xB8...0xBF:
      operation.rm = (opcode & 7 | (rex & 1) << 3) * 8
      operation.immediate = operandSize == .qword ? fetch64() : fetchImmediate(operandSize)
      operation.handler = MoveHandlers.registerImmediate[operandSize]
    case 0xC0...0xCF: decodeRowC(opcode)
    case 0xD0...0xD7: decodeRowD(opcode)
    case 0xD8...0xDF:
      fetchModRM(.dword)
      operation.detail = modRM
      operation.immediate = UInt64(opcode & 7) << 8 | UInt64(modRM)
      guard has(Self.x87InstructionSet(opcode: opcode, modRM: modRM)) else { return undefined() }
      operation.handler = Self.x87Handler(opcode: opcode, modRM: modRM)
    case 0xE0...0xEF: decodeRowE(opcode)
    default: decodeRowF(opcode)
    }
  }

  /// 00 … 3F: the eight arithmetic instructions, six forms each, and what lies between.
  private mutating func decodeArithmetic(_ opcode: UInt8) {
    guard opcode & 7 < 6 else { return decodeBetweenArithmetic(opcode) }
    let forms = ArithmeticHandlers.group1[Int(opcode >> 3)]
    let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
    switch opcode & 7 {
    case 0, 1:
      allowsLock = opcode < 0x38
      fetchModRM(size)
      operation.handler = isRegister ? forms.registerRegister[size] : forms.memoryRegister[size]
    case 2, 3:
      fetchModRM(size)
      if isRegister {
        // The destination is the rm operand in handlers.
        swap(&operation.reg, &operation.rm)
        operation.handler = forms.registerRegister[size]
      } else {
        operation.handler = forms.registerMemory[size]
      }
    default:
      operation.rm = 0
      operation.immediate = fetchImmediate(size)
      operation.handler = forms.registerImmediate[size]
    }
  }

  /// PUSH and POP of segment registers, and the decimal adjustments: none of them in 64-bit code.
  private mutating func decodeBetweenArithmetic(_ opcode: UInt8) {
    guard !isLong else { return undefined() }
    switch opcode {
    case 0x06, 0x0E, 0x16, 0x1E:
      operation.detail = opcode >> 3
      operation.handler = SegmentHandlers.push[operandSize]
    case 0x07, 0x17, 0x1F:
      operation.detail = opcode >> 3
      end(SegmentHandlers.pop[operandSize])
    case 0x27: operation.handler = DecimalHandlers.daa
    case 0x2F: operation.handler = DecimalHandlers.das
    case 0x37: operation.handler = DecimalHandlers.aaa
    default: operation.handler = DecimalHandlers.aas
    }
  }

  private mutating func decodeRow6(_ opcode: UInt8) {
    switch opcode {
    case 0x60 where !isLong: operation.handler = StackHandlers.pusha[operandSize]
    case 0x61 where !isLong: operation.handler = StackHandlers.popa[operandSize]
    case 0x62 where !isLong:
      fetchModRM(operandSize)
      if isRegister { return undefined() }
      operation.handler = ProtectionHandlers.bound[operandSize]
    case 0x63:
      if isLong {
        fetchModRM(operandSize)
        operation.handler = MoveHandlers.signExtendDword[operandSize]
      } else {
        fetchModRM(.word)
        guard mode.isProtected, !mode.isVirtual8086 else { return undefined() }
        operation.handler = ProtectionHandlers.arpl
      }
    case 0x68:
      operation.immediate = fetchImmediate(operandSize == .word ? .word : .dword)
      operation.handler = StackHandlers.pushImmediate[stackSize]
    case 0x6A:
      operation.immediate = fetchImmediate(.byte)
      operation.handler = StackHandlers.pushImmediate[stackSize]
    case 0x69, 0x6B:
      fetchModRM(operandSize)
      operation.immediate = fetchImmediate(opcode == 0x6B ? .byte : operandSize)
      operation.handler = MultiplyHandlers.imulImmediate[operandSize]
    case 0x6C, 0x6D: end(PortHandlers.ins[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    case 0x6E, 0x6F:
      setSegment(3)
      end(PortHandlers.outs[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    default: undefined()
    }
  }

  private mutating func decodeGroup1(_ opcode: UInt8) {
    guard opcode != 0x82 || !isLong else { return undefined() }
    let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
    fetchModRM(size)
    allowsLock = regField != 7
    operation.immediate = fetchImmediate(opcode == 0x81 ? size : .byte)
    let forms = ArithmeticHandlers.group1[Int(regField)]
    operation.handler = isRegister ? forms.registerImmediate[size] : forms.memoryImmediate[size]
  }

  private mutating func decodeMove(_ opcode: UInt8) {
    let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
    switch opcode {
    case 0x88, 0x89:
      fetchModRM(size)
      operation.handler = isRegister ? MoveHandlers.registerRegister[size] : MoveHandlers.memoryRegister[size]
    case 0x8A, 0x8B:
      fetchModRM(size)
      if isRegister {
        swap(&operation.reg, &operation.rm)
        operation.handler = MoveHandlers.registerRegister[size]
      } else {
        operation.handler = MoveHandlers.registerMemory[size]
      }
    case 0x8C:
      // To a register in the operand's size, to memory always 16 bits.
      fetchModRM(operandSize)
      guard regField < 6 else { return undefined() }
      operation.detail = regField
      operation.handler =
        isRegister ? SegmentHandlers.storeRegister[operandSize] : SegmentHandlers.storeMemory
    case 0x8D:
      fetchModRM(operandSize)
      guard !isRegister else { return undefined() }
      operation.handler = MoveHandlers.lea[operandSize]
    case 0x8E:
      fetchModRM(.word)
      guard regField < 6, regField != 1 else { return undefined() }
      operation.detail = regField
      end(SegmentHandlers.load)
    default:
      fetchModRM(stackSize)
      guard regField == 0 else { return undefined() }
      operation.handler = StackHandlers.popMemory[stackSize]
    }
  }

  private mutating func decodeRow9(_ opcode: UInt8) {
    switch opcode {
    case 0x90...0x97:
      let number = opcode & 7 | (rex & 1) << 3
      if number == 0 {
        if repeatPrefix == Operation.repeatEqual { return end(SystemHandlers.pause) }
        return operation.handler = MiscellaneousHandlers.nop
      }
      operation.reg = 0
      operation.rm = number * 8
      operation.flags |= Operation.isRegister
      operation.handler = MoveHandlers.xchg[operandSize]
    case 0x98: operation.handler = MiscellaneousHandlers.cbw[operandSize]
    case 0x99: operation.handler = MiscellaneousHandlers.cwd[operandSize]
    case 0x9A:
      guard !isLong else { return undefined() }
      fetchFarPointer()
      end(FarHandlers.call[operandSize])
    case 0x9B: operation.handler = FloatingPointStateHandlers.fwait
    case 0x9C: operation.handler = FlagHandlers.pushf[stackSize]
    case 0x9D: end(FlagHandlers.popf[stackSize])
    default:
      guard !isLong || has(.lahfInLongMode) else { return undefined() }
      operation.handler = opcode == 0x9E ? MiscellaneousHandlers.sahf : MiscellaneousHandlers.lahf
    }
  }

  mutating func fetchFarPointer() {
    operation.immediate = operandSize == .word ? UInt64(fetch16()) : UInt64(fetch32())
    operation.displacement = Int64(fetch16())
  }

  private mutating func decodeRowA(_ opcode: UInt8) {
    let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
    switch opcode {
    case 0xA0...0xA3:
      // The whole address is in the instruction.
      switch addressSize {
      case .qword: operation.displacement = Int64(bitPattern: fetch64())
      case .dword: operation.displacement = Int64(fetch32())
      default: operation.displacement = Int64(fetch16())
      }
      setSegment(3)
      operation.reg = 0
      operation.handler =
        opcode < 0xA2 ? MoveHandlers.registerMemory[size] : MoveHandlers.memoryRegister[size]
    case 0xA4, 0xA5:
      setSegment(3)
      operation.handler = StringHandlers.movs[size]
    case 0xA6, 0xA7:
      setSegment(3)
      operation.handler = StringHandlers.cmps[size]
    case 0xA8, 0xA9:
      operation.rm = 0
      operation.immediate = fetchImmediate(size)
      operation.handler = ArithmeticHandlers.test.registerImmediate[size]
    case 0xAA, 0xAB: operation.handler = StringHandlers.stos[size]
    case 0xAC, 0xAD:
      setSegment(3)
      operation.handler = StringHandlers.lods[size]
    default: operation.handler = StringHandlers.scas[size]
    }
  }

  private mutating func decodeRowC(_ opcode: UInt8) {
    switch opcode {
    case 0xC0, 0xC1:
      decodeGroup2(opcode & 1 == 0 ? .byte : operandSize)
      operation.immediate = UInt64(fetch8())
    case 0xC2:
      operation.immediate = UInt64(fetch16())
      end(StackHandlers.ret[branchSize])
    case 0xC3: end(StackHandlers.ret[branchSize])
    case 0xC4, 0xC5:
      // LES and LDS; with two registers, and always in 64-bit code, a VEX prefix.
      if isLong || peekIsRegister { return decodeVEX(opcode) }
      fetchModRM(operandSize)
      operation.detail = opcode == 0xC4 ? 0 : 3
      end(SegmentHandlers.loadPointer[operandSize])
    case 0xC6, 0xC7:
      let size = opcode & 1 == 0 ? OperandSize.byte : operandSize
      fetchModRM(size)
      operation.immediate = fetchImmediate(size)
      guard regField == 0 else { return undefined() }
      operation.handler =
        isRegister ? MoveHandlers.registerImmediate[size] : MoveHandlers.memoryImmediate[size]
    case 0xC8:
      operation.immediate = UInt64(fetch16())
      operation.detail = fetch8()
      operation.handler = StackHandlers.enter[stackSize]
    case 0xC9: operation.handler = StackHandlers.leave[stackSize]
    case 0xCA, 0xCB:
      operation.immediate = opcode == 0xCA ? UInt64(fetch16()) : 0
      end(FarHandlers.ret[operandSize])
    case 0xCC: end(InterruptHandlers.breakpoint)
    case 0xCD:
      operation.immediate = UInt64(fetch8())
      end(InterruptHandlers.software)
    case 0xCE:
      guard !isLong else { return undefined() }
      end(InterruptHandlers.overflow)
    default: end(FarHandlers.iret[operandSize])
    }
  }

  /// Whether the next byte is a ModRM byte with two registers.
  private var peekIsRegister: Bool {
    var copy = self
    return copy.fetch8() >= 0xC0
  }

  private mutating func decodeGroup2(_ size: OperandSize) {
    fetchModRM(size)
    let forms = ShiftHandlers.group2[Int(regField)]
    operation.handler = isRegister ? forms.register[size] : forms.memory[size]
  }

  private mutating func decodeRowD(_ opcode: UInt8) {
    switch opcode {
    case 0xD0, 0xD1:
      decodeGroup2(opcode & 1 == 0 ? .byte : operandSize)
      operation.immediate = 1
    case 0xD2, 0xD3:
      decodeGroup2(opcode & 1 == 0 ? .byte : operandSize)
      operation.detail = 1
    case 0xD4 where !isLong:
      operation.immediate = UInt64(fetch8())
      operation.handler = DecimalHandlers.aam
    case 0xD5 where !isLong:
      operation.immediate = UInt64(fetch8())
      operation.handler = DecimalHandlers.aad
    case 0xD6 where !isLong: operation.handler = MiscellaneousHandlers.salc
    case 0xD7:
      setSegment(3)
      operation.handler = MiscellaneousHandlers.xlat
    default: undefined()
    }
  }

  private mutating func decodeRowE(_ opcode: UInt8) {
    switch opcode {
    case 0xE0...0xE3:
      fetchTarget(.byte)
      let sizes = StackHandlers.loop[Int(opcode & 3)]
      operation.handler = sizes[addressSize]
    case 0xE4, 0xE5:
      operation.immediate = UInt64(fetch8())
      end(PortHandlers.inImmediate[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    case 0xE6, 0xE7:
      operation.immediate = UInt64(fetch8())
      end(PortHandlers.outImmediate[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    case 0xE8:
      fetchTarget(branchSize == .word ? .word : .dword)
      end(StackHandlers.call[branchSize])
    case 0xE9:
      fetchTarget(branchSize == .word ? .word : .dword)
      end(StackHandlers.jump)
    case 0xEA:
      guard !isLong else { return undefined() }
      fetchFarPointer()
      end(FarHandlers.jump[operandSize])
    case 0xEB:
      fetchTarget(.byte)
      end(StackHandlers.jump)
    case 0xEC, 0xED: end(PortHandlers.inDX[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    default: end(PortHandlers.outDX[opcode & 1 == 0 ? .byte : operandSize == .word ? .word : .dword])
    }
  }

  private mutating func decodeRowF(_ opcode: UInt8) {
    switch opcode {
    case 0xF1: end(InterruptHandlers.debug)
    case 0xF4: end(SystemHandlers.hlt)
    case 0xF5: operation.handler = MiscellaneousHandlers.cmc
    case 0xF6, 0xF7: decodeGroup3(opcode & 1 == 0 ? .byte : operandSize)
    case 0xF8: operation.handler = MiscellaneousHandlers.clc
    case 0xF9: operation.handler = MiscellaneousHandlers.stc
    case 0xFA: operation.handler = FlagHandlers.cli
    case 0xFB: end(FlagHandlers.sti)
    case 0xFC: operation.handler = MiscellaneousHandlers.cld
    case 0xFD: operation.handler = MiscellaneousHandlers.std
    case 0xFE, 0xFF: decodeGroup5(opcode)
    default: undefined()
    }
  }

  private mutating func decodeGroup3(_ size: OperandSize) {
    fetchModRM(size)
    switch regField {
    case 0, 1:
      operation.immediate = fetchImmediate(size)
      let test = ArithmeticHandlers.test
      operation.handler = isRegister ? test.registerImmediate[size] : test.memoryImmediate[size]
    case 2, 3:
      allowsLock = true
      let forms = regField == 2 ? ArithmeticHandlers.not : ArithmeticHandlers.neg
      operation.handler = isRegister ? forms.register[size] : forms.memory[size]
    case 4: operation.handler = MultiplyHandlers.mul[size]
    case 5: operation.handler = MultiplyHandlers.imul[size]
    case 6: operation.handler = MultiplyHandlers.div[size]
    default: operation.handler = MultiplyHandlers.idiv[size]
    }
  }

  /// Groups 4 and 5.
  private mutating func decodeGroup5(_ opcode: UInt8) {
    var size = opcode == 0xFE ? OperandSize.byte : operandSize
    fetchModRM(size)
    switch regField {
    case 0, 1:
      allowsLock = true
      let forms = regField == 0 ? ArithmeticHandlers.inc : ArithmeticHandlers.dec
      operation.handler = isRegister ? forms.register[size] : forms.memory[size]
    case _ where opcode == 0xFE: undefined()
    case 2:
      size = branchSize
      end(StackHandlers.callIndirect[size])
    case 4:
      size = branchSize
      end(StackHandlers.jumpIndirect[size])
    case 3:
      guard !isRegister else { return undefined() }
      end(FarHandlers.callIndirect[size])
    case 5:
      guard !isRegister else { return undefined() }
      end(FarHandlers.jumpIndirect[size])
    case 6: operation.handler = StackHandlers.pushMemory[stackSize]
    default: undefined()
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// Makes an ``Operation`` of the bytes of one instruction (SDM volume 2, chapter 2 and appendix A).
///
/// What an opcode means is in the files named after the opcode maps.
struct Decoder {
  /// The most instructions in a block.
  static let maximumCount = 48
  /// The most bytes in an instruction.
  static let maximumLength = 15

  private let bytes: UnsafePointer<UInt8>
  private let available: Int
  private(set) var position = 0
  /// The instruction does not end in the bytes at hand.
  private(set) var isIncomplete = false

  let mode: ExecutionMode
  /// What the processor has; other instructions are none.
  let instructions: InstructionSets
  /// RIP of the instruction.
  let rip: UInt64
  var operation: Operation
  /// Execution does not simply go on with the next instruction.
  var endsBlock = false

  // Prefixes.
  var hasOperandPrefix = false
  var hasAddressPrefix = false
  var rex: UInt8 = 0
  var repeatPrefix: UInt8 = 0
  var hasLock = false
  var segmentOverride: UInt8?

  // ModRM.
  var modRM: UInt8 = 0

  init(
    bytes: UnsafePointer<UInt8>, available: Int, mode: ExecutionMode, instructions: InstructionSets,
    rip: UInt64
  ) {
    (self.bytes, self.available, self.mode, self.rip) = (bytes, available, mode, rip)
    self.instructions = instructions
    operation = Operation(handler: MiscellaneousHandlers.undefined)
  }

  // MARK: Bytes

  mutating func fetch8() -> UInt8 {
    guard position < available else {
      isIncomplete = true
      return 0
    }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func fetch16() -> UInt16 { UInt16(fetch8()) | UInt16(fetch8()) << 8 }
  mutating func fetch32() -> UInt32 { UInt32(fetch16()) | UInt32(fetch16()) << 16 }
  mutating func fetch64() -> UInt64 { UInt64(fetch32()) | UInt64(fetch32()) << 32 }

  // MARK: Sizes

  /// 64-bit code.
  var isLong: Bool { mode.isLong }
  var isWide: Bool { rex & 8 != 0 }

  /// The size of operands that are not bytes.
  var operandSize: OperandSize {
    if isWide { return .qword }
    return mode.isLong || mode.isCode32
      ? (hasOperandPrefix ? .word : .dword) : (hasOperandPrefix ? .dword : .word)
  }

  /// The size of what PUSH, POP and near branches handle: 64 bits in 64-bit code unless 16 is asked for.
  var stackSize: OperandSize {
    guard isLong else { return operandSize }
    return hasOperandPrefix && !isWide ? .word : .qword
  }

  /// The size of near branches' targets: always 64 bits in 64-bit code.
  var branchSize: OperandSize { isLong ? .qword : operandSize }

  var addressSize: OperandSize {
    if isLong { return hasAddressPrefix ? .dword : .qword }
    return mode.isCode32 != hasAddressPrefix ? .dword : .word
  }

  var addressShift: UInt8 {
    switch addressSize {
    case .qword: 0
    case .dword: 32
    default: 48
    }
  }

  /// An immediate of the operand's size, at most 32 bits, sign-extended.
  mutating func fetchImmediate(_ size: OperandSize) -> UInt64 {
    switch size {
    case .byte: UInt64(bitPattern: Int64(Int8(bitPattern: fetch8())))
    case .word: UInt64(bitPattern: Int64(Int16(bitPattern: fetch16())))
    case .dword, .qword: UInt64(bitPattern: Int64(Int32(bitPattern: fetch32())))
    }
  }

  // MARK: Operands

  /// The byte offset of a general register; without REX, byte registers 4 … 7 are AH … BH.
  func registerOffset(_ number: UInt8, _ size: OperandSize) -> UInt8 {
    if size == .byte, rex == 0, number >= 4 { return (number - 4) * 8 + 1 }
    return number * 8
  }

  var regField: UInt8 { modRM >> 3 & 7 }
  /// ModRM.reg with REX.R.
  var regNumber: UInt8 { regField | (rex & 4) << 1 }
  var isRegister: Bool { modRM >= 0xC0 }

  /// Sets the operation's segment: the override, or the operand's own.
  mutating func setSegment(_ ownSegment: UInt8) {
    var segment = segmentOverride ?? ownSegment
    if mode.bits >> (ExecutionMode.checkedShift + UInt32(segment)) & 1 != 0 {
      segment |= Operation.checkedSegment
    }
    operation.segment = segment
  }

  /// Reads ModRM and what belongs to it, for an instruction whose ModRM.reg and ModRM.rm are general
  /// registers of a size.
  mutating func fetchModRM(_ size: OperandSize, rm rmSize: OperandSize? = nil) {
    modRM = fetch8()
    operation.reg = registerOffset(regNumber, size)
    decodeRM()
    if isRegister { operation.rm = registerOffset(modRM & 7 | (rex & 1) << 3, rmSize ?? size) }
  }

  /// Decodes ModRM.rm as an address or notes that it is a register.
  mutating func decodeRM() {
    let rm = modRM & 7
    operation.addressShift = addressShift
    guard !isRegister else {
      operation.flags |= Operation.isRegister
      return
    }
    if addressSize == .word { decodeAddress16(rm) } else { decodeAddress(rm) }
  }

  /// SDM volume 2, table 2-1.
  private mutating func decodeAddress16(_ rm: UInt8) {
    // BX 3, BP 5, SI 6, DI 7.
    let bases: [UInt8] = [3, 3, 5, 5, 6, 7, 5, 3]
    var segment: UInt8 = rm == 2 || rm == 3 || rm == 6 ? 2 : 3
    if rm == 6, modRM < 0x40 {
      segment = 3
      operation.displacement = Int64(Int16(bitPattern: fetch16()))
    } else {
      operation.base = bases[Int(rm)] * 8
      if rm < 4 { operation.index = (rm & 1 == 0 ? 6 : 7) * 8 }
      switch modRM >> 6 {
      case 1: operation.displacement = Int64(Int8(bitPattern: fetch8()))
      case 2: operation.displacement = Int64(Int16(bitPattern: fetch16()))
      default: break
      }
    }
    setSegment(segment)
  }

  /// SDM volume 2, tables 2-2 and 2-3.
  private mutating func decodeAddress(_ rm: UInt8) {
    var segment: UInt8 = 3
    if rm == 4 {
      let sib = fetch8()
      let index = sib >> 3 & 7 | (rex & 2) << 2
      if index != 4 {
        operation.index = index * 8
        operation.scale = sib >> 6
      }
      let base = sib & 7
      if base == 5, modRM < 0x40 {
        operation.displacement = Int64(Int32(bitPattern: fetch32()))
      } else {
        operation.base = (base | (rex & 1) << 3) * 8
        if base == 4 || base == 5, rex & 1 == 0 { segment = 2 }
      }
    } else if rm == 5, modRM < 0x40 {
      operation.displacement = Int64(Int32(bitPattern: fetch32()))
      isRIPRelative = isLong
    } else {
      operation.base = (rm | (rex & 1) << 3) * 8
      if rm == 5, rex & 1 == 0 { segment = 2 }
    }
    switch modRM >> 6 {
    case 1: operation.displacement = Int64(Int8(bitPattern: fetch8()))
    case 2: operation.displacement = Int64(Int32(bitPattern: fetch32()))
    default: break
    }
    setSegment(segment)
  }

  private var isRIPRelative = false

  // MARK: Decoding

  /// Decodes the instruction into ``operation``. If ``isIncomplete`` is set afterwards, nothing else counts.
  mutating func decode() {
    var opcode = fetchPrefixes()
    if Self.usesStack(opcode) { operation.segment = 2 }
    if opcode == 0x0F {
      opcode = fetch8()
      decodeTwoByte(opcode)
    } else {
      decodeOneByte(opcode)
    }
    if isIncomplete {
      // More than 15 bytes are no instruction, whatever they are.
      if available >= Self.maximumLength {
        isIncomplete = false
        position = Self.maximumLength
        undefined()
        operation.handler = MiscellaneousHandlers.tooLong
      }
      return
    }
    if hasLock, !allowsLock || operation.flags & Operation.isRegister != 0 { undefined() }
    operation.length = UInt8(position)
    if isRIPRelative { operation.displacement &+= Int64(bitPattern: rip &+ UInt64(position)) }
  }

  /// PUSH, POP, CALL, RET, ENTER, LEAVE and their kin with no memory operand but the stack's.
  private static func usesStack(_ opcode: UInt8) -> Bool {
    switch opcode {
    case 0x50...0x61, 0x68, 0x6A, 0x9C, 0x9D, 0xC2, 0xC3, 0xC8...0xCB, 0xCF, 0xE8: true
    default: false
    }
  }

  /// Whether LOCK is allowed with this instruction, if its destination is in memory.
  var allowsLock = false

  private mutating func fetchPrefixes() -> UInt8 {
    while true {
      let byte = fetch8()
      if isIncomplete { return 0 }
      switch byte {
      case 0x26, 0x2E, 0x36, 0x3E:
        // Without effect in 64-bit code.
        if !isLong { segmentOverride = byte >> 3 & 3 }
      case 0x64: segmentOverride = 4
      case 0x65: segmentOverride = 5
      case 0x66: hasOperandPrefix = true
      case 0x67: hasAddressPrefix = true
      case 0xF0: hasLock = true
      case 0xF2: repeatPrefix = Operation.repeatNotEqual
      case 0xF3: repeatPrefix = Operation.repeatEqual
      case 0x40...0x4F where isLong:
        rex = byte
        // Only a REX right before the opcode counts.
        let next = fetch8()
        if isIncomplete { return 0 }
        if Self.isPrefix(next) || next & 0xF0 == 0x40 {
          rex = 0
          position -= 1
          continue
        }
        noteSizes()
        return next
      default:
        noteSizes()
        return byte
      }
    }
  }

  private static func isPrefix(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3: true
    default: false
    }
  }

  private mutating func noteSizes() {
    if hasOperandPrefix { operation.flags |= Operation.operand16 }
    if isWide { operation.flags |= Operation.operand64 }
    if hasLock { operation.flags |= Operation.lock }
    operation.flags |= repeatPrefix
    operation.addressShift = addressShift
  }

  // MARK: Results

  /// The instruction raises #UD.
  mutating func undefined() {
    operation.handler = MiscellaneousHandlers.undefined
    endsBlock = true
  }

  /// The instruction is `handler`, and execution goes on elsewhere, or modes may change.
  mutating func end(_ handler: Handler) {
    operation.handler = handler
    endsBlock = true
  }

  /// Fetches a branch's displacement and sets the target.
  mutating func fetchTarget(_ size: OperandSize) {
    let displacement = fetchImmediate(size)
    var target = rip &+ UInt64(position) &+ displacement
    switch branchSize {
    case .qword: break
    case .dword: target &= 0xFFFF_FFFF
    default: target &= 0xFFFF
    }
    operation.immediate = target
  }
}

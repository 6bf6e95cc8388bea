// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

private let rax = 0
private let rcx = 1
private let rdx = 2
private let rbx = 3
private let rsp = 4
private let rbp = 5
private let rsi = 6
private let rdi = 7

/// Makes one case for one encoding.
struct CaseBuilder {
  let it: UnsafeMutablePointer<native_case>
  let encoding: Encoding
  let is32Bit: Bool
  var values: OperandValues
  var notes = CaseNotes()

  private let gpr: UnsafeMutablePointer<UInt64>
  private let code: UnsafeMutablePointer<UInt8>
  private var length = 0
  private var hasAddressSize = false
  /// Registers that should not be used for addresses.
  private var avoided: UInt16 = 0
  /// Where a displacement relative to RIP is in the code, and its target.
  private var relative: (at: Int, target: UInt64, isBranch: Bool)?

  private static let data = UInt64(NATIVE_DATA)
  private static let dataSize = UInt64(NATIVE_DATA_SIZE)

  init(it: UnsafeMutablePointer<native_case>, encoding: Encoding, is32Bit: Bool, values: OperandValues) {
    self.it = it
    self.encoding = encoding
    self.is32Bit = is32Bit
    self.values = values
    let state = UnsafeMutableRawPointer(it).assumingMemoryBound(to: native_state.self)
    gpr = state.gpr
    code = (UnsafeMutableRawPointer(it) + MemoryLayout<native_case>.offset(of: \.code)!).assumingMemoryBound(
      to: UInt8.self)
  }

  mutating func build() {
    it.pointee.is_32_bit = is32Bit ? 1 : 0
    for index in 0..<16 { gpr[index] = values.integer() }
    it.pointee.before.rflags = values.bits() & Flag.status
    if values.chance(encoding.kind == .string ? 40 : 5) { it.pointee.before.rflags |= Flag.df }
    // Which operands of more than 8 bytes are checked, and ENTER's check of the final stack pointer, are a
    // processor's own.
    if encoding.kind != .enter, !encoding.usesFX, values.chance(1) { it.pointee.before.rflags |= Flag.ac }
    gpr[rsp] = stackPointer()
    makeFX()
    for index in 0..<Int(NATIVE_PATCHES) { patches[index].length = 0 }
    patch(1, at: gpr[rsp]) { values, _ in values.integer() }

    it.pointee.before.rip =
      UInt64(NATIVE_CODE) + (values.chance(97) ? 0x40 + UInt64(values.below(0xF00)) : 0xFC0)
    prepare()
    emit()
    finish()
    if is32Bit { for index in 0..<8 { gpr[index] &= 0xFFFF_FFFF } }
  }

  // MARK: Operands

  private mutating func stackPointer() -> UInt64 {
    switch values.below(100) {
    case 0: return Self.data + UInt64(values.below(16))
    case 1: return Self.data + UInt64(NATIVE_DATA_WRITABLE) + UInt64(values.below(24))
    case 2: return Self.data + Self.dataSize - UInt64(values.below(16))
    case 3: return is32Bit ? 0 : 0x8000_0000_0000_0000
    case 4..<14: return Self.data + 0x800 + UInt64(values.below(0x1800))
    default: return Self.data + 0x800 + UInt64(values.below(0x1800)) & ~7
    }
  }

  /// An address for an operand of `size` bytes.
  private mutating func target(size: Int, isAligned: Bool) -> UInt64 {
    let size = UInt64(size)
    let data = Self.data
    switch values.below(100) {
    case 0..<10:  // across a page's end
      return data + 0x1000 * UInt64(1 + values.below(2)) - UInt64(values.below(Int(size) + 1))
    case 10..<14:  // across a line's
      return data + 64 * UInt64(1 + values.below(64)) - UInt64(values.below(Int(size) + 1))
    case 14..<16: return data + UInt64(NATIVE_DATA_WRITABLE) + UInt64(values.below(0x800)) & ~15
    case 16: return data + UInt64(NATIVE_DATA_WRITABLE) - UInt64(values.below(Int(size) + 1))
    case 17..<19: return data + Self.dataSize - UInt64(values.below(Int(size) + 1))
    case 19: return data - UInt64(values.below(Int(size) + 1))
    case 20:
      return is32Bit
        ? 0xFFFF_FFFF - UInt64(values.below(16))
        : values.one(of: [0, 0x8000_0000_0000_0000, 0x0000_8000_0000_0000])
    default:
      let address = data + UInt64(values.below(0x2000))
      return isAligned
        ? (values.chance(92) ? address & ~15 : address) : (values.chance(50) ? address & ~7 : address)
    }
  }

  private var patches: UnsafeMutablePointer<native_patch> {
    (UnsafeMutableRawPointer(it) + MemoryLayout<native_case>.offset(of: \.patches)!).assumingMemoryBound(
      to: native_patch.self)
  }

  /// Puts eight times eight bytes at `address`, if that is in the scratch pages.
  private mutating func patch(
    _ index: Int, at address: UInt64, _ make: (_ values: inout OperandValues, _ word: Int) -> UInt64
  ) {
    let offset = address &- Self.data
    guard offset < Self.dataSize else { return }
    let bytes = UnsafeMutableRawPointer(patches + index) + MemoryLayout<native_patch>.offset(of: \.bytes)!
    for word in 0..<8 { bytes.storeBytes(of: make(&values, word), toByteOffset: word * 8, as: UInt64.self) }
    patches[index].offset = UInt32(offset)
    patches[index].length = 64
  }

  private mutating func patchOperand(at address: UInt64) {
    switch encoding.data {
    case .integers: patch(0, at: address) { values, _ in values.integer() }
    case .single: patch(0, at: address) { values, _ in values.single() | values.single() << 32 }
    case .double: patch(0, at: address) { values, _ in values.double() }
    case .packed: patch(0, at: address) { values, _ in values.lane() }
    case .extended:
      let (significand, sign) = values.extended()
      patch(0, at: address) { values, word in [significand, UInt64(sign), 0, 0, 0, 0, 0, 0][word] }
    case .bcd:
      let digits = values.chance(90)
      patch(0, at: address) { values, word in
        var number: UInt64 = 0
        for _ in 0..<16 { number = number << 4 | UInt64(values.below(digits ? 10 : 16)) }
        return number
      }
    case .x87Environment:
      // The control word, in the environment's 32-bit format and elsewhere.
      let control = values.chance(50) ? 0x37F : values.bits()
      patch(0, at: address) { values, word in
        word == 0 ? control & 0xFFFF | values.bits() << 32 : values.bits()
      }
    case .fxsave:
      // MXCSR is at 24 for FXRSTOR and at 0 for LDMXCSR; AMD's bit 17 would change what alignment means.
      let mxcsr = values.chance(80) ? values.bits() & 0xFFFF : values.bits() & 0xFFFD_FFFF
      patch(0, at: address) { values, word in
        word == 0 ? mxcsr : word == 3 ? mxcsr | 0xFFFF << 32 : values.bits() & ~(1 << 17)
      }
    }
  }

  /// Sets registers up for the kinds of operands that need it.
  private mutating func prepare() {
    let byte = encoding.opcode.last! & 1 == 0
    switch encoding.kind {
    case .divide:
      avoided = 1 << rax | 1 << rdx
      if byte {
        if values.chance(70) { gpr[rax] &= 0xFFF }
      } else if values.chance(40) {
        gpr[rdx] = 0
      } else if values.chance(50) {
        gpr[rdx] = UInt64(bitPattern: Int64(bitPattern: gpr[rax]) >> 63)
      } else if values.chance(60) {
        gpr[rdx] = UInt64(values.below(8))
      }
    case .shift:
      avoided = 1 << rcx
      gpr[rcx] = values.shiftCount() | (values.chance(50) ? 0 : values.bits() & ~0xFF)
    case .compareExchange: avoided = 1 << rax | 1 << rdx | 1 << rbx | 1 << rcx
    case .string:
      let (source, destination) = (target(size: 8, isAligned: false), target(size: 8, isAligned: false))
      gpr[rsi] = source
      gpr[rdi] = values.chance(80) ? destination : source &+ UInt64(bitPattern: Int64(values.below(33)) - 16)
      patch(0, at: source) { values, _ in values.chance(60) ? 0x4141_4141_4141_4141 : values.integer() }
      patch(2, at: gpr[rdi]) { values, _ in values.chance(60) ? 0x4141_4141_4141_4141 : values.integer() }
      if values.chance(50) { gpr[rax] = 0x4141_4141_4141_4141 }
      gpr[rcx] = UInt64(values.below(values.chance(80) ? 12 : 64))
    case .popFlags:
      // Not TF, and no alignment checks either.
      patch(1, at: gpr[rsp]) { values, _ in values.bits() & ~0x4_0100 }
    case .leave: gpr[rbp] = target(size: 8, isAligned: false)
    case .enter: gpr[rbp] = target(size: 8, isAligned: false)
    case .returning:
      let address = codeTarget()
      patch(1, at: gpr[rsp]) { _, _ in address }
    case .xlat:
      let address = target(size: 1, isAligned: false)
      gpr[rbx] = address &- (gpr[rax] & 0xFF)
      patch(0, at: address) { values, _ in values.integer() }
    case .maskMove:
      gpr[rdi] = target(size: 16, isAligned: false)
    default: break
    }
  }

  /// Somewhere in the code page where there is only int3, or where there is nothing.
  private mutating func codeTarget() -> UInt64 {
    let page = UInt64(NATIVE_CODE)
    let start = it.pointee.before.rip
    switch values.below(20) {
    case 0: return is32Bit ? 0 : 0x8000_0000_0000_0000
    case 1: return page - 1 - UInt64(values.below(64))
    case 2: return page + UInt64(NATIVE_CODE_SIZE) + UInt64(values.below(64))
    default:
      let address = page + UInt64(values.below(Int(NATIVE_CODE_SIZE)))
      return address >= start &- 16 && address < start &+ 40 ? page : address
    }
  }

  // MARK: Code

  private mutating func emit(_ byte: UInt8) {
    code[length] = byte
    length += 1
  }
  private mutating func emit(_ value: UInt64, bytes: Int) {
    for index in 0..<bytes { emit(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
  }

  private mutating func emit() {
    let isString = encoding.kind == .string
    let takesAddressSize = encoding.modRM != .none || isString || encoding.immediate == .mo
    var usesRegisterForm = values.chance(45)
    if !encoding.forms.memory { usesRegisterForm = true }
    if !encoding.forms.register { usesRegisterForm = false }
    if case .fixed = encoding.modRM { usesRegisterForm = true }
    let hasMemory = !usesRegisterForm && encoding.modRM != .none && encoding.modRM != .inOpcode

    // Legacy prefixes.
    // AMD's LOCK MOV CR0 is MOV CR8 (volume 3, MOV CRn).
    let lock = encoding.canLock && hasMemory ? 25 : encoding.name == "mov-cr" ? 0 : 1
    if encoding.vex == nil, values.chance(lock) { emit(0xF0) }
    let hasOperandSize = encoding.takesOperandSize && values.chance(25)
    if hasOperandSize { emit(0x66) }
    if takesAddressSize, !is32Bit || values.chance(20), values.chance(8) {
      emit(0x67)
      hasAddressSize = true
    }
    if values.chance(3) { emit(values.one(of: [0x26, 0x2E, 0x36, 0x3E])) }
    if values.below(400) == 0, !encoding.isUndefined {
      for _ in 0..<(4 + values.below(10)) { emit(0x3E) }
    }
    if isString, values.chance(70) { emit(values.one(of: [0xF2, 0xF3])) }
    if encoding.mandatoryPrefix != 0 { emit(encoding.mandatoryPrefix) }

    // REX.
    var rex: UInt8 = 0
    if !is32Bit {
      if values.chance(60) || encoding.w == true { rex = 0x40 | UInt8(values.bits() & 0xF) }
      if encoding.w == true { rex |= 8 }
      if encoding.w == false { rex &= ~8 }
    } else if encoding.vex != nil, encoding.w == nil, values.chance(30) {
      rex = 8
    }
    notes.operandSize =
      rex & 8 != 0 && !is32Bit ? 8 : hasOperandSize || encoding.mandatoryPrefix == 0x66 ? 2 : 4
    let escape = encoding.opcode.count > 1 && encoding.opcode[0] == 0x0F
    let hasWideImmediate = encoding.immediate == .iz || encoding.immediate == .iv
    if !escape || encoding.opcode.count == 2, encoding.vex == nil, !hasWideImmediate {
      noteByteOperand(escape)
    }

    // Addressing, ahead of the opcode: it may set REX.X and REX.B.
    var field = UInt8(values.bits() & 7)
    if case .digit(let digit) = encoding.modRM { field = digit }
    if encoding.kind == .bitString {
      gpr[Int(field) | (rex & 4 != 0 ? 8 : 0)] = UInt64(bitPattern: Int64(values.below(8192) - 4096))
      avoided |= 1 << (UInt16(field) | (rex & 4 != 0 ? 8 : 0))
    }
    var address: (modRM: UInt8, sib: UInt8?, displacement: Int32, size: Int) = (0xC0, nil, 0, 0)
    if hasMemory {
      address = memoryOperand(field: field, rex: &rex)
    } else {
      address.modRM = 0xC0 | field << 3 | UInt8(values.bits() & 7)
      if case .fixed(let modRM) = encoding.modRM { address.modRM = modRM }
    }
    notes.rex = rex
    notes.modRM = address.modRM

    let vvvv = UInt8(values.bits() & (is32Bit ? 7 : 15))
    if let vex = encoding.vex {
      emit(0xC4)
      emit((is32Bit ? 0xE0 : (~rex & 7) << 5) | vex.map)
      // The three groups with a digit write the register that vvvv names; RORX wants 1111.
      emit((rex & 8) << 4 | (encoding.name == "rorx" && values.chance(95) ? 15 : vvvv ^ 15) << 3 | vex.pp)
    } else if rex != 0 {
      emit(rex)
    }
    for byte in encoding.opcode.dropLast() { emit(byte) }
    let last = encoding.opcode.last!
    emit(encoding.modRM == .inOpcode ? last | address.modRM & 7 : last)
    if encoding.modRM != .none && encoding.modRM != .inOpcode {
      emit(address.modRM)
      if let sib = address.sib { emit(sib) }
      if relative?.at == -1 { relative?.at = length }
      emit(UInt64(bitPattern: Int64(address.displacement)), bytes: address.size)
    }
    emitImmediate(rex: rex)

    if encoding.kind == .jumpTo {
      let target = codeTarget()
      if hasMemory {
        if let operand = notes.operandAddress { patch(0, at: operand) { _, _ in target } }
      } else {
        gpr[Int(address.modRM & 7) | Int(rex & 1) << 3] = target
      }
    }
    if encoding.kind == .compareExchange, values.chance(50) { makeEqual(hasMemory, address.modRM, rex) }
  }

  /// Operations on bytes have an even opcode.
  private mutating func noteByteOperand(_ escape: Bool) {
    let last = encoding.opcode.last!
    let bytes: Set<String> = ["cmpxchg", "xadd"]
    if escape ? bytes.contains(encoding.name) && last & 1 == 0 : last & 1 == 0 { notes.operandSize = 1 }
  }

  /// Makes the comparison of CMPXCHG and its relatives find equality.
  private mutating func makeEqual(_ hasMemory: Bool, _ modRM: UInt8, _ rex: UInt8) {
    guard hasMemory else {
      gpr[rax] = gpr[Int(modRM & 7) | Int(rex & 1) << 3]
      return
    }
    guard let operand = notes.operandAddress else { return }
    let (low, high) = (gpr[rax], gpr[rdx])
    let isPair = encoding.name == "cmpxchg8b"
    patch(0, at: operand) { _, word in
      word == 0 ? (isPair ? low & 0xFFFF_FFFF | high << 32 : low) : high
    }
  }

  private mutating func emitImmediate(rex: UInt8) {
    let wide = rex & 8 != 0 && !is32Bit
    var value = values.integer()
    switch encoding.immediate {
    case .none: return
    case .ib:
      if encoding.kind == .shift { value = values.shiftCount() }
      emit(value, bytes: 1)
      value &= 0xFF
    case .iw: emit(value, bytes: 2)
    case .iz: emit(value, bytes: notes.operandSize == 2 ? 2 : 4)
    case .iv: emit(value, bytes: wide ? 8 : notes.operandSize == 2 ? 2 : 4)
    case .iwib:
      emit(UInt64(values.below(0x90)), bytes: 2)
      emit(UInt64(values.chance(60) ? values.below(3) : values.below(256)), bytes: 1)
    case .mo:
      let address = target(size: 8, isAligned: false)
      patch(0, at: address) { values, _ in values.integer() }
      emit(address, bytes: is32Bit ? (hasAddressSize ? 2 : 4) : hasAddressSize ? 4 : 8)
    case .cb:
      // Neither into this instruction nor into what follows it.
      var distance = Int8(truncatingIfNeeded: Int(truncatingIfNeeded: values.bits()))
      if distance <= 0, distance >= -20 { distance = -40 }
      if distance > 0, distance < 8 { distance += 40 }
      emit(UInt64(UInt8(bitPattern: distance)), bytes: 1)
    case .cz:
      relative = (length, codeTarget(), true)
      emit(0, bytes: 4)
    }
    notes.immediate = value
  }

  private mutating func freeRegister() -> Int {
    for _ in 0..<4 {
      let register = values.below(is32Bit ? 8 : 16)
      if avoided >> UInt16(register) & 1 == 0 { return register }
    }
    return values.below(is32Bit ? 8 : 16)
  }

  /// Picks a form of addressing and sets the registers it uses so that it gives a chosen address.
  private mutating func memoryOperand(
    field: UInt8, rex: inout UInt8
  ) -> (modRM: UInt8, sib: UInt8?, displacement: Int32, size: Int) {
    let isNarrow = hasAddressSize != is32Bit
    var target =
      encoding.kind == .address
      ? values.integer() : target(size: encoding.memorySize, isAligned: encoding.isAligned)
    if encoding.kind == .bitString { target = target & ~0xFFF | 0x800 }
    if isNarrow { target &= 0xFFFF_FFFF }
    rex &= ~3
    let reg = field << 3
    if is32Bit, hasAddressSize {
      // 16-bit addressing reaches nothing that is mapped.
      let modRM = UInt8(values.below(3)) << 6 | reg | UInt8(values.bits() & 7)
      let size = modRM >> 6 == 1 ? 1 : modRM >> 6 == 2 || modRM & 7 == 6 ? 2 : 0
      return (modRM, nil, Int32(truncatingIfNeeded: values.bits() & 0x7FFF), size)
    }
    notes.operandAddress = target
    patchOperand(at: target)
    let fitsDisplacement = Int64(Int32(truncatingIfNeeded: target)) == Int64(bitPattern: target) || isNarrow

    let form = values.below(10)
    if form == 0, fitsDisplacement {  // no registers
      if is32Bit { return (reg | 5, nil, Int32(truncatingIfNeeded: target), 4) }
      return (reg | 4, 0x25 | UInt8(values.below(4)) << 6, Int32(truncatingIfNeeded: target), 4)
    }
    if form == 1, !is32Bit, Int64(bitPattern: target) >> 31 == 0 {  // relative to RIP
      if values.chance(20) { rex |= values.chance(50) ? 0x41 : 0 }
      relative = (-1, target, false)
      return (reg | 5, nil, 0, 4)
    }
    let scale = values.below(4)
    var index = freeRegister()
    if form < 4, index != rsp {  // with an index
      if form == 2, fitsDisplacement {  // but no base
        let value = UInt64(bitPattern: Int64(values.below(256) - 128))
        gpr[index] = isNarrow ? value & 0xFFFF_FFFF | values.bits() << 32 : value
        if index >= 8 { rex |= 0x42 }
        let displacement = Int32(truncatingIfNeeded: target &- value << UInt64(scale))
        return (reg | 4, UInt8(scale << 6 | (index & 7) << 3 | 5), displacement, 4)
      }
    } else {
      index = rsp
    }

    // A base, perhaps with an index.
    var base = freeRegister()
    var offset: UInt64 = 0
    if index != rsp {
      while base == index { base = values.below(is32Bit ? 8 : 16) }
      if values.chance(80) { gpr[index] = UInt64(bitPattern: Int64(values.below(512) - 256)) }
      offset = gpr[index] << UInt64(scale)
      if index >= 8 { rex |= 0x42 }
    }
    var mod = UInt8(values.below(3))
    if base & 7 == rbp, mod == 0 { mod = 1 }
    var displacement: Int32 = 0
    if mod == 1 { displacement = Int32(Int8(truncatingIfNeeded: Int(truncatingIfNeeded: values.bits()))) }
    if mod == 2 {
      displacement =
        values.chance(70)
        ? Int32(values.below(8192) - 4096) : Int32(truncatingIfNeeded: Int(truncatingIfNeeded: values.bits()))
    }
    let value = target &- offset &- UInt64(bitPattern: Int64(displacement))
    gpr[base] = isNarrow ? value & 0xFFFF_FFFF | values.bits() << 32 : value
    if base >= 8 { rex |= 0x41 }
    let size = [0, 1, 4][Int(mod)]
    if index == rsp, base & 7 != rsp, !values.chance(10) {
      return (mod << 6 | reg | UInt8(base & 7), nil, displacement, size)
    }
    return (mod << 6 | reg | 4, UInt8(scale << 6 | (index & 7) << 3 | base & 7), displacement, size)
  }

  /// Places the code, now that its length is known.
  private mutating func finish() {
    it.pointee.code_length = UInt32(length)
    let pageEnd = UInt64(NATIVE_CODE) + UInt64(NATIVE_CODE_SIZE)
    if it.pointee.before.rip == UInt64(NATIVE_CODE) + 0xFC0 {
      // At the page's end, or across it.
      let there = encoding.isUndefined ? 40 : values.chance(50) ? length : values.below(length + 1)
      it.pointee.before.rip = pageEnd - UInt64(max(there, 1))
    }
    if let relative {
      let (trailing, start) = (UInt64(length - relative.at), it.pointee.before.rip)
      // The instruction may have moved to where it branches to, for ever.
      let isHere = relative.target >= start &- 16 && relative.target < start &+ 40
      let target = relative.isBranch && isHere ? UInt64(NATIVE_CODE) : relative.target
      let distance = target &- (start + UInt64(relative.at) + trailing)
      for byte in 0..<4 { code[relative.at + byte] = UInt8(truncatingIfNeeded: distance >> UInt64(byte * 8)) }
    }
  }

  // MARK: x87 and SSE state

  private mutating func makeFX() {
    let fx = UnsafeMutableRawPointer(it).assumingMemoryBound(to: native_state.self).fx
    guard encoding.usesFX || values.chance(2) else {
      if fx.load(fromByteOffset: FXSAVE.fcw, as: UInt16.self) == 0 {
        fx.storeBytes(of: 0x37F, toByteOffset: FXSAVE.fcw, as: UInt16.self)
        fx.storeBytes(of: 0x1F80, toByteOffset: FXSAVE.mxcsr, as: UInt32.self)
      }
      // What the case before had, without what would stop an instruction.
      fx.storeBytes(of: 0, toByteOffset: FXSAVE.fsw, as: UInt16.self)
      return
    }
    var control: UInt16 = 0x37F
    if values.chance(40) {
      control = 0x40 | UInt16(values.below(4)) << 10 | values.one(of: [0, 0, 2, 2, 3, 3, 3, 1]) << 8
      control |= values.chance(80) ? 0x3F : UInt16(values.below(64))
      if values.chance(5) { control |= 0x1000 }
    }
    var status = UInt16(values.below(8)) << 11 | UInt16(truncatingIfNeeded: values.bits() & 0x4700)
    if values.chance(30) { status |= UInt16(values.below(128)) }
    if status & ~control & 0x3F != 0 {
      if values.chance(40) { status |= 0x8080 } else { status &= control | ~0x3F }
    }
    fx.storeBytes(of: control, toByteOffset: FXSAVE.fcw, as: UInt16.self)
    fx.storeBytes(of: status, toByteOffset: FXSAVE.fsw, as: UInt16.self)
    let tags: UInt16 = values.chance(50) ? 0xFF : values.chance(20) ? 0 : UInt16(values.below(256))
    fx.storeBytes(of: tags, toByteOffset: FXSAVE.ftw, as: UInt16.self)
    for index in 0..<8 {
      let (significand, sign) = values.chance(90) ? values.extended() : (values.lane(), 0xFFFF)
      fx.storeBytes(of: significand, toByteOffset: FXSAVE.st + index * 16, as: UInt64.self)
      fx.storeBytes(of: UInt64(sign), toByteOffset: FXSAVE.st + index * 16 + 8, as: UInt64.self)
    }
    var mxcsr: UInt32 = 0x1F80
    if values.chance(40) {
      mxcsr = UInt32(values.below(4)) << 13 | UInt32(values.below(64))
      mxcsr |= values.chance(75) ? 0x1F80 : UInt32(values.below(64)) << 7
      if values.chance(30) { mxcsr |= 0x8000 }
      if values.chance(30) { mxcsr |= 0x40 }
    }
    fx.storeBytes(of: mxcsr, toByteOffset: FXSAVE.mxcsr, as: UInt32.self)
    for index in 0..<32 {
      fx.storeBytes(of: values.lane(), toByteOffset: FXSAVE.xmm + index * 8, as: UInt64.self)
    }
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

/// What the manual leaves undefined after an instruction, so that two processors may differ.
public struct UndefinedResults {
  /// Bits of RFLAGS.
  public var flags: UInt64 = 0
  /// Whole general-purpose registers, a bit each.
  public var gpr: UInt16 = 0
  /// The destination of a double shift in memory, and so all memory.
  public var isMemoryUndefined = false
  /// Bits of the x87 status word.
  public var statusWord: UInt16 = 0
  /// ST registers may be off by some units in the last place; the exceptions of precision with it.
  public var isX87Approximate = false
  /// Lanes of XMM registers may be off by 1.5 * 2^-12, twice.
  public var isSIMDApproximate = false
  /// The x87 and MMX registers, when the instruction faults.
  public var isX87Undefined = false
  /// "A mask of all 0s ... exceptions ... may still be signaled (implementation dependent)" (MASKMOVDQU,
  /// MASKMOVQ), and how much of the operand a fault is about is open as well; also for
  /// PUSH of a segment register.
  public var isFaultUndefined = false
  /// Whether the stack or a target that is not canonical is looked at first.
  public var isFaultOrderUndefined = false
  /// Which of the operand's pages a page fault is about.
  public var isFaultAddressUndefined = false
  /// Scratch bytes that differ between processors, as ranges of addresses.
  public var memory: [Range<UInt64>] = []

  private static let conditions: UInt16 = 0x4500  // C0, C2, C3
  private static let c1: UInt16 = 0x0200

  /// Of an instruction that ran to its end, or did not.
  public init(_ encoding: Encoding, _ notes: CaseNotes, _ it: UnsafePointer<native_case>, isDone: Bool) {
    isFaultOrderUndefined = [.jumpTo, .returning].contains(encoding.kind)
    isFaultUndefined = encoding.kind == .maskMove || encoding.rule == .pushSegment
    guard isDone else {
      // The order in which the parts of a long operand are looked at is not laid down, nor whether the
      // transition to MMX state comes before the fault (SDM volume 2, CVTPS2PI...).
      isFaultAddressUndefined =
        [.x87Environment, .fxsave].contains(encoding.rule)
        || [.maskMove, .enter, .string, .popAll].contains(encoding.kind)
      isX87Undefined = encoding.rule == .mmxTransition
      // How many registers have been popped by then.
      if encoding.kind == .popAll { gpr = 0xEF }
      return
    }
    flags = encoding.undefinedFlags
    let before = UnsafeRawPointer(it).assumingMemoryBound(to: native_state.self)
    let bits = UInt64(notes.operandSize * 8)
    let rm = UInt16(1) << (UInt16(notes.modRM & 7) | UInt16(notes.rex & 1) << 3)
    let reg = UInt16(1) << (UInt16(notes.modRM >> 3 & 7) | UInt16(notes.rex & 4) << 1)
    var count: UInt64 {
      let last = encoding.opcode.last!
      let raw: UInt64 =
        encoding.immediateIsPresent
        ? notes.immediate : encoding.opcode.count == 1 && last < 0xD2 ? 1 : before.gpr[1]
      return raw & (bits == 64 ? 63 : 31)
    }
    switch encoding.rule {
    case .none, .x87Compare, .mmxTransition: break
    case .shift:
      // "The CF flag ... is undefined for SHL and SHR instructions where the count is greater than or equal to
      // the size (in bits) of the destination operand. The OF flag is affected only for 1-bit shifts;
      // otherwise, it is undefined. ... For a non-zero count, the AF flag is undefined." (SAL/SAR/SHL/SHR)
      if count > 0 { flags |= Flag.af }
      if count > 1 { flags |= Flag.of }
      if count >= bits, encoding.name != "sar" { flags |= Flag.cf }
    case .rotate:
      // "The OF flag is defined only for the 1-bit rotates" (RCL/RCR/ROL/ROR).
      if count > 1 { flags |= Flag.of }
    case .doubleShift:
      // "If the count is greater than the operand size, the result is undefined"; OF other than for 1; AF
      // (SHLD, SHRD).
      if count > 0 { flags |= Flag.af }
      if count > 1 { flags |= Flag.of }
      if count > bits {
        flags |= Flag.status
        if notes.modRM >= 0xC0 { gpr |= rm } else { isMemoryUndefined = true }
      }
    case .bitScan:
      // "If the content of the source operand is 0, the content of the destination operand is undefined" (BSF,
      // BSR). All processors leave it; but in 32-bit operations the upper half differs.
      if bits == 32 { gpr |= reg }
    case .byteSwap:
      // "When the BSWAP instruction references a 16-bit register, the result is undefined."
      if bits == 16 { gpr |= rm }
    case .x87:
      statusWord = Self.conditions
      if Self.leavesC1Undefined.contains(encoding.name) { statusWord |= Self.c1 }
    case .x87Approximate:
      isX87Approximate = true
      // C0, C3; C1 tells of rounding.
      statusWord = 0x4300
    case .x87Environment:
      // The pointers to instruction and operand and the opcode; AMD stores them only with an exception pending
      // (volume 2, 11.4.4), and Intel deprecates the selectors (SDM volume 1, 8.1.8).
      statusWord = Self.conditions | Self.c1
      if let address = notes.operandAddress { memory = [address &+ 12..<address &+ 28] }
    case .fxsave:
      // The same, MXCSR_MASK, and what is reserved (SDM volume 1, table 10-2).
      if let address = notes.operandAddress, address < 1 << 32 {
        memory = [address + 5..<address + 24, address + 28..<address + 32, address + 416..<address + 512]
        for register in 0..<8 as Range<UInt64> {
          memory.append(address + 32 + register * 16 + 10..<address + 48 + register * 16)
        }
      }
    case .pushSegment:
      // "Either a zero-extended value is pushed on the stack or the segment selector is written ... with the
      // upper bits not modified" (PUSH).
      memory = [before.gpr[4] &- 2..<before.gpr[4]]
    case .approximate: isSIMDApproximate = true
    }
  }

  private static let leavesC1Undefined: Set<String> = ["fnclex", "fwait", "ffree", "fnop", "fldcw", "fnstcw"]
}

extension Encoding {
  var immediateIsPresent: Bool {
    if case .none = immediate { return false }
    return true
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later

import Synchronization

/// The registers of one virtual CPU, laid out for the handlers: plain memory behind an
/// `UnsafeMutablePointer`, no references. Only the thread that executes guests touches it while they run.
struct Processor {
  /// The byte offset of a register that is always 0, for absent base and index registers.
  static let zeroRegister: UInt8 = 16 * 8

  /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15, and a zero. Must stay the first field: registers are
  /// addressed by byte offset from the start of the structure.
  var general = InlineArray<17, UInt64>(repeating: 0)

  // MARK: Flags (see Flags.swift)

  /// The last result, sign-extended: ZF, SF and PF come from it.
  var flagResult: Int64 = 1
  /// CF (bit 31), CF ^ OF (bit 30), AF (bit 3), a correction to SF (bit 0) and to the byte PF comes from
  /// (bits 8 … 15).
  var flagCarries: UInt32 = 0
  /// The other flags, where RFLAGS has them.
  var systemFlags: UInt64 = 2

  // MARK: Execution

  /// The next instruction; while a block is executed, see ``blockStart``.
  var rip: UInt64 = 0
  /// RIP of the first instruction of the block being executed.
  var blockStart: UInt64 = 0
  /// Instructions executed.
  var executed: UInt64 = 0
  /// The run loop gets control when ``executed`` reaches this.
  var stopAt: UInt64 = 0
  /// The translations in use, see ``TLB``.
  var tlb: UnsafeMutablePointer<TLBEntry>
  /// What links between blocks on different pages must have been made under.
  var mapGeneration: UInt32 = 0
  /// The modes that the meaning of code depends on.
  var mode = ExecutionMode()
  /// Added to effective addresses by segment number: in 64-bit code FS's and GS's base, else 0.
  var flatBase = InlineArray<8, UInt64>(repeating: 0)
  /// CS's base outside 64-bit code, where it is 0.
  var codeBase: UInt64 = 0
  /// Blocks by RIP, see ``JumpCache``.
  let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
  /// What the run loop must see to, set by anyone.
  let attention: UnsafeMutablePointer<Atomic<UInt32>>
  /// Where values of slow accesses are handed over.
  var transfer: UInt64 = 0

  // MARK: Exceptions

  /// The exception a handler ran into; 0xFF if none.
  var exceptionVector: UInt8 = 0xFF
  var exceptionErrorCode: UInt32 = 0
  /// It comes of an address that is not canonical or beyond a flat segment's end: #SS and not #GP if the stack
  /// segment was used.
  var isOutside = false
  /// Whether it is a trap, whose saved RIP is that of the next instruction and already in ``rip``.
  var exceptionIsTrap = false
  /// What a handler that gave back nil without an exception wants.
  var request = Request.none

  enum Request: UInt8 {
    case none
    case halt
    case shutdown
    /// Another processor may have its turn.
    case yield
    /// The instruction was not finished: it is to be executed again.
    case again
  }

  // MARK: Floating point and vectors

  /// ST0 … ST7 by physical register, 16 bytes each; MM0 … MM7 are the low 8 bytes.
  let x87Registers: UnsafeMutableRawPointer
  /// XMM0 … XMM15, 16 bytes each, aligned.
  let xmmRegisters: UnsafeMutableRawPointer
  /// The control word.
  var fcw: UInt16 = 0x40
  /// The status word without TOP.
  var fsw: UInt16 = 0
  /// TOP of the status word.
  var top: UInt8 = 0
  /// A bit for each physical register: 1 if it is not empty.
  var x87Valid: UInt8 = 0
  /// Last opcode (11 bits), instruction and operand pointer.
  var fop: UInt16 = 0
  var fcs: UInt16 = 0
  var fds: UInt16 = 0
  var fip: UInt64 = 0
  var fdp: UInt64 = 0
  var mxcsr: UInt32 = 0x1F80

  // MARK: System registers

  /// ES, CS, SS, DS, FS, GS.
  var segments = InlineArray<6, SegmentRegister>(repeating: SegmentRegister())
  var ldtr = SegmentRegister()
  var tr = SegmentRegister()
  var gdtBase: UInt64 = 0
  var gdtLimit: UInt32 = 0xFFFF
  var idtBase: UInt64 = 0
  var idtLimit: UInt32 = 0xFFFF
  var cr0: UInt64 = 0
  var cr2: UInt64 = 0
  var cr3: UInt64 = 0
  var cr4: UInt64 = 0
  /// PAE paging's page directory pointer table, as it was when CR3 was loaded.
  var pageDirectoryPointers = InlineArray<4, UInt64>(repeating: 0)
  var efer: UInt64 = 0
  var xcr0: UInt64 = 1
  /// DR0 … DR3, then DR6 and DR7.
  var debug = InlineArray<6, UInt64>(repeating: 0)
  var msrs = ModelSpecificRegisters()
  /// The current privilege level.
  var cpl: UInt8 = 0
  /// Interrupts are held off until the next instruction has been executed (after STI, MOV SS, POP SS).
  var interruptShadow = false
  /// Debug traps are, too (after MOV SS, POP SS; SDM volume 3, section 6.8.3).
  var debugShadow = false
  /// An NMI is being handled: the next is held until IRET.
  var nmiMasked = false
  /// The exception that is being delivered; 0xFF if none (SDM volume 3, section 6.15, table 6-5).
  var delivering: UInt8 = 0xFF
  /// The vCPU this is.
  let owner: Unmanaged<SoftVirtualCPU>
  /// Physical memory and code of the whole machine.
  let machine: Unmanaged<SoftMachine>

  init(
    owner: Unmanaged<SoftVirtualCPU>, machine: Unmanaged<SoftMachine>, tlb: UnsafeMutablePointer<TLBEntry>,
    jumpCache: UnsafeMutablePointer<JumpCacheEntry>, attention: UnsafeMutablePointer<Atomic<UInt32>>,
    vectors: UnsafeMutableRawPointer
  ) {
    (self.owner, self.machine, self.tlb, self.jumpCache, self.attention) = (
      owner, machine, tlb, jumpCache, attention
    )
    xmmRegisters = vectors
    x87Registers = vectors + 256
  }
}

/// A segment register with its hidden part (SDM volume 3, section 3.4.3).
struct SegmentRegister {
  var selector: UInt16 = 0
  /// As in ``CPU/SegmentState/attributes``.
  var attributes: UInt16 = 0
  /// In bytes.
  var limit: UInt32 = 0
  var base: UInt64 = 0
}

/// MSRs that are no other register.
struct ModelSpecificRegisters {
  var star: UInt64 = 0
  var lstar: UInt64 = 0
  var cstar: UInt64 = 0
  var syscallMask: UInt64 = 0
  var kernelGSBase: UInt64 = 0
  var sysenterCS: UInt64 = 0
  var sysenterESP: UInt64 = 0
  var sysenterEIP: UInt64 = 0
  var pat: UInt64 = 0x0007_0406_0007_0406
  var tscAux: UInt64 = 0
  /// Added to the machine's time stamp counter.
  var tscOffset: UInt64 = 0
  var tscAdjust: UInt64 = 0
  var miscEnable: UInt64 = 1
  var mtrrDefaultType: UInt64 = 0
  /// PHYSBASE0, PHYSMASK0, … 8 pairs.
  var mtrrVariable = InlineArray<16, UInt64>(repeating: 0)
  /// FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 … F8000.
  var mtrrFixed = InlineArray<11, UInt64>(repeating: 0)
  var machineCheckStatus: UInt64 = 0
  var machineCheckControl: UInt64 = ~0
  var featureControl: UInt64 = 1
  var microcode: UInt64 = 0
}

/// The modes that the meaning of code depends on: a block is good only in the mode it was decoded in.
struct ExecutionMode: Equatable {
  var bits: UInt32 = 0

  /// 64-bit code.
  static let long: UInt32 = 1
  /// 32-bit code (CS.D).
  static let code32: UInt32 = 2
  /// A 32-bit stack (SS.B).
  static let stack32: UInt32 = 4
  /// Protected mode.
  static let protected: UInt32 = 8
  static let virtual8086: UInt32 = 16
  static let user: UInt32 = 32
  /// Bits 8 … 13: the segments ES … GS that cannot be used without looking at their base, limit and rights.
  static let checkedShift: UInt32 = 8
  /// One instruction only: single step, interrupt shadow, instruction breakpoints.
  static let single: UInt32 = 1 << 16
  /// EFER.LMA.
  static let longActive: UInt32 = 1 << 17

  @inline(__always) var isLong: Bool { bits & Self.long != 0 }
  @inline(__always) var isCode32: Bool { bits & Self.code32 != 0 }
  @inline(__always) var isStack32: Bool { bits & Self.stack32 != 0 }
  @inline(__always) var isProtected: Bool { bits & Self.protected != 0 }
  @inline(__always) var isVirtual8086: Bool { bits & Self.virtual8086 != 0 }
  @inline(__always) var isUser: Bool { bits & Self.user != 0 }
}

// SPDX-License-Identifier: GPL-2.0-or-later

/// What an instruction's semantics is: it gets the ``Processor`` and its own ``Operation`` and gives back the
/// operation to go on with, or nil if the run loop must look at the processor (an exception, an event, the
/// end of what is decoded).
///
/// A C function pointer, because that is the cheapest indirect call Swift makes: no context, no retain.
typealias Handler = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> UnsafeRawPointer?

/// One decoded instruction: its semantics and its operands, as the handlers want them.
struct Operation {
  var handler: Handler
  /// The immediate, sign-extended to the operand's size; the target of a direct branch.
  var immediate: UInt64 = 0
  /// Displacement of the memory operand; the whole address for RIP-relative ones.
  var displacement: Int64 = 0
  /// The ``Block`` a direct branch leads to, good while ``linkGeneration`` is current.
  var link: UnsafeMutablePointer<Block>?
  var linkGeneration: UInt32 = 0
  /// Bytes from the start of the block to the instruction.
  var offset: UInt16 = 0
  /// Bytes of the instruction.
  var length: UInt8 = 0
  /// Instructions of the block from this one to its end, itself included.
  var remaining: UInt8 = 0
  /// ModRM.reg as a byte offset: into the general registers (8 a register, +1 for AH … BH), or 16 a vector
  /// or x87/MMX register.
  var reg: UInt8 = 0
  /// ModRM.rm, if it is a register, as a byte offset like ``reg``.
  var rm: UInt8 = 0
  /// Base and index register of the memory operand as byte offsets into the general registers;
  /// ``Processor/zeroRegister`` if there is none.
  var base: UInt8 = Processor.zeroRegister
  var index: UInt8 = Processor.zeroRegister
  var scale: UInt8 = 0
  /// The segment register's number (ES, CS, SS, DS, FS, GS), with ``checkedSegment`` set where its limits
  /// and rights, and a base in 16- and 32-bit code, must be looked at.
  var segment: UInt8 = 3
  /// 64 less the address size: 0, 32 or 48.
  var addressShift: UInt8 = 0
  /// The ModRM byte; a condition; other small things.
  var detail: UInt8 = 0
  /// Prefixes and sizes that handlers look at.
  var flags: UInt8 = 0

  static let checkedSegment: UInt8 = 0x80

  /// ``flags``: F3 (REP, REPE).
  static let repeatEqual: UInt8 = 1
  /// ``flags``: F2 (REPNE).
  static let repeatNotEqual: UInt8 = 2
  /// ``flags``: the rm operand is a register.
  static let isRegister: UInt8 = 4
  /// ``flags``: operand size 16 (66), else 32 or, with REX.W, 64.
  static let operand16: UInt8 = 8
  /// ``flags``: REX.W.
  static let operand64: UInt8 = 16
  /// ``flags``: LOCK.
  static let lock: UInt8 = 32
}

extension UnsafeRawPointer {
  /// The pointer a ``Handler`` got, with its type.
  @inline(__always)
  var operation: UnsafePointer<Operation> { assumingMemoryBound(to: Operation.self) }
}

extension UnsafeMutableRawPointer {
  /// The pointer a ``Handler`` got, with its type.
  @inline(__always)
  var processor: UnsafeMutablePointer<Processor> { assumingMemoryBound(to: Processor.self) }
}

extension UnsafePointer<Operation> {
  /// The operation after this one: what most handlers give back.
  @inline(__always)
  var next: UnsafeRawPointer? { UnsafeRawPointer(self + 1) }

  @inline(__always)
  var isRegister: Bool { pointee.flags & Operation.isRegister != 0 }
}
